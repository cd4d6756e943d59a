"""Reads a flow's content, and follows the branches of its actions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Content = Mapping[str, Any]
Action = Mapping[str, Any]


class NotAFlow(ValueError):
    """The text is not a flow. The message says what it is and what to do."""


def parse(text: str) -> dict[str, Any]:
    """The content in a file or a template.

    :raises NotAFlow: if it is not a flow in the language of Version 2019-10-30.
    """
    if not text.strip():
        raise NotAFlow("it is empty: export the flow again")
    try:
        content = json.loads(text)
        # Python accepts what is not JSON: NaN, and halves of surrogate pairs.
        json.dumps(content, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotAFlow(f"it is not JSON: {error}") from None
    if isinstance(content, str):
        raise NotAFlow("it is a JSON string: with the AWS command line, ask for --output text")
    if not isinstance(content, dict):
        raise NotAFlow("it is not a flow: a flow is a JSON object")
    if "modules" in content and "Actions" not in content:
        raise NotAFlow(
            "it is in the legacy format (modules, branches), which the API refuses: import it in "
            "the flow designer, save it, and export it again"
        )
    for answer in ("ContactFlow", "ContactFlowModule"):
        if isinstance(content.get(answer), dict):
            raise NotAFlow(f"it is the answer of Describe{answer}: give only {answer}.Content")
    if not isinstance(content.get("StartAction"), str):
        raise NotAFlow("it is not a flow: it has no StartAction")
    if not isinstance(content.get("Actions"), list):
        raise NotAFlow("it is not a flow: it has no list of Actions")
    for number, action in enumerate(content["Actions"]):
        if not _is_action(action):
            raise NotAFlow(
                f"its Actions[{number}] is not an action: an action has Identifier, Type, "
                "Parameters, and Transitions in which every branch has a NextAction"
            )
    return content


def targets(action: Action) -> Iterator[str]:
    """The identifiers of the actions to which the branches of an action lead."""
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield transitions["NextAction"]
    for branch in (*(transitions.get("Errors") or ()), *(transitions.get("Conditions") or ())):
        yield branch["NextAction"]


def reachable(names: Iterable[str], actions: Mapping[str, Action], *, until: str = "") -> set[str]:
    """These actions and all actions that they lead to.

    :param until: Do not go on after an action of this type.
    """
    found: set[str] = set()
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name in actions and name not in found:
            found.add(name)
            if actions[name]["Type"] != until:
                ahead.extend(targets(actions[name]))
    return found


def _is_action(action: object) -> bool:
    if not isinstance(action, dict):
        return False
    transitions, parameters = action.get("Transitions") or {}, action.get("Parameters") or {}
    if not isinstance(transitions, dict) or not isinstance(parameters, dict):
        return False
    errors, conditions = (transitions.get(name) or [] for name in ("Errors", "Conditions"))
    return (
        isinstance(action.get("Identifier"), str)
        and isinstance(action.get("Type"), str)
        and isinstance(transitions.get("NextAction") or "", str)
        and isinstance(errors, list)
        and isinstance(conditions, list)
        and all(
            isinstance(branch, dict) and isinstance(branch.get("NextAction"), str)
            for branch in (*errors, *conditions)
        )
        and all(isinstance(error.get("ErrorType"), str) for error in errors)
    )
