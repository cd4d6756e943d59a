"""Limits of a flow."""

from __future__ import annotations

import json

import pytest

from connect_flows.rules import examine
from tests.flow_builders import END, action, flow
from tests.flows.rules.rule_rows import rules


@pytest.mark.parametrize(("count", "taken"), [(1, True), (250, True), (251, False), (0, False)])
def test_a_flow_has_up_to_250_actions(count: int, taken: bool) -> None:
    """One ends it, the others lead to each other."""
    names = [f"Log {number}" for number in range(count - 1)]
    blocks = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "End"], strict=False)
    ]
    found = rules(examine(flow(*blocks, *([END] if count else [])), "AGENT_WHISPER"))
    assert (found == []) is taken
    assert taken or found[0] == f": it has {count} actions, not 1 to 250"


def named(name: str) -> list[str]:
    """What is said of a flow with one block, of this name."""
    return rules(examine(flow(action(name, "EndFlowExecution")), "AGENT_WHISPER"))


@pytest.mark.parametrize(
    "name", ["E", "é" * 50, "Größe & Farbe 中文 'x' \"y\"!?*+-_.@#^|~<>", "__proto"]
)
def test_an_identifier_is_one_to_fifty_characters_of_any_script(name: str) -> None:
    assert named(name) == []


@pytest.mark.parametrize("name", ["", "x" * 51])
def test_an_identifier_is_no_longer_and_not_empty(name: str) -> None:
    assert named(name) == [f"{name}: the identifier has {len(name)} characters, not 1 to 50"]


@pytest.mark.parametrize("character", "%:(\\/)=$,;[]{}")
def test_an_identifier_holds_none_of_these_characters(character: str) -> None:
    name = f"Say{character}it"
    assert named(name) == [f"{name}: the identifier holds one of % : ( \\ / ) = $ , ; [ ] {{ }}"]


@pytest.mark.parametrize(
    "word",
    [
        "__proto__",
        "constructor",
        "__defineGetter__",
        "__defineSetter__",
        "toString",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "valueOf",
    ],
)
def test_an_identifier_is_none_of_these_words(word: str) -> None:
    assert named(word) == [f"{word}: no action may have this identifier"]
    assert named(f"{word} 2") == []


def test_identifiers_are_unique() -> None:
    assert rules(examine(flow(END, END, END), "AGENT_WHISPER")) == [
        "End: 3 actions have this identifier"
    ]


@pytest.mark.parametrize(
    ("length", "margin", "taken"),
    [
        (256_000, 0, True),
        (256_001, 0, False),
        (200_000, 56_000, True),
        (200_001, 56_000, False),
    ],
)
def test_content_has_at_most_256000_characters_less_a_margin(
    length: int, margin: int, taken: bool
) -> None:
    content = flow(END, Description="")
    content["Description"] = "ü" * (
        length - len(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
    )
    rule = f": it is {length} characters long, more than {256_000 - margin}: move a part of it into"
    found = rules(examine(content, "AGENT_WHISPER", margin=margin))
    assert found == ([] if taken else [f"{rule} a module"])


@pytest.mark.parametrize("version", ["2020-01-01", "", None, 20191030])
def test_there_is_one_version(version: object) -> None:
    expected = [': Version is not "2019-10-30"']
    assert rules(examine(flow(END, Version=version), "AGENT_WHISPER")) == expected


@pytest.mark.parametrize("given", [None, "", []])
def test_a_module_needs_settings_and_a_flow_does_not(given: object) -> None:
    content = flow(action("Return", "EndFlowModuleExecution"), Settings=given)
    assert rules(examine(content, "MODULE")) == [
        ": a module's content needs Settings at its top level"
    ]
    del content["Settings"]
    assert len(examine(content, "MODULE")) == 1
    without = flow(END)
    del without["Settings"]
    assert examine(without, "AGENT_WHISPER") == []


def test_a_type_that_is_none_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"no flow type 'WHISPER'; write one of AGENT_HOLD, AGENT"):
        examine(flow(END), "WHISPER")
