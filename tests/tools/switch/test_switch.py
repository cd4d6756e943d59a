"""``make stop-all`` and ``make resume-all``: what is said, asked, changed and called."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared import table
from shared.calls import switch as of_the_functions
from tests.transcript_table import make_table
from tools.switch import switch as of_the_command
from tools.switch.__main__ import main

STACK = "autotranscribe-dev-transcription"
REGION = "eu-central-1"
NAMES = {"SwitchName": "switch", "TableName": "transcripts", "StopFunction": "stop:live"}


class Stop:
    """Lambda, with the one function that stops."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.statuses: dict[str, str] = {}

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
        assert FunctionName == NAMES["StopFunction"]
        contact = json.loads(Payload)["Details"]["ContactData"]
        self.events.append(contact)
        status = self.statuses.get(contact["InitialContactId"], "stopped")
        if status == "raised":
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        return {"Payload": io.BytesIO(json.dumps({"status": status}).encode())}


@pytest.fixture
def functions() -> Stop:
    return Stop()


@pytest.fixture
def client(functions: Stop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """An account with the stack's outputs, its parameter and its table."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("tools.switch.switch.time.sleep", lambda _: None)
    with mock_aws():

        def make(service: str, **_: Any) -> Any:
            return functions if service == "lambda" else boto3.client(service, region_name=REGION)

        make("ssm").put_parameter(Name="switch", Value="enabled", Type="String")
        outputs = {name: {"Value": value} for name, value in NAMES.items()}
        topic = {"Type": "AWS::SNS::Topic"}
        template = {"Resources": {"Topic": topic}, "Outputs": outputs}
        make("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        make_table(make("dynamodb"), "transcripts")
        yield make


def call(
    client: Callable[..., Any],
    conversation_id: str,
    asapp: str,
    waits_for: str = table.IN_PROGRESS,
    **more: str,
) -> None:
    """A call in the table."""
    item = {
        table.CONVERSATION_ID: conversation_id,
        table.ITEM: "conversation",
        "asapp": asapp,
        table.RECONCILE: table.reconcile_key(waits_for, conversation_id),
        table.RECONCILE_AT: 1_795_413_009_918,
    }
    client("dynamodb").put_item(TableName="transcripts", Item=table.attributes(item | more))


def value(client: Callable[..., Any]) -> str:
    return str(client("ssm").get_parameter(Name="switch")["Parameter"]["Value"])


def test_stop_all_turns_the_switch_and_stops_each_call_that_asapp_may_hear(
    client: Callable[..., Any], functions: Stop, capsys: pytest.CaptureFixture[str]
) -> None:
    call(client, "c-1", "streaming", toldContactId="c-1-transferred")
    call(client, "c-2", "unknown")
    call(client, "c-3", "stopped")
    call(client, "c-4", "streaming", table.PENDING)  # it is over
    for number in range(20):
        call(client, f"more-{number}", "streaming")
    assert main(["stop", "dev", "--approval=never"], client) == 0
    assert value(client) == "disabled"
    stopped = {each["InitialContactId"]: each["ContactId"] for each in functions.events}
    assert stopped == {
        "c-1": "c-1-transferred",
        "c-2": "c-2",
        **{f"more-{number}": f"more-{number}" for number in range(20)},
    }
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dev: transcription is enabled (switch)"
    assert "  c-2: stopped" in lines


@pytest.mark.parametrize("status", ["unavailable", "rejected", "raised"])
def test_a_call_that_could_not_be_stopped_is_said_and_is_a_failure(
    client: Callable[..., Any], functions: Stop, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    call(client, "c-1", "streaming")
    call(client, "c-2", "streaming")
    functions.statuses["c-1"] = status
    assert main(["stop", "dev", "--approval=never"], client) == 1
    assert "1 calls are not stopped: run it again" in capsys.readouterr().out
    assert len(functions.events) == 2


def test_resume_all_turns_it_back(client: Callable[..., Any], functions: Stop) -> None:
    main(["stop", "dev", "--approval=never"], client)
    assert main(["resume", "dev", "--approval=never"], client) == 0
    assert value(client) == "enabled"
    assert functions.events == []


@pytest.mark.parametrize("command", ["stop", "resume"])
@pytest.mark.parametrize("answer", ["no", "", "y"])
def test_nothing_changes_unless_somebody_says_yes(
    client: Callable[..., Any], functions: Stop, command: str, answer: str
) -> None:
    call(client, "c-1", "streaming")
    assert main([command, "dev"], client, lambda _: answer) == 1
    assert (value(client), functions.events) == ("enabled", [])
    assert main([command, "dev"], client, lambda _: " Yes\n") == 0


def test_without_a_terminal_it_says_how_to_go_on(
    client: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(_: str) -> str:
        raise EOFError

    assert main(["stop", "dev"], client, ask) == 1
    assert "add APPROVAL=never (--approval never)" in capsys.readouterr().out
    assert value(client) == "enabled"


def test_an_environment_that_is_not_deployed_or_is_older_is_said(
    client: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stop", "staging", "--approval=never"], client) == 1
    assert "AWS refused it" in capsys.readouterr().err
    old = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(
        StackName="autotranscribe-staging-transcription", TemplateBody=old
    )
    assert main(["stop", "staging", "--approval=never"], client) == 1
    assert "has no output SwitchName" in capsys.readouterr().err


def test_a_wrong_environment_changes_nothing(client: Callable[..., Any]) -> None:
    assert main(["stop", "nowhere", "--approval=never"], client) == 2


def test_no_process_keeps_the_value_longer_than_the_command_waits() -> None:
    assert of_the_command.KEPT_SECONDS * 1000 == of_the_functions._KEPT_MS
