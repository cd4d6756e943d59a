"""The flow runner sends functions what Connect sends, and looks parameters up as Connect does."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from connect_flows.flow_types import FLOW_TYPES
from sandbox.connect.contact import Contact, Endpoint, MediaStream, Queue, lambda_event
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.flow_state import LambdaFailed
from tests.sandbox.simulated import (
    SHARED_DATA,
    Clock,
    FakeLambda,
    caller,
    flow,
    invoke,
    note,
    streaming,
)

# The event.


def third_party_event(name: str) -> dict[str, Any]:
    file = SHARED_DATA / "events" / name
    if not file.exists():
        pytest.skip(f"third-party data is absent: {file}")
    event: dict[str, Any] = json.loads(file.read_text())
    return event


def contact_of(event: dict[str, Any]) -> Contact:
    def endpoint(name: str) -> Endpoint | None:
        return Endpoint(data[name]["Address"], data[name]["Type"]) if data[name] else None

    data = event["Details"]["ContactData"]
    audio = data["MediaStreams"]["Customer"]["Audio"]
    return Contact(
        contact_id=data["ContactId"],
        instance_arn=data["InstanceARN"],
        initial_contact_id=data["InitialContactId"],
        previous_contact_id=data["PreviousContactId"],
        channel=data["Channel"],
        initiation_method=data["InitiationMethod"],
        customer_endpoint=endpoint("CustomerEndpoint"),
        system_endpoint=endpoint("SystemEndpoint"),
        queue=Queue(data["Queue"]["ARN"], data["Queue"]["Name"]) if data["Queue"] else None,
        attributes=data["Attributes"],
        media_stream=MediaStream(
            audio["StreamARN"], audio["StartFragmentNumber"], audio["StartTimestamp"]
        )
        if audio["StreamARN"]
        else None,
    )


@pytest.mark.parametrize(
    "name", ["connectContactFlowEventAll.json", "connectContactFlowEventMin.json"]
)
def test_the_event_is_that_of_a_real_contact_key_by_key(name: str) -> None:
    real = third_party_event(name)
    assert lambda_event(contact_of(real), real["Details"]["Parameters"]) == real


def test_the_event_that_a_block_sends_has_the_types_of_a_real_one(
    runner: FlowRunner, function: FakeLambda
) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return type(value).__name__

    real = third_party_event("connectContactFlowEventAll.json")
    contact = contact_of(real)
    contact.media_stream = None
    runner.run(
        flow(
            streaming("Enabled", next="Invoke"),
            invoke(LambdaInvocationAttributes=real["Details"]["Parameters"]),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert shape(function.calls[0][1]) == shape(real)


def test_media_streams_are_null_before_streaming_starts(
    runner: FlowRunner, function: FakeLambda
) -> None:
    runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert function.audio == {
        "StreamARN": None,
        "StartTimestamp": None,
        "StartFragmentNumber": None,
    }


def test_a_started_stream_looks_like_connects(
    clock: Clock, runner: FlowRunner, function: FakeLambda
) -> None:
    runner.run(flow(streaming("Enabled", next="Invoke"), invoke()), caller(), "CONTACT_FLOW")
    arn, fragment = function.audio["StreamARN"], function.audio["StartFragmentNumber"]
    head, name, created = arn.split("/")
    assert head == "arn:aws:kinesisvideo:us-east-1:000000000000:stream"
    assert name.startswith("autotranscribe-connect-sandbox-contact-")
    assert len(name.removeprefix("autotranscribe-connect-sandbox-contact-")) == 36
    assert created < function.audio["StartTimestamp"], "streams are pooled: older than the call"
    assert isinstance(fragment, str)
    assert fragment.isdigit()
    assert len(fragment) == 47
    assert function.audio["StartTimestamp"] == str(int(clock.seconds * 1000) - 50)
    assert "StopTimestamp" not in function.audio


def test_a_stopped_stream_stays_in_the_event_with_its_end(
    clock: Clock, runner: FlowRunner, function: FakeLambda
) -> None:
    contact = caller()
    runner.run(
        flow(
            streaming("Enabled", next="First"),
            invoke("First", next="Streaming Disabled"),
            streaming("Disabled", next="Invoke"),
            invoke(),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert function.audio["StreamARN"]
    assert function.audio["StopTimestamp"] > function.audio["StartTimestamp"]
    assert not contact.is_streaming


def test_streaming_that_starts_again_has_a_later_fragment(
    clock: Clock, runner: FlowRunner, function: FakeLambda
) -> None:
    contact = caller()
    start_then_stop = flow(
        streaming("Enabled", next="Invoke"),
        invoke(next="Streaming Disabled"),
        streaming("Disabled"),
    )
    runner.run(start_then_stop, contact, "CONTACT_FLOW")
    first = function.audio
    runner.run(start_then_stop, contact, "CONTACT_FLOW")
    assert int(function.audio["StartFragmentNumber"]) > int(first["StartFragmentNumber"])
    assert function.audio["StreamARN"] == first["StreamARN"]
    assert "StopTimestamp" not in function.audio


def test_starting_what_streams_already_changes_nothing(runner: FlowRunner) -> None:
    contact = caller()
    runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
    before = contact.media_stream
    runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
    assert contact.media_stream is before


def test_the_same_seed_gives_the_same_ids(function: FakeLambda) -> None:
    def arn(seed: int) -> str:
        runner = FlowRunner(
            invoke_lambda=function,
            now=lambda: 1_750_000_000.0,
            rng=random.Random(seed),  # noqa: S311 (the same ids every time are the point)
        )
        contact = caller()
        runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
        assert contact.media_stream
        return contact.media_stream.stream_arn + contact.media_stream.start_fragment_number

    assert arn(7) == arn(7)
    assert arn(7) != arn(8)


def test_a_first_contact_is_its_own_first_and_previous_contact() -> None:
    data = lambda_event(caller(contact_id="a"), {})["Details"]["ContactData"]
    assert (data["InitialContactId"], data["PreviousContactId"]) == ("a", "a")


def test_a_transferred_contact_names_the_contacts_before_it() -> None:
    data = lambda_event(
        caller(contact_id="c", initial_contact_id="a", previous_contact_id="b"), {}
    )["Details"]["ContactData"]
    assert (data["ContactId"], data["InitialContactId"], data["PreviousContactId"]) == (
        "c",
        "a",
        "b",
    )


# JSONPaths.


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("plain", "plain"),
        ("$1000", "$1000"),
        ("$.ContactId", "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"),
        ("$.CustomerEndpoint.Address", "+11234567890"),
        ("$.SystemEndpoint.Address", None),
        ("$.Queue.Name", "Billing"),
        ("$.Attributes.crmId", "42"),
        ("$['Attributes']['crmId']", "42"),
        ("$.Attributes['a space']", "7"),
        ("$.Attributes.absent", None),
        ("$.Agent.UserName", "jane"),
        ("$.Agent.Username", None),
        ("$.MediaStreams.Customer.Audio.StreamARN", None),
        ("$.External.status", None),
    ],
)
def test_a_parameter_is_static_or_looked_up(
    runner: FlowRunner, function: FakeLambda, given: str, sent: str | None
) -> None:
    contact = caller(attributes={"crmId": "42", "a space": "7"})
    runner.run(flow(invoke(LambdaInvocationAttributes={"x": given})), contact, "AGENT_WHISPER")
    assert function.parameters == {"x": sent}


@pytest.mark.parametrize("path", ["$.Attributes.", "$[0]", "$.Attributes.a[0]", "$.StoredInput.x"])
def test_a_path_that_the_runner_cannot_look_up_is_an_error(runner: FlowRunner, path: str) -> None:
    with pytest.raises(FlowError, match=r"JSONPath|does not know"):
        runner.run(flow(invoke(LambdaInvocationAttributes={"x": path})), caller(), "AGENT_WHISPER")


@pytest.mark.parametrize("flow_type", sorted(FLOW_TYPES))
def test_the_agent_is_known_only_where_connect_knows_it(
    runner: FlowRunner, function: FakeLambda, flow_type: str
) -> None:
    content = flow(invoke(LambdaInvocationAttributes={"agentId": "$.Agent.UserName"}))
    runner.run(content, caller(), flow_type)
    knows = flow_type not in ("CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER")
    assert function.parameters == {"agentId": "jane" if knows else None}


def test_only_the_most_recent_result_is_in_external(
    clock: Clock, runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [{"a": "1"}, {"b": "2"}]
    contact = caller()
    runner.run(
        flow(
            invoke("One", next="Two"),
            invoke("Two", next="Note"),
            note(a="$.External.a", b="$.External.b", c="$.LambdaInvocation.ResultData.b"),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert contact.attributes == {"a": "", "b": "2", "c": "2"}


def test_a_failed_lambda_leaves_no_older_result(
    clock: Clock, runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [{"a": "1"}, LambdaFailed("no")]
    contact = caller()
    second = invoke("Two")
    second["Transitions"]["Errors"][0]["NextAction"] = "Note"
    runner.run(
        flow(invoke("One", next="Two"), second, note(a="$.External.a")), contact, "CONTACT_FLOW"
    )
    assert contact.attributes == {"a": ""}
