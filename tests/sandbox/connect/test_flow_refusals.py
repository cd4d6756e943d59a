"""What Connect would refuse, the flow runner refuses, and names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import MAX_STEPS, FlowRunner
from tests.sandbox.simulated import (
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
)


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
