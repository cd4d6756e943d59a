"""``make verify`` against the deployed stacks: all is well, and each planted fault is found by its
name. Whatever was wrong, nothing of it is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sandbox.live.live_calls import LiveCalls
from sandbox.live.subscriber import signed_in
from sandbox.stacks.client_certificates import ClientCertificates
from sandbox.stacks.running import Sandbox
from shared import table
from tests.sandbox.certificates import DOMAIN, Certificates
from tests.sandbox.verify.planted import (
    ALONG,
    AT_REST,
    CONSUMER,
    OF_ANOTHER_PAGE,
    ON_THE_WAY,
    PUBLISHER,
    another_page,
    mapping_disabled,
    set_schedules,
)
from tests.sandbox.verify.tunnel import Tunnel
from tools.verify.__main__ import main
from tools.verify.listener import MARKED
from tools.verify.report import CHECKS, Checks

ROOT = Path(__file__).parents[3]
ABOUT_THE_WAY = {name: CHECKS[name] for name in ("webhook", "event sources")}
Json = dict[str, Any]


class Verified:
    """The sandbox's environment, and what `make verify` says of it.

    :ivar page: Serves the live page during a run.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, certificates: Certificates) -> None:
        self.page: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.deployment = sandbox.deployment
        self.environment = sandbox.folder / "sandbox.toml"
        client = certificates.client("first")
        self._certificate = ("--certificate", str(client.certificate), "--key", str(client.key))
        self._folder = folder

    def run(
        self, *options: str, patience: float, checks: Checks = CHECKS
    ) -> tuple[int, list[Json]]:
        """:returns: The exit code, and all findings."""
        report = self._folder / "verify.json"
        line = [str(self.environment), "--json", str(report), *self._certificate, *options]
        with self.page():
            code = main(line, patience=patience, checks=checks)
        findings: list[Json] = json.loads(report.read_text("utf-8"))["findings"]
        return code, findings

    def resources(self) -> dict[str, Any]:
        """What the emulator has that somebody could leave behind."""
        emulator, bus = self.deployment.emulator, self.deployment.event_bus_name
        sqs, events = emulator.client("sqs"), emulator.client("events")
        functions = emulator.client("lambda").get_paginator("list_functions").paginate()
        return {
            "queues": sorted(sqs.list_queues().get("QueueUrls", [])),
            "rules": sorted(it["Name"] for it in events.list_rules(EventBusName=bus)["Rules"]),
            "marked items": self.deployment.conversation(MARKED),
            "functions": sorted(
                it["FunctionName"] for page in functions for it in page["Functions"]
            ),
            "topics": emulator.client("sns").list_topics()["Topics"],
            "buckets": [it["Name"] for it in emulator.client("s3").list_buckets()["Buckets"]],
        }

    def waiting(self) -> int:
        """How many messages the webhook's queue has."""
        name = "ApproximateNumberOfMessages"
        found = self.deployment.emulator.client("sqs").get_queue_attributes(
            QueueUrl=self.deployment.queue_url, AttributeNames=[name]
        )
        return int(found["Attributes"][name])


@pytest.fixture(scope="module")
def surroundings(live_sandbox: Sandbox, certificates: Certificates) -> Iterator[None]:
    """What a person sets to talk to the emulator; schedules run as they were deployed.

    The domain for client certificates is behind a proxy.
    """
    deployment = live_sandbox.deployment
    door = ClientCertificates(deployment.emulator, DOMAIN, certificates.server(DOMAIN))
    with pytest.MonkeyPatch.context() as patch, door, Tunnel({DOMAIN: door.address}) as tunnel:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", deployment.emulator.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("HTTPS_PROXY", tunnel.url)
        patch.setenv("SSL_CERT_FILE", str(certificates.servers))
        set_schedules(deployment, "ENABLED")
        yield
        set_schedules(deployment, "DISABLED")


@pytest.fixture(scope="module")
def live(live_sandbox: Sandbox) -> LiveCalls:
    assert live_sandbox.live
    return live_sandbox.live


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the built page."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "index.html").write_text("the page")
    return folder


@pytest.fixture
def verified(
    live_sandbox: Sandbox,
    surroundings: None,
    certificates: Certificates,
    tmp_path: Path,
) -> Iterator[Verified]:
    """At the end no message of a test waits for the next one."""
    verified = Verified(live_sandbox, tmp_path, certificates)
    yield verified
    deployment = live_sandbox.deployment
    deployment.emulator.client("sqs").purge_queue(QueueUrl=deployment.queue_url)
    until(deployment.queue_is_empty)
    dynamodb = deployment.emulator.client("dynamodb")
    for item in deployment.conversation(MARKED):
        key = table.item_key(MARKED, item[table.ITEM])
        dynamodb.delete_item(TableName=deployment.table_name, Key=key)


@pytest.fixture(scope="module")
def tokens(live: LiveCalls) -> dict[str, str]:
    """Identity tokens by the users' names."""
    return {user.name: signed_in(live, user) for user in live.users}


def problems(findings: list[Json]) -> list[str]:
    return [f"{it['check']}: {it['what']}" for it in findings if it["severity"] == "problem"]


