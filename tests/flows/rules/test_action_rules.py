"""The rule of each action type."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from connect_flows.action_rules import RULES
from connect_flows.rules import check, examine
from tests.flow_builders import END, action, condition, errors, flow
from tests.flows.rules.rule_rows import ERRORS, LETTERS, TABLE, somewhere, subject, told

every_action = pytest.mark.parametrize("kind", TABLE)


def test_the_table_has_these_actions_and_no_other() -> None:
    assert set(RULES) == set(TABLE)


@pytest.mark.parametrize(("kind", "type"), list(product(TABLE, LETTERS.values())))
def test_an_action_is_taken_where_it_belongs_and_refused_elsewhere(kind: str, type: str) -> None:
    problems = examine(subject(kind), type)
    if type in TABLE[kind].flow_types:
        assert problems == []
    else:
        # For Wait, the sources disagree.
        level = "noted" if kind == "Wait" else "refused"
        assert told(problems) == [(level, f"{kind} is not allowed in a flow of type {type}")]
        assert TABLE[kind].source in problems[0].source
        assert str(problems[0]).startswith(f"'Subject': {kind} is not allowed")
        assert str(problems[0]).endswith(f" [{problems[0].source}]")


@pytest.mark.parametrize(
    ("kind", "error"), [(k, e) for k, row in TABLE.items() for e in row.errors.split()]
)
def test_each_error_that_the_api_wants_or_its_page_lists_must_lead_somewhere(
    kind: str, error: str
) -> None:
    others = [each for each in TABLE[kind].errors.split() if each != error]
    content = subject(kind, Errors=errors(*others))
    expected = {
        "refused": f"{kind} must lead somewhere on the error {error}",
        "noted": f"{kind} leads nowhere on the error {error}",
    }
    level = TABLE[kind].missing
    assert told(examine(content, somewhere(kind))) == [(level, expected[level])]


@pytest.mark.parametrize(("kind", "error"), list(product(TABLE, ERRORS)))
def test_an_error_that_no_source_knows_there_is_noted_and_some_are_refused(
    kind: str, error: str
) -> None:
    row = TABLE[kind]
    content = subject(kind, Errors=errors(*{*row.errors.split(), error}), NextAction=None)
    if row.next != "none":
        content["Actions"][0]["Transitions"]["NextAction"] = "End"
    expected = [("noted", f"{kind} has the error {error!r}, which its page does not list")]
    if error in row.refused_errors.split():
        expected = [("refused", f"{kind} may not have the error {error!r}")]
    if row.next == "none":
        expected.append(("noted", f"{kind} leads on, although the flow ends there"))
    taken = error in f"{row.errors} {row.more_errors}".split()
    assert told(examine(content, somewhere(kind))) == ([] if taken else expected)


@every_action
@pytest.mark.parametrize("nothing", [None, ""])
def test_where_the_way_on_is_required_its_absence_is_refused(
    kind: str, nothing: str | None
) -> None:
    found = told(examine(subject(kind, NextAction=nothing), somewhere(kind)))
    required = TABLE[kind].next == "required"
    assert found == ([("refused", f"{kind} must have a NextAction")] if required else [])


@pytest.mark.parametrize("kind", [kind for kind, row in TABLE.items() if row.next == "none"])
def test_an_action_that_ends_the_flow_and_leads_on_is_noted(kind: str) -> None:
    for transitions in ({"NextAction": "End"}, {"Conditions": [condition("x")]}):
        found = told(examine(flow(action("Subject", kind, **transitions), END), somewhere(kind)))
        assert ("noted", f"{kind} leads on, although the flow ends there") in found


@every_action
def test_conditions_are_taken_where_the_api_supports_them(kind: str) -> None:
    row = TABLE[kind]
    if row.next == "none":
        return  # said above
    operands = row.operands.split() or ["MessagesInterrupted"]
    content = subject(kind, Conditions=[condition(operand) for operand in operands])
    assert told(examine(content, somewhere(kind))) == (
        [] if row.conditions else [("refused", f"{kind} may not have conditions")]
    )


@pytest.mark.parametrize(
    ("kind", "operand"), [(k, o) for k, row in TABLE.items() for o in row.operands.split()]
)
def test_a_condition_that_its_page_lists_and_that_is_not_there_is_noted(
    kind: str, operand: str
) -> None:
    others = [each for each in TABLE[kind].operands.split() if each != operand]
    content = subject(kind, Conditions=[condition(other) for other in others])
    assert told(examine(content, somewhere(kind))) == [
        ("noted", f"{kind} has no condition for {operand}")
    ]


@pytest.mark.parametrize(
    "operator",
    [
        "Equals",
        "KeyExists",
        "TextStartsWith",
        "TextEndsWith",
        "TextContains",
        "NumberGreaterThan",
        "NumberGreaterOrEqualTo",
        "NumberLessThan",
        "NumberLessOrEqualTo",
    ],
)
def test_the_operators_of_the_flow_language_are_taken(operator: str) -> None:
    content = subject("Compare", Conditions=[condition("1", operator=operator)])
    assert examine(content, "CONTACT_FLOW") == []


@pytest.mark.parametrize("operator", ["Contains", "NotEquals", "equals", "", None, ["Equals"], 1])
def test_any_other_operator_is_noted(operator: Any) -> None:
    content = subject("Compare", Conditions=[condition("1", operator=operator)])
    assert told(examine(content, "CONTACT_FLOW")) == [
        (
            "noted",
            f"Compare has a condition with the operator {str(operator)!r}, which no page lists",
        )
    ]


@pytest.mark.parametrize("broken", [None, "Equals", [], 1])
def test_a_condition_that_is_none_is_noted(broken: Any) -> None:
    content = subject("Compare", Conditions=[{"NextAction": "End", "Condition": broken}])
    assert told(examine(content, "CONTACT_FLOW")) == [
        ("noted", "Compare has a condition with the operator 'None', which no page lists")
    ]


def test_conditions_joined_by_an_operator_that_no_page_names_are_let_through() -> None:
    joined = condition(condition("a")["Condition"], condition("b")["Condition"], operator="OR")
    assert examine(subject("Compare", Conditions=[joined]), "CONTACT_FLOW") == []


def test_a_compare_without_conditions_is_noted() -> None:
    (problem,) = examine(subject("Compare", Conditions=[]), "CONTACT_FLOW")
    assert (problem.source, problem.refuses) == ("connect-flow: empty_conditions", False)


def test_a_check_leaves_the_notes_out() -> None:
    content = subject("Compare", Conditions=[])
    assert check(content, "CONTACT_FLOW") == []
    content["Actions"][0]["Transitions"]["NextAction"] = "Nowhere"
    (problem,) = check(content, "CONTACT_FLOW")
    assert problem in examine(content, "CONTACT_FLOW")
