"""Text that is no flow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connect_flows.action_rules import RULES
from connect_flows.flow_content import NotAFlow, parse
from connect_flows.flow_types import FLOW_TYPES
from connect_flows.rules import check, unknown_types
from tests.flow_builders import END, Json, action, flow, published
from tests.flows.rules.rule_rows import TABLE, subject

NO_FLOWS = {
    "nothing": ("", "it is empty"),
    "blanks": (" \n\t", "it is empty"),
    "words": ("Hello", "it is not JSON: Expecting value: line 1"),
    "half a flow": (json.dumps(flow(END))[:-20], "it is not JSON: "),
    "two flows": (json.dumps(flow(END)) * 2, "it is not JSON: Extra data"),
    "a number that is none": (json.dumps(flow(END, x=float("nan"))), "it is not JSON: "),
    "half a character": (json.dumps(flow(END, x="\ud83d")), "it is not JSON: "),
    "a number of 5000 digits": ("1" * 5_000, "it is not JSON: "),
    "a deep well": ("[" * 100_000, "it is not JSON: "),
    "a list": ("[]", "it is not a flow: a flow is a JSON object"),
    "null": ("null", "it is not a flow: a flow is a JSON object"),
    "a flow in a string": (json.dumps(json.dumps(flow(END))), "it is a JSON string: .*--output"),
    "an object": ("{}", "it is not a flow: it has no StartAction"),
    "a package": ('{"name": "x", "version": "1"}', "it is not a flow: it has no StartAction"),
    "a start that is no name": (json.dumps(flow(END, StartAction=1)), "it has no StartAction"),
    "no actions": (json.dumps(flow(END, Actions={})), "it has no list of Actions"),
    "an answer for a flow": (
        json.dumps({"ContactFlow": {"Content": "{}"}}),
        "the answer of DescribeContactFlow: give only ContactFlow.Content",
    ),
    "an answer for a module": (
        json.dumps({"ContactFlowModule": {"Content": "{}"}}),
        "the answer of DescribeContactFlowModule: give only ContactFlowModule.Content",
    ),
    "the legacy format": (
        json.dumps({"modules": [], "version": "1", "start": "x"}),
        "legacy format .*: import it in the flow designer, save it, and export it again",
    ),
}


@pytest.mark.parametrize("name", NO_FLOWS)
def test_text_that_is_no_flow_is_told_from_one_and_what_to_do(name: str) -> None:
    text, message = NO_FLOWS[name]
    with pytest.raises(NotAFlow, match=message) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "End",
        {},
        {"Identifier": "End"},
        {"Identifier": 1, "Type": "EndFlowExecution"},
        {"Identifier": "End", "Type": ["EndFlowExecution"]},
        END | {"Parameters": ["x"]},
        END | {"Transitions": "x"},
        END | {"Transitions": {"NextAction": 1}},
        END | {"Transitions": {"Errors": {"a": 1}}},
        END | {"Transitions": {"Errors": [None]}},
        END | {"Transitions": {"Errors": [{"ErrorType": "NoMatchingError"}]}},
        END | {"Transitions": {"Errors": [{"NextAction": "End"}]}},
        END | {"Transitions": {"Errors": [{"NextAction": None, "ErrorType": "x"}]}},
        END | {"Transitions": {"Conditions": 1}},
        END | {"Transitions": {"Conditions": [{"Condition": {}}]}},
    ],
)
def test_an_action_that_is_none_is_told_by_its_number(broken: object) -> None:
    with pytest.raises(NotAFlow, match=r"its Actions\[1\] is not an action"):
        parse(json.dumps(flow(END, Actions=[END, broken])))


def test_parameters_and_transitions_may_be_absent_or_null() -> None:
    for nothing in ({}, {"Parameters": None, "Transitions": None}):
        content = flow({"Identifier": "End", "Type": "EndFlowExecution"} | nothing)
        assert check(parse(json.dumps(content)), "AGENT_WHISPER") == []
    nulls = {"NextAction": None, "Errors": None, "Conditions": None}
    assert (
        check(parse(json.dumps(flow(action("End", "EndFlowExecution", **nulls)))), "AGENT_HOLD")
        == []
    )


def test_the_published_file_in_the_legacy_format_is_recognised() -> None:
    with pytest.raises(NotAFlow, match="legacy format"):
        parse(published("legacy-format-realtime-transcription.json"))


KEYS = [
    "Version",
    "StartAction",
    "Actions",
    "Metadata",
    "ActionMetadata",
    "Identifier",
    "Type",
    "Parameters",
    "Transitions",
    "NextAction",
    "Errors",
    "ErrorType",
    "Conditions",
    "Condition",
    "Operator",
    "Operands",
    "children",
    "Settings",
    "ContactFlow",
    "modules",
    "LambdaFunctionARN",
    "InvocationTimeLimitSeconds",
    "ResponseValidation",
    "EventHooks",
    "Participants",
]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)


words = st.sampled_from([*RULES, *KEYS, "End", "Enabled", "$.External.x"])


anything = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


@st.composite
def nearly_flows(draw: st.DrawFn) -> Json:
    """A flow in which something, or something more, is anything."""
    kinds = draw(st.lists(st.sampled_from(sorted(TABLE)), min_size=1, max_size=4))
    subjects = [subject(kind)["Actions"][0] for kind in kinds]
    content: Json = json.loads(json.dumps(flow(*subjects, END)))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = content
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
                place[key] = draw(anything)
                break
            place = place[key]
    return content


def judge(text: str) -> None:
    try:
        content = parse(text)
    except NotAFlow as refused:
        assert "\n" not in str(refused)
        return
    assert unknown_types(content) == sorted(unknown_types(content))
    for type in sorted(FLOW_TYPES | {"MODULE"}):
        for problem in check(content, type):
            assert problem.rule
            assert problem.source
            assert "\n" not in str(problem)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text() | anything.map(json.dumps) | nearly_flows().map(json.dumps))
def test_whatever_the_text_is_it_is_judged_and_nothing_else_is_raised(text: str) -> None:
    judge(text)
