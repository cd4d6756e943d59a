"""Lambda blocks in a chain share twenty seconds."""

from __future__ import annotations

import pytest

from connect_flows.rules import examine
from tests.flow_builders import END, action, errors, flow, say
from tests.flows.rules.rule_rows import ERRORS, lambda_, rules

CHAIN = (
    "a chain of Lambda blocks that begins here may take more than 20 s: put a prompt between them, "
    "or lower their limits"
)


@pytest.mark.parametrize(
    ("limits", "taken"),
    [("884", True), ("885", False), ("8444", True), ("8445", False), ("1" * 20, True)],
)
def test_lambda_blocks_in_a_chain_have_20_seconds_together(limits: str, taken: bool) -> None:
    names = [f"Invoke {number}" for number in range(len(limits))]
    chain = [
        lambda_(name, seconds, to=to)
        for name, seconds, to in zip(names, limits, [*names[1:], "End"], strict=True)
    ]
    found = rules(examine(flow(*chain, END), "CONTACT_FLOW"))
    assert found == ([] if taken else [f"Invoke 0: {CHAIN}"])


def test_a_prompt_begins_a_new_chain() -> None:
    blocks = [
        lambda_("One", to="Two"),
        lambda_("Two", to="Please wait"),
        say("Please wait", to="Three"),
        lambda_("Three", to="Four"),
        lambda_("Four"),
    ]
    assert examine(flow(*blocks, END), "CONTACT_FLOW") == []
    blocks[1] = lambda_("Two", to="Three")
    blocks.pop(2)
    assert rules(examine(flow(*blocks, END), "CONTACT_FLOW")) == [f"One: {CHAIN}"]


@pytest.mark.parametrize("branch", ["NextAction", "Errors"])
def test_a_chain_goes_on_along_either_branch(branch: str) -> None:
    names = ["One", "Two", "Three"]
    blocks = [lambda_(name) for name in names]
    for block, following in zip(blocks, names[1:], strict=False):
        if branch == "NextAction":
            block["Transitions"]["NextAction"] = following
        else:
            block["Transitions"]["Errors"] = errors("NoMatchingError", to=following)
    assert rules(examine(flow(*blocks, END), "CONTACT_FLOW")) == [f"One: {CHAIN}"]


def test_a_lambda_block_that_leads_back_to_itself_has_no_limit() -> None:
    retry = lambda_("Retry", "1")
    retry["Transitions"]["Errors"] = errors("NoMatchingError", to="Retry")
    assert rules(examine(flow(retry, END), "CONTACT_FLOW")) == [f"Retry: {CHAIN}"]


def test_a_circle_of_lambda_blocks_is_told_once_and_so_is_another_chain() -> None:
    blocks = [
        action("Which", "UpdateFlowLoggingBehavior", NextAction="A"),
        lambda_("A", "2", to="B"),
        lambda_("B", "2", to="A"),
    ]
    assert rules(examine(flow(*blocks), "CONTACT_FLOW")) == [f"A: {CHAIN}"]
    blocks[0] = action("Which", "MessageParticipant", NextAction="A", Errors=errors(ERRORS[0]))
    blocks[0]["Transitions"]["Errors"][0]["NextAction"] = "X"
    blocks += [lambda_("X", to="Y"), lambda_("Y", to="Z"), lambda_("Z")]
    found = rules(examine(flow(*blocks, END), "CONTACT_FLOW"))
    assert sorted(found) == [f"A: {CHAIN}", f"X: {CHAIN}"]


def test_a_circle_with_a_prompt_in_it_is_no_chain() -> None:
    blocks = [lambda_("Ask", to="Wait"), say("Wait", to="Ask")]
    assert examine(flow(*blocks), "CONTACT_FLOW") == []


def test_a_long_and_branching_chain_is_judged_at_once() -> None:
    """Every path by itself would be more than there are atoms."""
    names = [f"Invoke {number}" for number in range(600)]
    blocks = [lambda_(name, "1") for name in names]
    for number, block in enumerate(blocks[:-2]):
        block["Transitions"]["NextAction"] = names[number + 1]
        block["Transitions"]["Errors"] = errors("NoMatchingError", to=names[number + 2])
    blocks[-2]["Transitions"]["NextAction"] = names[-1]
    found = rules(examine(flow(*blocks, END), "CONTACT_FLOW"))
    assert found == [": it has 601 actions, not 1 to 250", f"Invoke 0: {CHAIN}"]