def test_all_is_well_and_nothing_is_left_behind(
    verified: Verified,
    live: LiveCalls,
    bundle: Path,
    tokens: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verified.page = lambda: live.page(bundle)
    token = tokens["supervisor"]
    monkeypatch.setenv("LIVE_TOKEN", token)
    before = verified.resources()
    junit = tmp_path / "verify.xml"
    code, findings = verified.run("--asapp", "--junit", str(junit), patience=30)
    assert problems(findings) == []
    assert code == 0
    assert verified.resources() == before
    said = {it["what"].partition(" after ")[0] for it in findings if it["severity"] == "well"}
    for way in ("secret", "access token", "client certificate"):
        assert {
            f"{way}: in the table",
            f"{way}: on the event bus",
            f"{way}: in the transcript API",
            f"{way}: on the live channel",
            f"{way}: in the live page's API",
        } <= said
    assert {
        "secret: no credential gets 401",
        "access token: no credential gets 401",
        "client certificate: no certificate gets no answer",
        "read API, /calls: without a token gets 401",
        f"read API, /conversations/{MARKED}: a forged token gets 401",
        "AppSync takes the marked utterance's event from PublishLive",
        f"{live.page_url} has the headers of docs/live.md",
        f"{live.page_url}config.json is what was deployed",
        "StartFunction: no_media_stream",
        "StopFunction: already_stopped",
        "ASAPP refuses the start of a call that is none: 400-201",
    } <= said
    for refused in ("opens no connection", "does not subscribe to /live/calls"):
        assert any(it.startswith(f"live channel: a forged token {refused}: ") for it in said)
    suite = ElementTree.parse(junit).getroot()  # noqa: S314 - our own file
    assert (suite.get("failures"), suite.get("tests")) == ("0", str(len(findings)))
    assert len(suite.findall("testcase")) == len(findings)
    printed = [capsys.readouterr().out, junit.read_text("utf-8"), json.dumps(findings)]
    for secret in (token, verified.deployment.webhook_secret):
        assert not any(secret in each for each in printed)


def test_each_fault_of_what_is_at_rest_is_found_by_its_name(
    verified: Verified, live: LiveCalls, bundle: Path
) -> None:
    """Also that the delay on the live channel could not be measured."""
    verified.page = lambda: another_page(live, bundle)
    with ExitStack() as planted:
        for plant, _ in AT_REST.values():
            planted.enter_context(plant(verified.deployment))
        before = verified.resources()
        code, findings = verified.run(patience=30)
        after = verified.resources()
    said = problems(findings)
    for name, (_, found) in AT_REST.items():
        assert [it for it in said if it.startswith(found)], name
    for found in OF_ANOTHER_PAGE:
        assert [it for it in said if it.startswith("live page: ") and found in it], found
    (publishing,) = (it for it in said if "PublishLive cannot publish" in it)
    assert publishing.endswith(": 404"), "AppSync's answer"
    expected = tuple(found for _, found in AT_REST.values())
    assert [it for it in said if not it.startswith((*expected, *ALONG))] == []
    assert (code, after) == (1, before)
    (skipped,) = (it for it in findings if it["what"].startswith("the delay on the live channel"))
    assert skipped["severity"] == "skipped"
    assert "LIVE_TOKEN" in skipped["remedy"]


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_a_fault_on_the_way_of_an_utterance_is_found_and_leaves_nothing_behind(
    name: str, verified: Verified, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_TOKEN", tokens["supervisor"])
    faults, expected = ON_THE_WAY[name]
    with ExitStack() as planted:
        for plant in faults:
            planted.enter_context(plant(verified.deployment))
        before = verified.resources()
        code, findings = verified.run(patience=4, checks=ABOUT_THE_WAY)
        after = verified.resources()
    for found in expected:
        assert [it for it in problems(findings) if it.startswith(found)], found
    assert (code, after) == (1, before)


def until(so: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def begun(verified: Verified) -> Iterator[subprocess.Popen[str]]:
    """The command line, as a person runs it; it waits for an utterance that does not come."""
    line = [sys.executable, "-m", "tools.verify", str(verified.environment)]
    surroundings = os.environ | {"PYTHONPATH": "lambdas"}
    with subprocess.Popen(
        line, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def listeners(verified: Verified) -> list[str]:
    return [it for it in verified.resources()["queues"] if "-verify-" in it]


def test_ctrl_c_removes_what_was_made(verified: Verified) -> None:
    before = verified.resources()
    with mapping_disabled(verified.deployment, PUBLISHER), begun(verified) as process:
        until(lambda: len(verified.resources()["marked items"]) == 2)
        assert len(listeners(verified)) == 1
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted; what was made is removed" in said
    assert verified.resources() == before


def test_what_a_killed_run_left_and_what_came_late_is_removed_by_the_next_one(
    verified: Verified, capsys: pytest.CaptureFixture[str]
) -> None:
    before = verified.resources()
    with mapping_disabled(verified.deployment, CONSUMER), begun(verified) as process:
        until(lambda: verified.waiting() == 2)
        process.kill()
        process.wait()
        assert len(listeners(verified)) == 1
    until(lambda: len(verified.resources()["marked items"]) == 2)
    code, findings = verified.run(patience=30)
    assert (code, problems(findings)) == (0, [])
    assert "an earlier run left; rules with a queue: 1, items: 2" in capsys.readouterr().out
    assert verified.resources() == before


@pytest.mark.parametrize("option", ["--certificate", "--key"])
def test_a_certificate_without_its_key_is_refused(option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sandbox", option, "file.pem"])


def test_if_nothing_is_deployed_it_cannot_tell(
    verified: Verified, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = verified.environment.read_text("utf-8")
    other = tmp_path / "sandbox-eu.toml"
    other.write_text(text, "utf-8")
    assert main([str(other)]) == 2
    assert "autotranscribe-sandbox-eu-transcription is not deployed" in capsys.readouterr().out
