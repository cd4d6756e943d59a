"""Two values side by side: where they differ, and how they are shown in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

LONG = 100
WHOLE = 2_000
"""How long a setting may be, and still be shown whole."""
_AROUND = 24


def differences(old: Any, new: Any, within: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Where two values of JSON differ, as deep as they are alike in form.

    None stands for what is not there. References and functions of a template are not looked into.
    """
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and not (_is_call(old) or _is_call(new)):
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key), new.get(key), (*within, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, (*within, place))
    else:
        yield within, old, new


def _is_call(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def code(text: str) -> str:
    """Somebody's text as code: nothing in it is Markdown, and nobody is mentioned.

    What does not print (a line's end, a change of direction, half of a character) is an escape. A
    table's cell must escape ``|``, and the table does.
    """
    if not text:
        return "(empty)"
    text = "".join(each if each.isprintable() else _escape(each) for each in text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in (text[0], text[-1]) or text[0] == " " == text[-1] else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(text: str) -> str:
    """Somebody's lines as a block of code, which nothing in them ends."""
    lines = [
        "".join(each if each.isprintable() else _escape(each) for each in line)
        for line in text.split("\n")
    ]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return "\n".join((fence, *lines, fence))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def short(type: str) -> str:
    """A resource type as people say it, as code."""
    return code(type.removeprefix("AWS::"))


def shown(text: str | None, longest: int = LONG) -> str:
    """One value; long ones are cut."""
    if text is None:
        return "(not set)"
    return code(text if len(text) <= longest else f"{text[:longest]}…")


def both(old: str | None, new: str | None, longest: int = LONG) -> str:
    """``old → new``."""
    return " → ".join(side_by_side(old, new, longest))


def side_by_side(old: str | None, new: str | None, longest: int = LONG) -> tuple[str, str]:
    """Two values; of long ones what differs, and a little around it."""
    if old is not None and new is not None and max(len(old), len(new)) > longest:
        start = max(_alike(old, new) - _AROUND, 0)
        end = max(_alike(old[start:][::-1], new[start:][::-1]) - _AROUND, 0)
        old, new = (
            f"{'…' if start else ''}{text[start : len(text) - end]}{'…' if end else ''}"
            for text in (old, new)
        )
    return shown(old, longest), shown(new, longest)


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
