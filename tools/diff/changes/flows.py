"""A flow's change by its blocks, as `connect_flow` compares them: neither text nor drawing."""

from __future__ import annotations

import json
from typing import Any

import connect_flow.diff
import connect_flow.flow

from tools.diff.values import both, code, differences

FLOWS = frozenset({"AWS::Connect::ContactFlow", "AWS::Connect::ContactFlowModule"})


def flow_changes(old: str, new: str) -> tuple[str, ...] | None:
    """A line in Markdown for each block that differs.

    :param old: The content before, flow language as JSON.
    :param new: The content after.
    :returns: None if one of them is not a flow.
    """
    try:
        return _lines(old, new)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None


def _lines(old: str, new: str) -> tuple[str, ...]:
    base, head = connect_flow.flow.parse(old), connect_flow.flow.parse(new)
    found = connect_flow.diff.compare(base, head, label_a="", label_b="", functional=True)
    if found.identical:
        return ("drawn otherwise; it does the same",)
    before = {each["Identifier"]: each for each in base.actions}
    after = {each["Identifier"]: each for each in head.actions}
    lines = [f"**added** {_block(after[id])}{_place(id, after)}" for id in found.added]
    lines += [f"**removed** {_block(before[id])}{_place(id, before)}" for id in found.removed]
    for id in found.changed:
        parts = ", ".join(_differences(before[id], after[id]))
        lines.append(f"**changed** {_block(after[id])}: {parts}")
    if found.flow_level_changed:
        parts = ", ".join(_differences(_whole(base.data), _whole(head.data)))
        lines.append(f"**changed** the flow itself: {parts}")
    return tuple(lines)


def _block(action: Any) -> str:
    return f"{code(action['Identifier'])} ({code(action['Type'])})"


def _place(id: str, actions: dict[str, Any]) -> str:
    """Between which blocks it stands."""
    before = [other for other in actions if id in _ways(actions[other])]
    after = list(dict.fromkeys(_ways(actions[id])))
    return "".join(
        f", {word} {', '.join(map(code, blocks))}"
        for word, blocks in (("after", before), ("before", after))
        if blocks
    )


def _ways(action: Any) -> list[str]:
    """The blocks that can follow it."""
    transitions = action.get("Transitions", {})
    branches = [*transitions.get("Conditions", []), *transitions.get("Errors", [])]
    return [each["NextAction"] for each in (transitions, *branches) if "NextAction" in each]


def _differences(old: Any, new: Any) -> list[str]:
    before, after = _by_way(old), _by_way(new)
    lines = [
        f"{code(' '.join(map(str, path)))} {both(_text(a), _text(b))}"
        for path, a, b in differences(_rest(old), _rest(new))
    ]
    return lines + [
        f"{way} {both(_text(before.get(way)), _text(after.get(way)))}"
        for way in dict.fromkeys((*before, *after))
        if before.get(way) != after.get(way)
    ]


def _by_way(action: Any) -> dict[str, Any]:
    """A block's transitions, each under its own name in Markdown, not under its place in a list."""
    transitions = action.get("Transitions")
    if not isinstance(transitions, dict):  # the flow itself, whose exits are a list
        return {}
    ways = {"goes on to": transitions.get("NextAction")}
    for error in transitions.get("Errors", []):
        ways[f"on {code(error['ErrorType'])} to"] = error["NextAction"]
    for branch in transitions.get("Conditions", []):
        ways[f"if {code(json.dumps(branch.get('Condition')))} to"] = branch["NextAction"]
    return ways


def _rest(action: Any) -> Any:
    if not isinstance(action.get("Transitions"), dict):
        return action
    rest = {key: value for key, value in action.items() if key not in ("Transitions", "Parameters")}
    return rest | action.get("Parameters", {})


def _whole(data: Any) -> Any:
    return {key: value for key, value in data.items() if key not in ("Actions", "Metadata")}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
