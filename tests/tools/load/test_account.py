"""The variant for an account: the copy's settings, what is never touched, and the functions."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from connect_settings import Settings
from sandbox.stacks.emulator import Emulator, SandboxError
from tools.load.__main__ import main
from tools.load.account.account import Stacks
from tools.load.account.app import TAG
from tools.load.account.copied import copy_of
from tools.load.account.functions.asapp import handler as asapp
from tools.load.account.functions.count import handler as count

ENVIRONMENTS = Path(__file__).parents[3] / "infra" / "environments"
DOUBLE = {
    "Url": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws/",
    "SecretName": "CredentialsF8F243AA-abcdefghijkl",
    "StreamArn": "arn:aws:kinesis:eu-central-1:333333333333:stream/load-AgentEvents",
}


def data_of(name: str) -> dict[str, Any]:
    return tomllib.loads((ENVIRONMENTS / f"{name}.toml").read_text("utf-8"))


# The copy.


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_copy_is_as_large_as_its_environment_and_joined_to_nothing_live(name: str) -> None:
    data = data_of(name)
    double = DOUBLE | {"StreamArn": DOUBLE["StreamArn"].replace("333333333333", data["account"])}
    double["StreamArn"] = double["StreamArn"].replace("eu-central-1", data["region"])
    copy = copy_of(data, double)
    made, settings = Settings.from_mapping(copy), Settings.from_mapping(data)
    assert (made.account, made.region) == (settings.account, settings.region)
    assert made.capacity == settings.capacity
    assert made.throttle == settings.throttle
    assert made.asapp.api_host == double["Url"].rstrip("/")
    assert settings.connect.instance_arn not in json.dumps(copy)
    assert settings.asapp.api_host not in json.dumps(copy)
    assert settings.asapp.credentials_secret_name not in json.dumps(copy)
    assert (made.on_delete, made.live.mode, made.export.mode) == ("destroy", "off", "off")
    assert not (made.webhook.domain or made.encryption.key_arn or made.alarms.email)
    assert made.media_streaming.mode == made.lifecycle.mode == "adopt"
    assert TAG in made.tags


# What is never touched.


class Cloudformation:
    """The stacks of an account, by name, each with its tags."""

    def __init__(self, **stacks: dict[str, str]) -> None:
        self.stacks = stacks
        self.deleted: list[str] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName not in self.stacks:
            error = {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        tags = [{"Key": key, "Value": value} for key, value in self.stacks[StackName].items()]
        return {"Stacks": [{"StackName": StackName, "Tags": tags}]}

    def delete_stack(self, StackName: str) -> None:
        self.deleted.append(StackName)

    def get_waiter(self, _: str) -> Cloudformation:
        return self

    def wait(self, StackName: str) -> None:
        del self.stacks[StackName]


class Account(Emulator):
    def __init__(self, folder: Path, cloudformation: Cloudformation) -> None:
        super().__init__(folder)
        self.cloudformation = cloudformation

    def _new_client(self, service: str, tries: int, read_timeout: float) -> Any:
        assert service == "cloudformation"
        return self.cloudformation


def stacks_of(tmp_path: Path, cloudformation: Cloudformation) -> Stacks:
    return Stacks(Account(tmp_path, cloudformation), tmp_path, "dev-load", lambda _: None)


LOAD = {TAG: "temporary"}


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SandboxError, None])
def test_what_a_load_made_is_removed_however_it_ends_and_what_an_earlier_one_left(
    tmp_path: Path, ends: type[BaseException] | None
) -> None:
    account = Cloudformation(**{"dev-load-double": LOAD, "dev-transcription": {}})
    with pytest.raises(ends or AssertionError), stacks_of(tmp_path, account).removed():
        assert account.deleted == ["dev-load-double"]
        for part in Stacks.ORDER:
            account.stacks[f"dev-load-{part}"] = LOAD
        raise (ends or AssertionError)
    assert account.deleted[1:] == [
        "dev-load-speech",
        "dev-load-transcription",
        "dev-load-double",
    ]
    assert account.stacks == {"dev-transcription": {}}


def test_a_stack_that_no_load_has_made_stays(tmp_path: Path) -> None:
    account = Cloudformation(**{"dev-load-transcription": {"environment": "dev-load"}})
    with (
        pytest.raises(SandboxError, match="no load has made it; it stays"),
        stacks_of(tmp_path, account).removed(),
    ):
        pass
    assert account.deleted == []


def test_no_load_runs_beside_calls_that_must_not_fail_unless_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--environment", "prod"]) == 2
    assert "BESIDE=live" in capsys.readouterr().out


# The functions.


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the functions send to the queue of results."""
    sent: list[dict[str, Any]] = []

    class Sqs:
        def send_message(self, QueueUrl: str, MessageBody: str) -> None:
            assert QueueUrl == "results"
            assert len(MessageBody) < 256 * 1024
            sent.append(json.loads(MessageBody))

    monkeypatch.setenv("RESULTS_URL", "results")
    for function in (asapp, count):
        monkeypatch.setattr(function, "_sqs", Sqs)
    monkeypatch.setattr(asapp, "_credentials", lambda: ("load", "s3cr3t"))
    return sent


def asked(path: str, body: str = "", secret: str = "s3cr3t") -> dict[str, Any]:
    headers = {"asapp-api-id": "load", "asapp-api-secret": secret}
    answer = asapp.handler({"headers": headers, "rawPath": path, "body": body}, None)
    return {"status": answer["statusCode"], **json.loads(answer["body"])}


def test_the_double_starts_and_stops_with_the_same_streams_and_tells_it(
    results: list[dict[str, Any]],
) -> None:
    before = time.time()
    body = json.dumps({"guid": "call"})
    answers = [asked(f"/mg-autotranscribe/v1/{what}-streaming", body) for what in ("start", "stop")]
    for answer in answers:
        assert answer["isOk"] is True
        streams = answer["autotranscribeResponse"]
        ids = {role: each["streamId"] for role, each in streams.items()}
        assert ids == {role: asapp.stream_id("call", role) for role in ("customer", "agent")}
    assert [(each["what"], each["guid"]) for each in results] == [
        ("start", "call"),
        ("stop", "call"),
    ]
    assert all(before <= each["at"] <= time.time() for each in results)


def test_the_double_answers_nobody_without_its_credentials(results: list[dict[str, Any]]) -> None:
    assert asked("/mg-autotranscribe/v1/start-streaming", "{}", secret="guessed")["status"] == 401
    assert asked("/elsewhere")["status"] == 404
    assert asked("/conversation/v1/conversation/messages") == {"status": 200, "items": []}
    assert results == []


def test_what_comes_from_the_bus_is_handed_on_in_few_messages(
    results: list[dict[str, Any]],
) -> None:
    details = [{"id": f"call/{n}", "text": "x" * 20_000} for n in range(30)]
    records = [
        {"body": json.dumps({"detail": each}), "attributes": {"SentTimestamp": "1500"}}
        for each in details
    ]
    count.handler({"Records": records}, None)
    heard = [each for result in results for each in result["heard"]]
    assert [each["said"] for each in heard] == details
    assert {each["at"] for each in heard} == {1.5}
    assert len(results) == 4
