"""A block that a flow of its type may not have takes its error branch."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner, Step
from tests.sandbox.simulated import (
    Clock,
    FakeLambda,
    action,
    blocks,
    caller,
    flow,
    invoke,
    looped_prompts,
    module,
    streaming,
    terminal,
)


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
