"""The stacks of a load in an account, in the emulator: the copy calls the double, the functions
post and count, and afterwards nothing of it is there."""

from __future__ import annotations

import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from sandbox.stacks.agent_event_reader import AgentEventReader
from sandbox.stacks.deployment import (
    ENVIRONMENT,
    UNKNOWN_TO_THE_EMULATOR,
    cdk,
    leave_out,
    served,
    without_expressions,
)
from sandbox.stacks.emulator import ACCOUNT, REGION, Emulator
from tests.running_server import running
from tools.load.account.account import PLACES, Queues, Stacks, Target, load
from tools.load.account.copied import copy_of
from tools.load.result import Result
from tools.load.schedule import schedule


def test_a_load_in_an_account_counts_every_utterance_and_leaves_nothing(
    installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Emulator(tmp_path) as emulator:
        for name, value in emulator.variables.items():
            monkeypatch.setenv(name, value)  # for the processes that play calls
        with cdk(emulator, tmp_path, "bootstrap", "--app", "", f"aws://{ACCOUNT}/{REGION}"):
            pass
        before = resources(emulator)
        result = loaded(emulator, tmp_path)
        assert resources(emulator) == before
    assert result.problems == []
    assert result.utterances > 3
    assert {name: place.came for name, place in result.places.items()} == dict.fromkeys(
        PLACES, result.utterances
    )
    assert result.told.starts == result.told.stops >= result.calls > 0


def loaded(emulator: Emulator, folder: Path) -> Result:
    stacks = Stacks(emulator, folder, "autotranscribe-sandbox-load", print, prepared)
    with stacks.removed():
        environment = {"account": ACCOUNT, "region": REGION, "bootstrap_qualifier": "hnb659fds"}
        double = stacks.deploy("double", calls=2, **environment)
        with door(emulator, double["Url"]) as url:
            data = tomllib.loads(ENVIRONMENT.read_text("utf-8"))
            copy = {"name": "sandbox-load", "data": copy_of(data, double | {"Url": url})}
            outputs = stacks.deploy("transcription", copy=copy)
            target = Target(stacks.assembly, outputs, copy)
            deployment = target.deployment()
            secret = emulator.client("secretsmanager").describe_secret(
                SecretId=deployment.outputs["WebhookSecretArn"]  # the emulator's is its name
            )
            speech = {
                "results": double["ResultsArn"],
                "bus": deployment.event_bus_name,
                "webhook": {
                    "url": served(emulator, outputs["WebhookUrl"]),
                    "secret_arn": secret["ARN"],
                    "secret_name": deployment.settings.webhook.secret_name,
                    "secret_in": deployment.settings.webhook.secret_in,
                },
            }
            said = stacks.deploy("speech", speech=speech)
            deployment.stop_schedules()
            queues = Queues(said["SaidUrl"], double["ResultsUrl"])
            with AgentEventReader(deployment):
                return load(target, queues, schedule(4, 30), print, processes=2)


def prepared(template: Path) -> None:
    """What the emulator knows of it."""
    leave_out(template, UNKNOWN_TO_THE_EMULATOR)
    without_expressions(template)


@contextmanager
def door(emulator: Emulator, url: str) -> Iterator[str]:
    """The double's function URL under a name that resolves here."""
    path = f"{emulator.endpoint}/_aws/lambda-url/{urlsplit(url).netloc.partition('.')[0]}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = urllib.request.Request(f"{path}{self.path}", body, dict(self.headers))  # noqa: S310
            try:
                answer: Any = urllib.request.urlopen(asked, timeout=60)  # noqa: S310
            except HTTPError as refusal:
                answer = refusal
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


def resources(emulator: Emulator) -> dict[str, list[str]]:
    """What a load makes, by kind."""
    stacks = emulator.client("cloudformation").describe_stacks()["Stacks"]
    functions = emulator.client("lambda").list_functions()["Functions"]
    return {
        "stacks": sorted(each["StackName"] for each in stacks),
        "functions": sorted(each["FunctionName"] for each in functions),
        "queues": sorted(emulator.client("sqs").list_queues().get("QueueUrls", [])),
        "tables": emulator.client("dynamodb").list_tables()["TableNames"],
        "streams": emulator.client("kinesis").list_streams()["StreamNames"],
        "secrets": [
            each["Name"] for each in emulator.client("secretsmanager").list_secrets()["SecretList"]
        ],
        "log groups": sorted(
            each["logGroupName"]
            for each in emulator.client("logs").describe_log_groups()["logGroups"]
        ),
    }
