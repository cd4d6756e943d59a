"""Where the branches of a flow lead."""

from __future__ import annotations

import pytest

from connect_flows.rules import check, unknown_types
from tests.flow_builders import END, action, errors, flow, say


def test_a_way_that_leads_nowhere_is_told_with_its_block() -> None:
    hello = say("Hello", to="Nowhere")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="Lost")
    (first, second) = check(flow(hello), "AGENT_WHISPER")
    assert str(first) == (
        "'Hello' transitions to 'Nowhere', which does not exist [connect-flow: dangling_transition]"
    )
    assert (first.action, second.action) == ("Hello", "Hello")


def test_a_start_that_is_not_there_and_a_block_that_nothing_leads_to_are_told() -> None:
    (problem,) = check(flow(END, StartAction="Begin"), "AGENT_WHISPER")
    assert problem.source == "connect-flow: start_action_missing"
    (problem,) = check(flow(END, action("Other", "EndFlowExecution")), "AGENT_WHISPER")
    assert (problem.action, problem.source) == ("Other", "connect-flow: unreachable")


def test_blocks_that_are_drawn_as_one_are_judged_one_by_one() -> None:
    """Or a compound block would be reached as a whole wherever one part of it is."""
    drawn = {"ActionMetadata": {"Start": {"children": ["Start", "Lost"]}, "Lost": {}}}
    content = flow(
        action("Start", "EndFlowExecution"), action("Lost", "EndFlowExecution"), Metadata=drawn
    )
    (problem,) = check(content, "AGENT_WHISPER")
    assert (problem.action, problem.source) == ("Lost", "connect-flow: unreachable")


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        "x",
        {"ActionMetadata": None},
        {"ActionMetadata": {"End": None}},
        {"ActionMetadata": {"End": {"children": [[1], None, "x"]}}},
    ],
)
def test_metadata_are_free(metadata: object) -> None:
    assert check(flow(END, Metadata=metadata), "AGENT_WHISPER") == []


def test_every_problem_is_told_at_once_and_each_one_once() -> None:
    content = flow(
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        Version="1",
    )
    assert [(problem.action, problem.source) for problem in check(content, "MODULE")] == [
        ("", "DG flow-language-example"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG contact-actions-updatecontactattributes"),
        ("a:b", "connect-flow: dangling_transition"),
    ]


def test_an_action_that_the_table_does_not_have_is_said_to_be_unchecked() -> None:
    content = flow(
        action("Ask", "GetParticipantInput", {}, NextAction="Mail", Errors=errors("Anything")),
        action("Mail", "StartOutboundEmailContact", {}, NextAction="End"),
        END,
    )
    assert check(content, "AGENT_HOLD") == []
    assert unknown_types(content) == ["GetParticipantInput", "StartOutboundEmailContact"]
    assert unknown_types(flow(END)) == []
