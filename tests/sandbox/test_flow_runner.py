"""The flow runner is as strict as Connect, and sends what Connect sends."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.flow_runner import (
    MAX_STEPS,
    Agent,
    Contact,
    Endpoint,
    FlowError,
    FlowRunner,
    LambdaFailed,
    MediaStream,
    Queue,
    Step,
    lambda_event,
)

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
INSTANCE = "arn:aws:connect:us-east-1:000000000000:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:start:live"
ALL_TYPES = [
    "CONTACT_FLOW",
    "CUSTOMER_QUEUE",
    "CUSTOMER_HOLD",
    "CUSTOMER_WHISPER",
    "AGENT_HOLD",
    "AGENT_WHISPER",
    "OUTBOUND_WHISPER",
    "AGENT_TRANSFER",
    "QUEUE_TRANSFER",
]


class Clock:
    """A time that passes only when somebody lets it."""

    def __init__(self) -> None:
        self.seconds = 1_750_000_000.0

    def __call__(self) -> float:
        return self.seconds


class FakeLambda:
    """Speaks the part of Lambda, and holds every event against the shape that Connect documents.

    :param answers: What the tries answer in turn; an exception is raised, the last one repeats.
    :param takes: The seconds that each try takes; it is cut off when its time is over.
    """

    def __init__(self, clock: Clock, *answers: Any, takes: float = 0.05) -> None:
        self.clock = clock
        self.answers = list(answers) or [{"status": "started"}]
        self.takes = takes
        self.calls: list[tuple[str, dict[str, Any], float]] = []

    def __call__(self, arn: str, event: dict[str, Any], seconds: float) -> Any:
        assert set(event) == {"Name", "Details"}
        assert event["Name"] == "ContactFlowEvent"
        assert set(event["Details"]) == {"ContactData", "Parameters"}
        audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
        assert {"StreamARN", "StartTimestamp", "StartFragmentNumber"} <= set(audio)
        assert "Agent" not in event["Details"]["ContactData"]
        self.calls.append((arn, event, seconds))
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if self.takes > seconds:
            self.clock.seconds += seconds
            raise TimeoutError
        self.clock.seconds += self.takes
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def audio(self) -> dict[str, Any]:
        audio: dict[str, Any] = self.calls[-1][1]["Details"]["ContactData"]["MediaStreams"][
            "Customer"
        ]["Audio"]
        return audio

    @property
    def parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.calls[-1][1]["Details"]["Parameters"]
        return parameters


def action(
    identifier: str,
    kind: str,
    parameters: dict[str, Any] | None = None,
    *,
    next: str | None = "End",
    on_error: str | None = "Failed",
    conditions: list[dict[str, Any]] | None = None,
    error_type: str = "NoMatchingError",
) -> dict[str, Any]:
    transitions: dict[str, Any] = {"Conditions": conditions or []}
    if next:
        transitions["NextAction"] = next
    if on_error:
        transitions["Errors"] = [{"NextAction": on_error, "ErrorType": error_type}]
    return {
        "Identifier": identifier,
        "Type": kind,
        "Parameters": parameters or {},
        "Transitions": transitions,
    }


def invoke(identifier: str = "Invoke", next: str = "End", **parameters: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "LambdaFunctionARN": FUNCTION,
        "InvocationTimeLimitSeconds": "8",
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }
    return action(identifier, "InvokeLambdaFunction", defaults | parameters, next=next)


def streaming(state: str, next: str = "End", identifier: str = "") -> dict[str, Any]:
    return action(
        identifier or f"Streaming {state}",
        "UpdateContactMediaStreamingBehavior",
        {
            "MediaStreamingState": state,
            "MediaStreamType": "Audio",
            "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["From", "To"]}],
        },
        next=next,
    )


def note(identifier: str = "Note", next: str = "End", **attributes: str) -> dict[str, Any]:
    parameters = {"Attributes": attributes, "TargetContact": "Current"}
    return action(identifier, "UpdateContactAttributes", parameters, next=next)


def flow(*actions: dict[str, Any], end: str = "EndFlowExecution") -> dict[str, Any]:
    """The actions, and the two ends "End" and "Failed", which end in the same way."""
    return {
        "Version": "2019-10-30",
        "StartAction": actions[0]["Identifier"],
        "Metadata": {},
        "Actions": [
            *actions,
            {"Identifier": "End", "Type": end, "Parameters": {}, "Transitions": {}},
            {"Identifier": "Failed", "Type": end, "Parameters": {}, "Transitions": {}},
        ],
    }


def module(*actions: dict[str, Any]) -> dict[str, Any]:
    return flow(*actions, end="EndFlowModuleExecution")


def caller(**changes: Any) -> Contact:
    defaults: dict[str, Any] = {
        "contact_id": "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
        "instance_arn": INSTANCE,
        "customer_endpoint": Endpoint("+11234567890"),
        "queue": Queue(f"{INSTANCE}/queue/1", "Billing"),
        "agent": Agent("jane", f"{INSTANCE}/agent/1"),
    }
    return Contact(**(defaults | changes))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def function(clock: Clock) -> FakeLambda:
    return FakeLambda(clock)


@pytest.fixture
def runner(clock: Clock, function: FakeLambda) -> FlowRunner:
    return FlowRunner(invoke_lambda=function, now=clock)


def blocks(path: list[Step]) -> list[str]:
    return [step.block for step in path]


def the_lambda_step(path: list[Step]) -> Step:
    return next(step for step in path if step.type == "InvokeLambdaFunction")


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


def test_streaming_that_starts_anew_has_a_later_fragment(
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


@pytest.mark.parametrize("flow_type", ALL_TYPES)
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


# The Lambda block.


def test_a_failing_function_is_tried_four_times_and_then_the_error_branch_follows(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [LambdaFailed("boom")]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert len(function.calls) == 4
    assert blocks(path) == ["Invoke", "Failed"]
    assert (path[0].branch, path[0].ms) == ("NoMatchingError", 200)
    assert "boom" in path[0].detail


def test_a_retry_that_works_leads_on(runner: FlowRunner, function: FakeLambda) -> None:
    function.answers = [LambdaFailed("cold"), {"status": "started"}]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "End"]
    assert function.calls[0][1] == function.calls[1][1], "the same event again"


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_retries_stay_inside_the_blocks_limit(
    runner: FlowRunner, function: FakeLambda, limit: int
) -> None:
    function.answers, function.takes = [LambdaFailed("slow")], limit * 0.4
    path = runner.run(
        flow(invoke(InvocationTimeLimitSeconds=str(limit))), caller(), "AGENT_WHISPER"
    )
    assert [round(seconds / limit, 1) for _, _, seconds in function.calls] == [1.0, 0.6, 0.2]
    assert path[0].branch == "NoMatchingError"
    assert path[0].ms == limit * 1000


def test_a_hanging_function_takes_the_blocks_limit_and_no_more(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 60
    path = runner.run(flow(invoke(InvocationTimeLimitSeconds="5")), caller(), "AGENT_WHISPER")
    assert (path[0].branch, path[0].ms) == ("NoMatchingError", 5_000)
    assert "within 5 s" in path[0].detail
    assert len(function.calls) == 1


def test_an_answer_after_the_limit_comes_too_late(clock: Clock) -> None:
    def late(arn: str, event: dict[str, Any], seconds: float) -> dict[str, str]:
        clock.seconds += seconds + 0.5
        return {"status": "started"}

    runner = FlowRunner(invoke_lambda=late, now=clock)
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "Failed"]


@pytest.mark.parametrize(
    "answer",
    [
        {"n": 1},
        {"n": 1.5},
        {"flag": True},
        {"nothing": None},
        {"nested": {"a": "b"}},
        {"list": []},
        None,
        "text",
        [],
        {"long": "x" * 32 * 1024},
        {"long": "é" * 16 * 1024},
    ],
)
def test_a_string_map_that_is_none_takes_the_error_branch_without_retry(
    runner: FlowRunner, function: FakeLambda, answer: Any
) -> None:
    function.answers = [answer]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "Failed"]
    assert len(function.calls) == 1


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=10))
def test_every_small_flat_map_of_strings_leads_on(answer: dict[str, str]) -> None:
    clock = Clock()
    runner = FlowRunner(invoke_lambda=FakeLambda(clock, answer), now=clock)
    assert blocks(runner.run(flow(invoke()), caller(), "AGENT_WHISPER")) == ["Invoke", "End"]


def test_json_validation_lets_nested_answers_through(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [{"a": {"b": 2}}]
    contact = caller()
    runner.run(
        flow(
            invoke(next="Note", ResponseValidation={"ResponseType": "JSON"}),
            note(b="$.External.a.b"),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert contact.attributes == {"b": "2"}


def test_lambdas_in_a_row_share_twenty_seconds(runner: FlowRunner, function: FakeLambda) -> None:
    function.takes = 7
    names = ["One", "Two", "Three", "Four"]
    path = runner.run(
        flow(
            *(
                invoke(name, next=after)
                for name, after in zip(names, [*names[1:], "End"], strict=True)
            )
        ),
        caller(),
        "CONTACT_FLOW",
    )
    assert [step.branch for step in path[:3]] == ["NextAction", "NextAction", "NoMatchingError"]
    assert path[2].ms == 6_000
    assert blocks(path)[-1] == "Failed"


def test_a_played_prompt_gives_the_next_lambdas_their_twenty_seconds_again(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 7
    path = runner.run(
        flow(
            invoke("One", next="Two"),
            invoke("Two", next="Say"),
            action("Say", "MessageParticipant", {"Text": "One moment"}, next="Three"),
            invoke("Three", next="Four"),
            invoke("Four"),
        ),
        caller(),
        "CONTACT_FLOW",
    )
    assert blocks(path)[-2:] == ["Four", "End"]


def test_a_mistake_in_the_function_that_calls_lambda_comes_out() -> None:
    def broken(arn: str, event: dict[str, Any], seconds: float) -> Any:
        raise KeyError("nobody expected me")

    with pytest.raises(KeyError, match="nobody expected me"):
        FlowRunner(invoke_lambda=broken).run(flow(invoke()), caller(), "AGENT_WHISPER")


@pytest.mark.parametrize(
    "parameters",
    [
        {"InvocationTimeLimitSeconds": "9"},
        {"InvocationTimeLimitSeconds": "0"},
        {"InvocationType": "ASYNCHRONOUS"},
        {"ResponseValidation": {"ResponseType": "JSON_OBJECT"}},
    ],
)
def test_lambda_parameters_that_connect_refuses_are_errors(
    runner: FlowRunner, parameters: dict[str, Any]
) -> None:
    with pytest.raises(FlowError, match="Invoke"):
        runner.run(flow(invoke(**parameters)), caller(), "AGENT_WHISPER")


# Where blocks are allowed.


@pytest.mark.parametrize("flow_type", ["CUSTOMER_HOLD", "AGENT_HOLD"])
@pytest.mark.parametrize(
    "block",
    [
        streaming("Enabled"),
        streaming("Disabled"),
        action("Say", "MessageParticipant", {"Text": "hello"}),
        action("Hang up", "DisconnectParticipant"),
    ],
    ids=lambda block: block["Identifier"],
)
def test_hold_flows_refuse_media_streaming_prompts_and_hang_ups(
    runner: FlowRunner, block: dict[str, Any], flow_type: str
) -> None:
    with pytest.raises(FlowError, match=f"not allowed in a {flow_type} flow"):
        runner.run(flow(block), caller(), flow_type)


def test_a_module_that_does_not_suit_the_flow_takes_its_error_branch(
    clock: Clock, function: FakeLambda
) -> None:
    runner = FlowRunner(
        invoke_lambda=function, modules={"m": module(streaming("Enabled"))}, now=clock
    )
    contact = caller()
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Loop")
    loop = action("Loop", "MessageParticipantIteratively", {"Messages": [{"Text": "x"}]}, next=None)
    path = runner.run(flow(use, loop), contact, "CUSTOMER_HOLD")
    assert [(step.block, step.branch) for step in path] == [
        ("Use", "NextAction"),
        ("Streaming Enabled", "NoMatchingError"),
        ("Failed", "Returns"),
        ("Loop", "Loops"),
    ]
    assert not contact.is_streaming


@pytest.mark.parametrize("flow_type", ["CONTACT_FLOW", "AGENT_WHISPER", "AGENT_TRANSFER"])
def test_prompts_loop_only_on_hold_and_in_queue(runner: FlowRunner, flow_type: str) -> None:
    loop = action("Loop", "MessageParticipantIteratively", {"Messages": [{"Text": "x"}]})
    with pytest.raises(FlowError, match="not allowed"):
        runner.run(flow(loop), caller(), flow_type)


@pytest.mark.parametrize("flow_type", ["AGENT_WHISPER", "CUSTOMER_WHISPER", "OUTBOUND_WHISPER"])
def test_a_whisper_cannot_hang_up(runner: FlowRunner, flow_type: str) -> None:
    with pytest.raises(FlowError, match="not allowed"):
        runner.run(flow(action("Bye", "DisconnectParticipant")), caller(), flow_type)


@pytest.mark.parametrize("channel", ["CHAT", "TASK", "EMAIL"])
def test_a_contact_without_a_voice_takes_the_error_branch_of_media_streaming(
    runner: FlowRunner, channel: str
) -> None:
    path = runner.run(flow(streaming("Enabled")), caller(channel=channel), "CONTACT_FLOW")
    assert blocks(path) == ["Streaming Enabled", "Failed"]


def test_a_module_end_outside_a_module_is_an_error(runner: FlowRunner) -> None:
    with pytest.raises(FlowError, match="modules only"):
        runner.run(module(invoke()), caller(), "CONTACT_FLOW")


def test_looped_prompts_end_the_flow_and_say_that_they_loop(runner: FlowRunner) -> None:
    loop = action(
        "Loop",
        "MessageParticipantIteratively",
        {"Messages": [{"Text": "Please hold, $.Attributes.name"}, {"PromptId": "music"}]},
        next=None,
        on_error=None,
    )
    path = runner.run(flow(loop), caller(attributes={"name": "Ann"}), "CUSTOMER_HOLD")
    assert path == [
        Step("Loop", loop["Type"], "Loops", 0, "Please hold, Ann | music"),
    ]


@pytest.mark.parametrize(
    "before",
    [
        streaming("Disabled", next="Loop"),
        action("Say", "MessageParticipant", {"Text": "x"}, next="Loop"),
    ],
    ids=["media streaming", "a prompt"],
)
def test_what_connect_refuses_before_looped_prompts_is_an_error(
    runner: FlowRunner, before: dict[str, Any]
) -> None:
    loop = action("Loop", "MessageParticipantIteratively", {"Messages": [{"Text": "x"}]})
    with pytest.raises(FlowError, match="may not stand before Loop prompts"):
        runner.run(flow(before, loop), caller(), "CUSTOMER_QUEUE")


@pytest.mark.parametrize(
    "parameters",
    [
        {"Messages": []},
        {"Messages": [{"Text": "x", "PromptId": "y"}]},
        {"Messages": [{"Text": "x"}], "InterruptFrequencySeconds": "20"},
    ],
)
def test_looped_prompts_that_connect_refuses_are_errors(
    runner: FlowRunner, parameters: dict[str, Any]
) -> None:
    loop = action("Loop", "MessageParticipantIteratively", parameters)
    with pytest.raises(FlowError, match=r"Messages|one of Text|20 s apart"):
        runner.run(flow(loop), caller(), "CUSTOMER_HOLD")


@pytest.mark.parametrize(
    ("flow_type", "branch"),
    [("AGENT_WHISPER", "Ends"), ("CUSTOMER_QUEUE", "Ends"), ("CONTACT_FLOW", "Disconnects")],
)
def test_the_end_of_an_inbound_flow_hangs_up(
    runner: FlowRunner, flow_type: str, branch: str
) -> None:
    assert runner.run(flow(invoke()), caller(), flow_type)[-1].branch == branch


# Refusals.


def test_an_unknown_block_is_never_a_success(runner: FlowRunner) -> None:
    with pytest.raises(FlowError, match="'Queue it' is a TransferContactToQueue"):
        runner.run(flow(action("Queue it", "TransferContactToQueue")), caller(), "CONTACT_FLOW")


def test_a_flow_in_the_legacy_format_is_refused(runner: FlowRunner) -> None:
    file = SHARED_DATA / "flows" / "legacy-format-realtime-transcription.json"
    if not file.exists():
        pytest.skip(f"third-party data is absent: {file}")
    with pytest.raises(FlowError, match="legacy format"):
        runner.run(json.loads(file.read_text()), caller(), "CONTACT_FLOW")


def test_a_flow_that_goes_round_is_stopped_and_named(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 0
    round_ = flow(note("A", next="B", x="1"), invoke("B", next="A"))
    with pytest.raises(FlowError, match=f"{MAX_STEPS} blocks and no end.*A → B → A"):
        runner.run(round_, caller(), "CONTACT_FLOW")
    assert len(function.calls) == MAX_STEPS / 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (flow(invoke(next="Nowhere")), "'Nowhere', which is not in Actions"),
        (flow(action("A", "UpdateFlowLoggingBehavior", next=None)), "'A' has no NextAction"),
        (flow(invoke(), invoke()), "two actions have one Identifier"),
        ({**flow(invoke()), "Version": "1"}, "Version is '1'"),
    ],
)
def test_a_broken_flow_is_an_error(
    runner: FlowRunner, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(FlowError, match=message):
        runner.run(content, caller(), "CONTACT_FLOW")


def test_a_failure_without_an_error_branch_is_an_error(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [LambdaFailed("boom")]
    block = invoke()
    block["Transitions"]["Errors"] = []
    with pytest.raises(FlowError, match="has no branch for NoMatchingError"):
        runner.run(flow(block), caller(), "CONTACT_FLOW")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("MediaStreamingState", "On"),
        ("MediaStreamType", "Video"),
        ("Participants", []),
        ("Participants", [{"ParticipantType": "Agent", "MediaDirections": ["From"]}]),
        ("Participants", [{"ParticipantType": "Customer", "MediaDirections": ["Both"]}]),
    ],
)
def test_media_streaming_parameters_that_connect_refuses_are_errors(
    runner: FlowRunner, parameter: str, value: Any
) -> None:
    block = streaming("Enabled")
    block["Parameters"][parameter] = value
    with pytest.raises(FlowError, match=parameter):
        runner.run(flow(block), caller(), "CONTACT_FLOW")


def test_an_unknown_flow_type_is_an_error(runner: FlowRunner) -> None:
    with pytest.raises(FlowError, match="no flow type 'agentWhisper'"):
        runner.run(flow(invoke()), caller(), "agentWhisper")


# Attributes, conditions, modules.


def test_attributes_stay_with_the_contact_and_reach_the_next_event(
    runner: FlowRunner, function: FakeLambda
) -> None:
    contact = caller(attributes={"kept": "1"})
    runner.run(flow(note(next="Invoke", new="$.Queue.Name"), invoke()), contact, "CONTACT_FLOW")
    assert function.calls[0][1]["Details"]["ContactData"]["Attributes"] == {
        "kept": "1",
        "new": "Billing",
    }


def test_attributes_over_32_kb_are_all_refused(runner: FlowRunner) -> None:
    contact = caller()
    path = runner.run(flow(note(a="1", b="x" * 33_000)), contact, "CONTACT_FLOW")
    assert blocks(path) == ["Note", "Failed"]
    assert contact.attributes == {}


def test_an_attribute_key_with_a_dot_is_an_error(runner: FlowRunner) -> None:
    with pytest.raises(FlowError, match=r"'a\.b' holds"):
        runner.run(flow(note(**{"a.b": "1"})), caller(), "CONTACT_FLOW")


@pytest.mark.parametrize(
    ("operator", "operand", "holds"),
    [
        ("Equals", "started", True),
        ("Equals", "start", False),
        ("TextStartsWith", "start", True),
        ("TextEndsWith", "ed", True),
        ("TextContains", "art", True),
        ("TextContains", "xyz", False),
        ("NumberGreaterThan", "1", False),
    ],
)
def test_a_condition_leads_where_it_says(
    runner: FlowRunner, operator: str, operand: str, holds: bool
) -> None:
    compare = action(
        "Compare",
        "Compare",
        {"ComparisonValue": "$.Attributes.status"},
        next="Failed",
        error_type="NoMatchingCondition",
        conditions=[
            {"NextAction": "End", "Condition": {"Operator": operator, "Operands": [operand]}}
        ],
    )
    path = runner.run(flow(compare), caller(attributes={"status": "started"}), "CONTACT_FLOW")
    assert path[0].branch == (f"{operator} {operand}" if holds else "NoMatchingCondition")
    assert path[1].block == ("End" if holds else "Failed")


def test_a_lambdas_result_crosses_no_module_boundary_but_attributes_do(
    clock: Clock, function: FakeLambda
) -> None:
    function.answers = [{"from": "outside"}, {"from": "inside"}]
    inner = module(
        note("Before", next="Invoke inside", inside_before="$.External.from"),
        invoke("Invoke inside", next="After"),
        note("After", inside_after="$.External.from"),
    )
    runner = FlowRunner(invoke_lambda=function, modules={"m": inner}, now=clock)
    contact = caller()
    path = runner.run(
        flow(
            invoke(next="Use"),
            action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Note"),
            note(outside_after="$.External.from"),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert contact.attributes == {
        "inside_before": "",
        "inside_after": "inside",
        "outside_after": "outside",
    }
    assert [(step.block, step.module) for step in path] == [
        ("Invoke", ""),
        ("Use", ""),
        ("Before", "m"),
        ("Invoke inside", "m"),
        ("After", "m"),
        ("End", "m"),
        ("Note", ""),
        ("End", ""),
    ]


def test_modules_nest_five_deep_at_most(clock: Clock, function: FakeLambda) -> None:
    def use(number: int) -> dict[str, Any]:
        return action(f"Use {number}", "InvokeFlowModule", {"FlowModuleId": f"{number}"})

    modules = {f"{number}": module(use(number + 1)) for number in range(1, 6)}
    modules["6"] = module(note(deepest="reached"))
    runner = FlowRunner(invoke_lambda=function, modules=modules, now=clock)
    assert blocks(runner.run(flow(use(2)), caller(), "CONTACT_FLOW"))[-1] == "End"
    with pytest.raises(FlowError, match="5 deep"):
        runner.run(flow(use(1)), caller(), "CONTACT_FLOW")


def test_a_module_that_hangs_up_ends_the_whole_flow(clock: Clock, function: FakeLambda) -> None:
    hang_up = module(action("Hang up", "DisconnectParticipant"))
    runner = FlowRunner(invoke_lambda=function, modules={"m": hang_up}, now=clock)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    path = runner.run(flow(use), caller(), "CONTACT_FLOW")
    assert [(step.block, step.branch) for step in path] == [
        ("Use", "Ends"),
        ("Hang up", "Disconnects"),
    ]


def test_a_block_can_be_made_to_fail(clock: Clock, function: FakeLambda) -> None:
    runner = FlowRunner(invoke_lambda=function, now=clock, failing=["Streaming Enabled"])
    contact = caller()
    path = runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
    assert blocks(path) == ["Streaming Enabled", "Failed"]
    assert not contact.is_streaming


# Flows that others published.


def third_party_flow(name: str, **placeholders: str) -> dict[str, Any]:
    file = SHARED_DATA / "flows" / name
    if not file.exists():
        pytest.skip(f"third-party data is absent: {file}")
    text = file.read_text()
    for placeholder, value in placeholders.items():
        text = text.replace(f"%{placeholder}%", value)
    content: dict[str, Any] = json.loads(text)
    return content


def test_a_third_partys_agent_whisper_beeps_and_ends(runner: FlowRunner) -> None:
    content = third_party_flow("agent-whisper-connect-samples.json", BeepPromptArn="beep")
    path = runner.run(content, caller(), "AGENT_WHISPER")
    assert [(step.type, step.branch, step.detail) for step in path] == [
        ("MessageParticipant", "NextAction", "beep"),
        ("EndFlowExecution", "Ends", ""),
    ]


def test_a_third_partys_queue_flow_loops_its_prompts(runner: FlowRunner) -> None:
    content = third_party_flow("customer-queue-connect-samples.json", MessageText="Please wait")
    path = runner.run(content, caller(), "CUSTOMER_QUEUE")
    assert [(step.type, step.branch) for step in path] == [
        ("MessageParticipantIteratively", "Loops")
    ]
    assert path[0].detail.startswith("Please wait | ")


@pytest.fixture
def asapps_module() -> dict[str, Any]:
    return third_party_flow("module-asapp-generativeagent.json")


@pytest.mark.parametrize(
    ("answers", "disposition"),
    [
        ([{"result": "success"}, {"next": "transferToAgent"}], "transferToAgent"),
        ([{"result": "success"}, {"next": "disengage"}], "disengage"),
        (
            [
                {"result": "success"},
                {"next": "speak", "text": "Hello"},
                {"next": "none", "playBeepBop": "1"},
                {"next": "transferToSystem"},
            ],
            "transferToSystem",
        ),
        ([LambdaFailed("down")], "error"),
        ([{"result": "failed", "errorMessage": "no"}], "error"),
    ],
)
def test_asapps_own_module_runs_and_stops_the_streaming_that_it_started(
    clock: Clock,
    asapps_module: dict[str, Any],
    answers: list[Any],
    disposition: str,
) -> None:
    runner = FlowRunner(
        invoke_lambda=FakeLambda(clock, *answers), modules={"asapp": asapps_module}, now=clock
    )
    contact = caller()
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "asapp"})
    path = runner.run(flow(use), contact, "CONTACT_FLOW")
    assert blocks(path)[-1] == "End"
    assert contact.attributes["ASAPP_Disposition"] == disposition
    assert contact.media_stream
    assert not contact.is_streaming


def test_the_example_in_the_docstring_runs() -> None:
    path = FlowRunner(invoke_lambda=lambda arn, event, seconds: {"status": "started"}).run(
        flow(invoke()), Contact("5ca3", INSTANCE, agent=Agent("jane")), "AGENT_WHISPER"
    )
    assert blocks(path) == ["Invoke", "End"]
