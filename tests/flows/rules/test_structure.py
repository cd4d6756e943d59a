"""Where the branches of a flow lead."""

from __future__ import annotations

import pytest

from connect_flows.rules import examine, unknown_types
from tests.flow_builders import END, action, errors, flow, say


def test_a_way_that_leads_nowhere_is_told_with_its_block() -> None:
    hello = say("Hello", to="Nowhere")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="Lost")
    (first, second) = examine(flow(hello), "AGENT_WHISPER")
    assert str(first) == (
        "'Hello' transitions to 'Nowhere', which does not exist "
        "[connect-flow: dangling_transition, AG create-contact-flow]"
    )
    assert (first.action, second.action) == ("Hello", "Hello")


def test_a_start_that_is_not_there_is_refused_and_a_block_that_nothing_leads_to_is_noted() -> None:
    (problem,) = examine(flow(END, StartAction="Begin"), "AGENT_WHISPER")
    assert problem.source == "connect-flow: start_action_missing, AG create-contact-flow"
    assert problem.refuses
    (problem,) = examine(flow(END, action("Other", "EndFlowExecution")), "AGENT_WHISPER")
    assert (problem.action, problem.source) == ("Other", "connect-flow: unreachable")
    assert not problem.refuses


def test_blocks_that_are_drawn_as_one_are_judged_one_by_one() -> None:
    """Or a compound block would be reached as a whole wherever one part of it is."""
    drawn = {"ActionMetadata": {"Start": {"children": ["Start", "Lost"]}, "Lost": {}}}
    content = flow(
        action("Start", "EndFlowExecution"), action("Lost", "EndFlowExecution"), Metadata=drawn
    )
    (problem,) = examine(content, "AGENT_WHISPER")
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
    assert examine(flow(END, Metadata=metadata), "AGENT_WHISPER") == []


def test_every_problem_is_told_at_once_and_each_one_once() -> None:
    content = flow(
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        Version="1",
    )
    assert [(problem.action, problem.source) for problem in examine(content, "MODULE")] == [
        ("", "DG flow-language-example"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG contact-actions-updatecontactattributes"),
        ("a:b", "connect-flow: dangling_transition, AG create-contact-flow"),
    ]


def test_an_action_that_the_table_does_not_have_is_said_to_be_unchecked() -> None:
    content = flow(
        action("Ask", "GetParticipantInput", {}, NextAction="Mail", Errors=errors("Anything")),
        action("Mail", "StartOutboundEmailContact", {}, NextAction="End"),
        END,
    )
    assert examine(content, "AGENT_HOLD") == []
    assert unknown_types(content) == ["GetParticipantInput", "StartOutboundEmailContact"]
    assert unknown_types(flow(END)) == []
