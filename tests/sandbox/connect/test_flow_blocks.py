"""Each block does to the contact what Connect's does, or takes its error branch."""

from __future__ import annotations

from typing import Any

import pytest

from connect_flows.action_rules import RULES
from sandbox.connect.contact import Contact, Queue
from sandbox.connect.flow_blocks import BLOCKS
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner, Step
from tests.sandbox.simulated import (
    INSTANCE,
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
    terminal,
)

SALES = Queue(f"{INSTANCE}/queue/2", "Sales")


def run(
    content: dict[str, Any],
    contact: Contact | None = None,
    flow_type: str = "CONTACT_FLOW",
    **options: Any,
) -> list[Step]:
    clock = Clock()
    runner = FlowRunner(
        invoke_lambda=FakeLambda(clock), now=clock, queues={SALES.arn: SALES}, **options
    )
    return runner.run(content, contact or caller(), flow_type)


def branches(path: list[Step]) -> list[tuple[str, str]]:
    return [(step.block, step.branch) for step in path]


def on(result: str, target: str) -> dict[str, Any]:
    return {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [result]}}


def test_the_runner_knows_every_block_of_the_rules_and_no_other() -> None:
    assert set(BLOCKS) | {"InvokeFlowModule"} == set(RULES)


# Event hooks.


def hook(hooks: dict[str, str]) -> dict[str, Any]:
    return action("Set", "UpdateContactEventHooks", {"EventHooks": hooks})


@pytest.mark.parametrize(
    "name",
    [
        "AgentWhisper",
        "CustomerWhisper",
        "CustomerHold",
        "AgentHold",
        "CustomerQueue",
        "CustomerRemaining",
    ],
)
def test_a_hook_stays_with_the_contact(name: str) -> None:
    contact = caller(hooks={name: "older", "DefaultAgentUI": "kept"})
    run(flow(hook({name: "$.Attributes.flow"})), contact)
    assert contact.hooks == {name: "older", "DefaultAgentUI": "kept"}, "the attribute is not there"
    contact.attributes["flow"] = "newer"
    run(flow(hook({name: "$.Attributes.flow"})), contact)
    assert contact.hooks == {name: "newer", "DefaultAgentUI": "kept"}, "the last one wins"


def test_a_hook_without_a_flow_takes_the_error_branch() -> None:
    assert blocks(run(flow(hook({"AgentWhisper": "$.Attributes.absent"})))) == ["Set", "Failed"]


@pytest.mark.parametrize(
    "hooks",
    [
        {},
        {"AgentWhisper": "a", "CustomerWhisper": "b"},
        {"OutboundWhisper": "a"},
        {"Whisper": "a"},
    ],
)
def test_a_block_sets_one_hook_that_connect_has(hooks: dict[str, str]) -> None:
    with pytest.raises(FlowError, match=r"EventHooks|no hook OutboundWhisper"):
        run(flow(hook(hooks)))


# Tags and recording.


def test_tags_come_and_go_with_their_blocks() -> None:
    contact = caller(tags={"kept": "1"})
    tag = action("Tag", "TagContact", {"Tags": {"team": "$.Queue.Name", "vip": "no"}}, next="Untag")
    untag = action("Untag", "UntagContact", {"TagKeys": ["vip", "absent"]})
    assert blocks(run(flow(tag, untag), contact)) == ["Tag", "Untag", "End"]
    assert contact.tags == {"kept": "1", "team": "Billing"}


@pytest.mark.parametrize("tags", [{}, {"aws:x": "1"}, {str(n): "1" for n in range(7)}])
def test_tags_that_connect_refuses_are_errors(tags: dict[str, str]) -> None:
    with pytest.raises(FlowError, match="Tags"):
        run(flow(action("Tag", "TagContact", {"Tags": tags})))


def recording(kind: str, *errors: str) -> dict[str, Any]:
    block = action(
        "Record", kind, {"RecordingBehavior": {"RecordedParticipants": ["Agent", "Customer"]}}
    )
    block["Transitions"]["Errors"] = [{"NextAction": "Failed", "ErrorType": e} for e in errors]
    return block


@pytest.mark.parametrize(
    "block",
    [
        recording("UpdateContactRecordingBehavior"),
        recording(
            "UpdateContactRecordingAndAnalyticsBehavior", "ChannelMismatch", "NoMatchingError"
        ),
    ],
    ids=lambda block: block["Type"],
)
def test_recording_says_whom(block: dict[str, Any]) -> None:
    contact = caller()
    assert blocks(run(flow(block), contact)) == ["Record", "End"]
    assert contact.recorded == ("Agent", "Customer")


def test_recording_of_another_channel_than_voice_is_a_mismatch() -> None:
    block = recording(
        "UpdateContactRecordingAndAnalyticsBehavior", "ChannelMismatch", "NoMatchingError"
    )
    path = run(flow(block), caller(channel="TASK"))
    assert branches(path)[0] == ("Record", "ChannelMismatch")


# Loops and waits.


def loop(count: Any, again: str = "Note") -> dict[str, Any]:
    conditions = [on("ContinueLooping", again), on("DoneLooping", "End")]
    return action(
        "Loop", "Loop", {"LoopCount": count}, next="End", on_error=None, conditions=conditions
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_loop_goes_round_as_often_as_it_says(count: int) -> None:
    path = run(flow(loop(str(count)), note(next="Loop", x="1")))
    assert blocks(path) == [*["Loop", "Note"] * count, "Loop", "End"]
    assert branches(path)[-2] == ("Loop", "Equals DoneLooping")


def test_a_loop_that_is_done_begins_again() -> None:
    outer = loop("1", again="Inner") | {"Identifier": "Outer"}
    inner = loop("2")
    inner["Identifier"] = "Inner"
    inner["Transitions"]["Conditions"][1]["NextAction"] = "Outer"
    inner["Transitions"]["NextAction"] = "Outer"
    path = run(flow(inner, note(next="Inner", x="1"), outer))
    assert blocks(path).count("Note") == 4


def test_a_loop_in_a_module_counts_each_use_of_the_module() -> None:
    round_ = module(loop("2"), note(next="Loop", x="1"))
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Again", on_error="Again")
    again = action("Again", "InvokeFlowModule", {"FlowModuleId": "m"})
    assert blocks(run(flow(use, again), modules={"m": round_})).count("Note") == 4


@pytest.mark.parametrize("count", ["-1", "101", "x", "1.5"])
def test_a_loop_count_that_connect_refuses_is_an_error(count: str) -> None:
    with pytest.raises(FlowError, match="LoopCount"):
        run(flow(loop(count), note(next="Loop", x="1")))


def test_a_loop_count_that_is_no_number_during_the_call_takes_the_error_branch() -> None:
    block = loop("$.Attributes.count")
    block["Transitions"]["Errors"] = [{"NextAction": "Failed", "ErrorType": "NoMatchingError"}]
    content = flow(block, note(next="Loop", x="1"))
    assert blocks(run(content, caller(attributes={"count": "many"}))) == ["Loop", "Failed"]
    assert blocks(run(content, caller(attributes={"count": "1"})))[-1] == "End"


def wait() -> dict[str, Any]:
    return action(
        "Wait",
        "Wait",
        {"TimeLimitSeconds": "600"},
        next="Failed",
        conditions=[on("WaitCompleted", "End")],
    )


@pytest.mark.parametrize(
    ("channel", "flow_type", "branch"),
    [
        ("VOICE", "CONTACT_FLOW", "Equals WaitCompleted"),
        ("VOICE", "CUSTOMER_QUEUE", "NoMatchingError"),
        ("CHAT", "CONTACT_FLOW", "Equals WaitCompleted"),
        ("CHAT", "CUSTOMER_QUEUE", "Equals WaitCompleted"),
    ],
)
def test_a_call_waits_in_inbound_flows_only(channel: str, flow_type: str, branch: str) -> None:
    path = run(flow(wait()), caller(channel=channel), flow_type)
    assert branches(path)[0] == ("Wait", branch)


@pytest.mark.parametrize("flow_type", ["AGENT_WHISPER", "CUSTOMER_HOLD", "AGENT_TRANSFER"])
def test_a_wait_in_any_other_flow_is_refused_and_in_a_module_of_it_fails(flow_type: str) -> None:
    with pytest.raises(FlowError, match="Wait is not allowed"):
        run(flow(wait()), flow_type=flow_type)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    path = run(flow(use), flow_type=flow_type, modules={"m": module(wait())})
    assert branches(path)[1] == ("Wait", "NoMatchingError")


def test_looped_prompts_are_interrupted_as_often_as_the_runner_is_told() -> None:
    queue = flow(
        looped_prompts("Loop", next=None, on_error=None, InterruptFrequencySeconds="30")
        | {"Transitions": {"Conditions": [on("MessagesInterrupted", "Say")]}},
        action("Say", "MessageParticipant", {"Text": "Still here"}, next="Loop", on_error="Loop"),
    )
    path = run(queue, flow_type="CUSTOMER_QUEUE", interruptions=2)
    assert blocks(path) == ["Loop", "Say", "Loop", "Say", "Loop"]
    assert branches(path)[0] == ("Loop", "Equals MessagesInterrupted")
    assert branches(path)[-1] == ("Loop", "Loops")


def test_a_prompt_that_says_nothing_takes_its_error_branch() -> None:
    path = run(flow(action("Say", "MessageParticipant", {"Text": "$.Attributes.absent"})))
    assert (path[0].branch, path[0].detail) == ("NoMatchingError", "nothing to say")


def test_prompts_of_a_hold_are_not_interrupted() -> None:
    interrupting = looped_prompts("Loop", next=None, on_error=None, InterruptFrequencySeconds="30")
    path = run(flow(interrupting), flow_type="CUSTOMER_HOLD", interruptions=2)
    assert branches(path) == [("Loop", "Loops")]


# Transfers.


def set_queue(next: str = "Queue it", **parameters: str) -> dict[str, Any]:
    return action("Set queue", "UpdateContactTargetQueue", parameters, next=next)


def queue_it() -> dict[str, Any]:
    block = action("Queue it", "TransferContactToQueue", next="Failed")
    block["Transitions"]["Errors"].append({"NextAction": "Failed", "ErrorType": "QueueAtCapacity"})
    return block


@pytest.mark.parametrize("parameter", ["QueueId", "AgentId"])
def test_a_contact_is_queued_where_its_target_says(parameter: str) -> None:
    contact = caller(queue=None)
    content = flow(set_queue(**{parameter: "$.Attributes.queue"}), queue_it())
    contact.attributes["queue"] = SALES.arn
    path = run(content, contact)
    assert branches(path)[-1] == ("Queue it", "Transfers to queue")
    assert (path[-1].detail, contact.queue) == ("Sales", SALES)


def test_a_target_that_is_none_takes_the_error_branch() -> None:
    content = flow(set_queue(QueueId="$.Attributes.absent"), queue_it())
    assert blocks(run(content)) == ["Set queue", "Failed"]


@pytest.mark.parametrize("parameters", [{}, {"QueueId": "a", "AgentId": "b"}, {"QueueId": "x"}])
def test_a_target_that_connect_or_the_runner_does_not_know_is_an_error(
    parameters: dict[str, str],
) -> None:
    with pytest.raises(FlowError, match=r"either QueueId or AgentId|no queue 'x'|QueueId"):
        run(flow(set_queue(**parameters), queue_it()))


@pytest.mark.parametrize(
    "changes", [{"queue": None}, {"place": "queue"}, {"place": "agent"}], ids=str
)
def test_a_contact_without_a_queue_or_outside_a_flow_is_not_queued(changes: dict[str, Any]) -> None:
    assert branches(run(flow(queue_it()), caller(**changes)))[0] == ("Queue it", "NoMatchingError")


def test_a_full_queue_is_a_branch_of_its_own() -> None:
    path = run(flow(queue_it()), failing={"Queue it": "QueueAtCapacity"})
    assert branches(path)[0] == ("Queue it", "QueueAtCapacity")


def test_a_queued_contact_can_change_its_queue() -> None:
    move = action("Move", "DequeueContactAndTransferToQueue", {"QueueId": SALES.arn})
    path = run(flow(move), flow_type="CUSTOMER_QUEUE")
    assert [(step.block, step.branch, step.detail) for step in path] == [
        ("Move", "Transfers to queue", "Sales")
    ]


@pytest.mark.parametrize(
    ("changes", "branch"),
    [({}, "Transfers to agent"), ({"agent": None}, "Ends"), ({"channel": "CHAT"}, "Ends")],
    ids=str,
)
def test_a_call_is_transferred_to_the_agent_that_it_has(
    changes: dict[str, Any], branch: str
) -> None:
    content = flow(terminal("Hand over", "TransferContactToAgent"))
    assert branches(run(content, caller(**changes), "AGENT_TRANSFER")) == [("Hand over", branch)]


@pytest.mark.parametrize(
    ("given", "branch"),
    [("menu", "Transfers to flow"), ("$.Attributes.absent", "NoMatchingError")],
)
def test_a_flow_leads_to_another_flow(given: str, branch: str) -> None:
    go = action("Go", "TransferToFlow", {"ContactFlowId": given})
    assert branches(run(flow(go)))[0] == ("Go", branch)


def test_a_transfer_in_a_module_ends_the_flow_that_invoked_it() -> None:
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    path = run(flow(use), modules={"m": module(queue_it())})
    assert branches(path) == [("Use", "Ends"), ("Queue it", "Transfers to queue")]


def test_a_flow_ends_as_the_module_that_ended_it() -> None:
    clock = Clock()
    modules = {"m": module(queue_it())}
    runner = FlowRunner(invoke_lambda=FakeLambda(clock), now=clock, modules=modules)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    ending = runner.start(flow(use), caller(), "CONTACT_FLOW").to_the_end()
    assert ending.branch == "Transfers to queue"


# What the runner does not know.


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            action("Note", "UpdateContactAttributes", {"Attributes": {"a": "b"}}),
            "no TargetContact",
        ),
        (
            action(
                "Note",
                "UpdateContactAttributes",
                {"Attributes": {"a": "b"}, "TargetContact": "Related"},
            ),
            "knows no Related contact",
        ),
        (
            action(
                "Use",
                "InvokeFlowModule",
                {"FlowModuleId": "m"},
                conditions=[on("Found", "End")],
            ),
            "a module's own branches",
        ),
        (action("Use", "InvokeFlowModule", {"FlowModuleId": "absent"}), "no module 'absent'"),
        (invoke(InvocationType="ASYNCHRONOUS"), "SYNCHRONOUS only"),
    ],
)
def test_what_the_runner_does_not_know_is_an_error_and_never_a_success(
    block: dict[str, Any], message: str
) -> None:
    with pytest.raises(FlowError, match=message):
        run(flow(block), modules={"m": module(note(x="1"))})
