"""Two values side by side: where they differ, and how they are shown in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

_LONG = 100
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
    """Text as it stands, in a table's cell too: nothing in it is Markdown, nobody is mentioned."""
    text = " ".join(text.replace("`", "'").replace("|", "\\|").split())
    return f"`{text}`" if text else "`(empty)`"


def short(type: str) -> str:
    """A resource type as people say it."""
    return type.removeprefix("AWS::")


def shown(text: str | None) -> str:
    """One value; long ones are cut."""
    if text is None:
        return "(not set)"
    return code(text if len(text) <= _LONG else f"{text[:_LONG]}…")


def both(old: str | None, new: str | None) -> str:
    """``old → new``."""
    return " → ".join(side_by_side(old, new))


def side_by_side(old: str | None, new: str | None) -> tuple[str, str]:
    """Two values; of long ones what differs, and a little around it."""
    if old is not None and new is not None and max(len(old), len(new)) > _LONG:
        start = max(_alike(old, new) - _AROUND, 0)
        end = max(_alike(old[start:][::-1], new[start:][::-1]) - _AROUND, 0)
        old, new = (
            f"{'…' if start else ''}{text[start : len(text) - end]}{'…' if end else ''}"
            for text in (old, new)
        )
    return shown(old), shown(new)


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
