"""The flow runner is as strict as Connect, and sends what Connect sends."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connect_flows.flow_types import FLOW_TYPES
from sandbox.connect.contact import Agent, Contact, Endpoint, MediaStream, Queue, lambda_event
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import MAX_STEPS, FlowRunner, Step
from sandbox.connect.flow_state import LambdaFailed
from tests.sandbox.simulated import (
    INSTANCE,
    SHARED_DATA,
    Clock,
    FakeLambda,
    action,
    blocks,
    caller,
    flow,
    invoke,
    looped_prompts,
    module,
    note,
    streaming,
    terminal,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def function(clock: Clock) -> FakeLambda:
    return FakeLambda(clock)


@pytest.fixture
def runner(clock: Clock, function: FakeLambda) -> FlowRunner:
    return FlowRunner(invoke_lambda=function, now=clock)


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


def test_lambdas_without_a_prompt_between_them_share_twenty_seconds(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 7
    path = runner.run(
        flow(
            invoke("One", next="Two"),
            invoke("Two", next="Note"),
            note(next="Three", x="1"),
            invoke("Three", next="Four"),
            invoke("Four", InvocationTimeLimitSeconds="1"),
        ),
        caller(),
        "CONTACT_FLOW",
    )
    assert [step.branch for step in path[:4]] == ["NextAction"] * 3 + ["NoMatchingError"]
    assert path[3].ms == 6_000
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
        terminal("Hang up", "DisconnectParticipant"),
    ],
    ids=lambda block: block["Identifier"],
)
def test_hold_flows_refuse_media_streaming_prompts_and_hang_ups(
    runner: FlowRunner, block: dict[str, Any], flow_type: str
) -> None:
    with pytest.raises(FlowError, match=f"not allowed in a flow of type {flow_type}"):
        runner.run(flow(block), caller(), flow_type)


def test_a_module_that_does_not_suit_the_flow_takes_its_error_branch(
    clock: Clock, function: FakeLambda
) -> None:
    runner = FlowRunner(
        invoke_lambda=function, modules={"m": module(streaming("Enabled"))}, now=clock
    )
    contact = caller()
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Loop")
    loop = looped_prompts("Loop", next=None, on_error=None)
    use["Transitions"]["Errors"][0]["NextAction"] = "Loop"
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
        runner.run(flow(terminal("Bye", "DisconnectParticipant")), caller(), flow_type)


@pytest.mark.parametrize("channel", ["CHAT", "TASK", "EMAIL"])
def test_a_contact_without_a_voice_takes_the_error_branch_of_media_streaming(
    runner: FlowRunner, channel: str
) -> None:
    path = runner.run(flow(streaming("Enabled")), caller(channel=channel), "CONTACT_FLOW")
    assert blocks(path) == ["Streaming Enabled", "Failed"]


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


def many(count: int) -> dict[str, Any]:
    names = [f"Note {number}" for number in range(count)]
    followers = [*names[1:], "End"]
    return flow(
        *(
            note(name, next=follower, x="1") | {"Transitions": _on(follower)}
            for name, follower in zip(names, followers, strict=True)
        )
    )


def _on(follower: str) -> dict[str, Any]:
    errors = [{"NextAction": follower, "ErrorType": "NoMatchingError"}]
    return {"NextAction": follower, "Errors": errors, "Conditions": []}


def with_errors(block: dict[str, Any], *errors: str) -> dict[str, Any]:
    branches = [{"NextAction": "Failed", "ErrorType": error} for error in errors]
    return block | {"Transitions": block["Transitions"] | {"Errors": branches}}


CONDITION = {"NextAction": "End", "Condition": {"Operator": "Equals", "Operands": ["1"]}}
SAY = {"Text": "Hello"}
LAMBDAS = [invoke("One", next="Two"), invoke("Two", next="Three"), invoke("Three")]


@pytest.mark.parametrize(
    ("content", "flow_type", "rule"),
    [
        (flow(looped_prompts("Loop")), "AGENT_WHISPER", "not allowed in a flow of type"),
        (module(note(x="1")), "CONTACT_FLOW", "not allowed in a flow of type CONTACT_FLOW"),
        (flow(with_errors(invoke())), "CONTACT_FLOW", "lead somewhere on the error NoMatching"),
        (flow(with_errors(invoke(), "Timeout")), "CONTACT_FLOW", "has the error 'Timeout'"),
        (
            flow(action("Log", "UpdateFlowLoggingBehavior", next=None, on_error=None)),
            "CONTACT_FLOW",
            "must have a NextAction",
        ),
        (flow(action("Bye", "DisconnectParticipant")), "CONTACT_FLOW", "leads on, although"),
        (
            flow(
                action("Say", "MessageParticipant", {"Text": "x"}, conditions=[CONDITION]),
            ),
            "CONTACT_FLOW",
            "may not have conditions",
        ),
        (flow(streaming("On")), "CONTACT_FLOW", "MediaStreamingState that is neither"),
        (flow(invoke(LambdaFunctionARN="arn:" + "x" * 140)), "CONTACT_FLOW", "144 characters"),
        (flow(invoke(InvocationTimeLimitSeconds="9")), "CONTACT_FLOW", "not 1 to 8"),
        (flow(*LAMBDAS), "CONTACT_FLOW", "more than 20"),
        (
            flow(streaming("Disabled", next="Loop"), looped_prompts("Loop")),
            "CUSTOMER_QUEUE",
            "may not come before Loop prompts",
        ),
        (many(249), "CONTACT_FLOW", "251 actions, not 1 to 250"),
        (flow(note(x="y" * 256_000)), "CONTACT_FLOW", "characters long"),
        (flow(invoke("x" * 51)), "CONTACT_FLOW", "51 characters"),
        (flow(invoke("50%")), "CONTACT_FLOW", "the identifier holds one of"),
        (flow(invoke("constructor")), "CONTACT_FLOW", "no action may have this identifier"),
        (flow(invoke(), invoke()), "CONTACT_FLOW", "2 actions have this identifier"),
        (flow(invoke(next="Nowhere")), "CONTACT_FLOW", "'Nowhere', which does not exist"),
        (flow(invoke(), note(x="1")), "CONTACT_FLOW", "connect-flow: unreachable"),
        (flow(invoke()) | {"Version": "1"}, "CONTACT_FLOW", 'Version is not "2019-10-30"'),
        (flow(invoke()) | {"StartAction": None}, "CONTACT_FLOW", "no StartAction"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_the_rules_refuse_is_refused_before_the_first_block(
    runner: FlowRunner,
    function: FakeLambda,
    content: dict[str, Any],
    flow_type: str,
    rule: str,
) -> None:
    contact = caller()
    if first := content["StartAction"]:
        ahead = note("Ahead", ran="yes") | {"Transitions": _on(first)}
        content = content | {"StartAction": "Ahead", "Actions": [ahead, *content["Actions"]]}
    with pytest.raises(FlowError) as refused:
        runner.run(content, contact, flow_type)
    assert rule in str(refused.value)
    assert (contact.attributes, function.calls) == ({}, [])


@pytest.mark.parametrize("absent", [{}, {"Parameters": None, "Transitions": None}], ids=str)
def test_absent_and_null_are_one_case(runner: FlowRunner, absent: dict[str, Any]) -> None:
    end = {"Identifier": "End", "Type": "EndFlowExecution"} | absent
    content = {"Version": "2019-10-30", "StartAction": "End", "Actions": [end]}
    assert blocks(runner.run(content, caller(), "AGENT_WHISPER")) == ["End"]


def test_every_problem_of_a_flow_is_in_one_error(runner: FlowRunner) -> None:
    wrong = flow(looped_prompts("Loop", next="Invoke"), with_errors(invoke()))
    with pytest.raises(FlowError, match=r"'Loop': .* not allowed .*; 'Invoke': .* NoMatchingError"):
        runner.run(wrong, caller(), "AGENT_WHISPER")


def test_a_module_that_connect_would_refuse_is_refused_at_once(function: FakeLambda) -> None:
    without_settings = {k: v for k, v in module(note(x="1")).items() if k != "Settings"}
    with pytest.raises(FlowError, match="refuse module 'm': a module's content needs Settings"):
        FlowRunner(invoke_lambda=function, modules={"m": without_settings})


def test_a_module_does_not_smuggle_a_prompt_ahead_of_looped_prompts(
    function: FakeLambda, clock: Clock
) -> None:
    says = module(action("Say", "MessageParticipant", {"Text": "x"}))
    runner = FlowRunner(invoke_lambda=function, modules={"m": says}, now=clock)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Loop", on_error="Loop")
    queue = flow(use, looped_prompts("Loop", next=None, on_error=None))
    with pytest.raises(FlowError, match="'Say', a MessageParticipant, may not come before 'Loop'"):
        runner.run(queue, caller(), "CUSTOMER_QUEUE")


def test_the_end_of_a_flow_in_a_module_is_an_error(function: FakeLambda, clock: Clock) -> None:
    ends = module(note(x="1"), end="EndFlowExecution")
    runner = FlowRunner(invoke_lambda=function, modules={"m": ends}, now=clock)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    with pytest.raises(FlowError, match="end a module with EndFlowModuleExecution"):
        runner.run(flow(use), caller(), "CONTACT_FLOW")


def test_a_run_can_stand_before_a_block_and_go_on(runner: FlowRunner) -> None:
    contact = caller()
    say = action("Say", "MessageParticipant", {"Text": "Hello"}, next="After")
    content = flow(note("Before", next="Say", a="1"), say, note("After", b="1"))
    run = runner.start(content, contact, "OUTBOUND_WHISPER")
    assert (blocks(run.steps), contact.attributes) == ([], {})
    run.until("MessageParticipant")
    assert (blocks(run.steps), contact.attributes) == (["Before"], {"a": "1"})
    assert run.to_the_end().branch == "Ends"
    assert blocks(run.steps) == ["Before", "Say", "After", "End"]


def test_a_run_can_stand_before_a_block_of_a_module(function: FakeLambda, clock: Clock) -> None:
    says = module(note("Before", next="Say", a="1"), action("Say", "MessageParticipant", SAY))
    runner = FlowRunner(invoke_lambda=function, modules={"m": says}, now=clock)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    run = runner.start(flow(use), caller(), "OUTBOUND_WHISPER")
    run.until("MessageParticipant")
    assert blocks(run.steps) == ["Use", "Before"]
    run.to_the_end()
    assert [(step.block, step.branch) for step in run.steps] == [
        ("Use", "NextAction"),
        ("Before", "NextAction"),
        ("Say", "NextAction"),
        ("End", "Returns"),
        ("End", "Ends"),
    ]


def test_an_unknown_block_is_never_a_success(runner: FlowRunner) -> None:
    asks = flow(note(next="Ask", x="1"), action("Ask", "GetParticipantInput"))
    with pytest.raises(FlowError, match="'Ask' is a GetParticipantInput, which the runner does"):
        runner.run(asks, caller(), "CONTACT_FLOW")


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


def test_a_failure_without_an_error_branch_is_an_error(runner: FlowRunner) -> None:
    say = action("Say", "MessageParticipant", {"Text": "$.Attributes.absent"}, on_error=None)
    with pytest.raises(FlowError, match="'Say' has no branch for NoMatchingError"):
        runner.run(flow(say), caller(), "CONTACT_FLOW")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Participants", []),
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
    hang_up = module(terminal("Hang up", "DisconnectParticipant"))
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
