"""Shows a report: as a table for people, and as JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from connect_flows.audit.changes import Change
from connect_flows.audit.findings import TITLES, Finding, Report

_WIDTH = 100
_CALLS = 3


def as_json(report: Report, changes: list[Change]) -> dict[str, Any]:
    """The report, with the same words as the table."""
    return {
        "findings": [asdict(each) for each in report.findings],
        "notes": report.notes,
        "calls": {
            entry: [{"moment": moment, "flow": flow} for moment, flow in path.flows]
            for entry, path in report.paths.items()
        },
        "changes": [asdict(each) for each in changes],
    }


def as_table(report: Report) -> Iterator[str]:
    """The report, line by line: findings by kind, then notes, then how many there are."""
    for kind, found in groupby(report.findings, key=lambda each: each.kind):
        rows = list(found)
        yield TITLES[kind]
        head = ("flow / block", "setting")
        column = min(max(len(head[0]), *(len(each.place) for each in rows)), 60)
        yield f"  {head[0]:<{column}}  {head[1]}"
        for row in rows:
            yield f"  {row.place:<{column}}  {row.setting}"
            yield from _below(row)
        yield ""
    for note in report.notes:
        yield from _wrapped(note, "note: ", "      ")
    count = len(report.findings)
    yield (
        f"{_count(count, 'finding')}, {_count(len(report.notes), 'note')}; walked from "
        f"{_count(len(report.paths), 'beginning')} of calls"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _below(row: Finding) -> Iterator[str]:
    yield from _wrapped(row.what, "      ", "      ")
    yield from _wrapped(row.remedy, "      → ", "        ")
    if row.calls:
        more = f" and {len(row.calls) - _CALLS} more" if len(row.calls) > _CALLS else ""
        yield from _wrapped(", ".join(row.calls[:_CALLS]) + more, "      calls: ", "        ")


def _wrapped(text: str, first: str, other: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )
