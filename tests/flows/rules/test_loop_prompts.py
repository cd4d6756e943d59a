"""What may not come before Loop prompts."""

from __future__ import annotations

import pytest

from connect_flows.rules import examine
from tests.flow_builders import END, Json, action, condition, errors, flow, music, say
from tests.flows.rules.rule_rows import TABLE, Row, lambda_, rules

FORBIDDEN = {
    "DequeueContactAndTransferToQueue": "CUSTOMER_QUEUE",
    "GetParticipantInput": "CUSTOMER_QUEUE",
    "Loop": "CUSTOMER_HOLD",
    "MessageParticipant": "CUSTOMER_QUEUE",
    "TransferContactToQueue": "MODULE",
    "TransferParticipantToThirdParty": "CUSTOMER_QUEUE",
    "UpdateContactMediaStreamingBehavior": "CUSTOMER_QUEUE",
}


def before_music(kind: str, to: str = "Music") -> Json:
    row = TABLE.get(kind, Row("", ""))
    transitions: Json = {"NextAction": to, "Errors": errors(*row.errors.split(), to=to)}
    if row.operands:
        transitions["Conditions"] = [condition(each, to=to) for each in row.operands.split()]
    return action("Subject", kind, **transitions)


@pytest.mark.parametrize(("kind", "type"), FORBIDDEN.items())
def test_these_may_not_come_before_loop_prompts(kind: str, type: str) -> None:
    rule = f"Subject: {kind} may not come before Loop prompts ('Music')"
    assert rules(examine(flow(before_music(kind), music()), type)) == [rule]
    earlier = [
        action("First", "UpdateFlowLoggingBehavior", NextAction="Subject"),
        before_music(kind, to="Then"),
        action("Then", "UpdateFlowLoggingBehavior", NextAction="Invoke"),
        lambda_("Invoke", to="Music"),
        music(),
    ]
    assert rules(examine(flow(*earlier), type)) == [rule]


@pytest.mark.parametrize("type", ["CUSTOMER_QUEUE", "CUSTOMER_HOLD", "AGENT_HOLD", "MODULE"])
def test_a_lambda_block_may_come_before_loop_prompts_and_they_may_end_the_flow(type: str) -> None:
    assert examine(flow(lambda_("Invoke", to="Music"), music()), type) == []


def test_an_error_branch_counts_as_a_way_to_loop_prompts() -> None:
    hello = say("Hello", to="End")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="Music")
    assert rules(examine(flow(hello, music(), END), "CUSTOMER_QUEUE")) == [
        "Hello: MessageParticipant may not come before Loop prompts ('Music')"
    ]


def test_what_comes_behind_loop_prompts_may_lead_back_to_them() -> None:
    """As in Connect's *Sample interruptible queue flow with callback*."""
    interrupted = condition("MessagesInterrupted", to="Hello")
    loop = music(NextAction="End", Conditions=[interrupted])
    assert examine(flow(loop, say("Hello", to="Music"), END), "CUSTOMER_QUEUE") == []


def test_each_of_several_loop_prompts_is_told() -> None:
    hello = say("Hello", to="Music")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="More music")
    found = rules(examine(flow(hello, music(), music("More music")), "CUSTOMER_QUEUE"))
    assert found == [
        "Hello: MessageParticipant may not come before Loop prompts ('More music')",
        "Hello: MessageParticipant may not come before Loop prompts ('Music')",
    ]
