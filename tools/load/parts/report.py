"""What the parts have shown, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tools.load.parts.work import GROWTH, Part, Work, grows
from tools.load.report import ran_on, table
from tools.load.result import machine

Works = Mapping[Part, Sequence[Work]]


def as_json(works: Works) -> dict[str, Any]:
    parts = [
        {"name": part.name, "works": [asdict(work) for work in done]}
        for part, done in works.items()
    ]
    return {"parts": parts}


def not_linear(works: Works) -> list[str]:
    """What grows faster than the calls, from ten times to a hundred times as many: with fewer,
    what is done once counts most."""
    return [
        f"{part.name}: its {what} grow {more:.2f} times as fast as its {part.unit}s"
        for part, (_, some, many) in works.items()
        for what, more in grows(some, many).items()
        if more > GROWTH
    ]


def markdown(works: Works, command: str) -> str:
    head = ("part", "of", "units", "requests", "a unit", "KB a unit", "ms of processor a unit")
    return "\n\n".join((ran_on(command, machine()), table(head, _rows(works))))


def _rows(works: Works) -> Iterator[Sequence[str]]:
    for part, done in works.items():
        for size, work in zip(part.sizes, done, strict=True):
            yield (
                part.name,
                f"{size:,} {part.of}",
                f"{work.units:,} {part.unit}s",
                f"{work.requests:,}",
                f"{work.requests / work.units:.2g}",
                f"{work.bytes / work.units / 1024:.2g}",
                f"{1000 * work.seconds / work.units:.2g}",
            )
