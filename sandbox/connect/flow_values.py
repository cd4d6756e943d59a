"""Values in a flow: JSONPaths, what a participant hears, and how conditions compare."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.connect.flow_outcome import FlowError

_PATH = re.compile(r"\$(?:\.[^.\[\]$]+|\['[^']+'\])+")
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\['([^']+)'\]")
_PATH_IN_TEXT = re.compile(r"\$(?:\.\w+|\['[^']+'\])+")


def is_path(value: object) -> bool:
    """Whether the value is one JSONPath and nothing else."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def look_up(value: Any, known: Mapping[str, Any]) -> Any:
    """The value that Connect puts in place of a JSONPath; None if there is none.

    :param value: A static value, a JSONPath, or a map of them.
    :param known: The values of the roots of paths.
    """
    if isinstance(value, Mapping):
        return {key: look_up(inner, known) for key, inner in value.items()}
    if not isinstance(value, str) or not value.startswith(("$.", "$[")):
        return value
    if not is_path(value):
        raise FlowError(f"{value!r} is not a JSONPath that a flow takes")
    keys = [dotted or quoted for dotted, quoted in _PATH_PART.findall(value)]
    if keys[0] not in known:
        raise FlowError(f"the runner does not know {value!r}")
    found: Any = known
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def text(value: Any) -> str:
    """A value as Connect writes it into an attribute or a prompt; nothing for null."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def said(prompt: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What a participant hears: the words, or the name of the recording."""
    given = [key for key in ("Text", "SSML", "PromptId", "Media") if prompt.get(key)]
    if len(given) != 1:
        raise FlowError(f"a prompt is one of Text, SSML, PromptId and Media, not {given}")
    content = prompt[given[0]]
    if not isinstance(content, str):
        return text(look_up(content.get("Uri"), known))
    return _PATH_IN_TEXT.sub(lambda match: text(look_up(match.group(), known)), content)


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(value: str, operand: str) -> bool:
        try:
            return compare(float(value), float(operand))
        except ValueError:
            return False

    return holds


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": lambda value, operand: value == operand,
    "TextStartsWith": lambda value, operand: value.startswith(operand),
    "TextEndsWith": lambda value, operand: value.endswith(operand),
    "TextContains": lambda value, operand: operand in value,
    "NumberGreaterThan": _numbers(lambda a, b: a > b),
    "NumberGreaterOrEqualTo": _numbers(lambda a, b: a >= b),
    "NumberLessThan": _numbers(lambda a, b: a < b),
    "NumberLessOrEqualTo": _numbers(lambda a, b: a <= b),
}
