"""Ten times as many calls take no more than ten times the work of each part, by counts."""

from __future__ import annotations

import pytest

from tools.load.parts.parts import PARTS
from tools.load.parts.report import not_linear
from tools.load.parts.work import GROWTH, Part, Work, grows, measured

FEW = {
    "authorizer": 10,
    "consumer": 3,
    "publisher": 10,
    "reconciliation of a day": 3,
    "export of a day": 100,
    "transcript of one call": 3,
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name.replace(" ", "-"))
def test_a_parts_work_grows_no_faster_than_its_calls(part: Part) -> None:
    calls = FEW[part.name]
    few, many = (measured(part, each, steps=True) for each in (calls, 10 * calls))
    assert many.units == 10 * few.units
    counted = {what: more for what, more in grows(few, many).items() if what != "seconds"}
    assert counted.keys() == {"requests", "bytes", "steps"}
    assert all(more <= GROWTH for more in counted.values()), counted


def test_what_a_unit_takes_of_aws() -> None:
    """docs/load.md has these numbers in its text."""
    by_name = {part.name: part for part in PARTS}
    works = {name: measured(by_name[name], 10) for name in by_name if "export" not in name}
    a_unit = {name: work.requests / work.units for name, work in works.items()}
    assert a_unit["consumer"] == 0.1
    assert a_unit["publisher"] < 0.15
    looks_at_the_index = 3 * 8
    assert works["reconciliation of a day"].requests == looks_at_the_index + 6 * 10
    assert works["authorizer"].requests == 12, "as often as five seconds are in a minute"
    assert works["transcript of one call"].requests == 1


def test_a_part_that_is_quadratic_is_named() -> None:
    part = Part("sorter", "call", (1, 10, 100), "calls", lambda *_: 0)
    works = [Work(n, requests=n, bytes=n, seconds=float(n * n)) for n in part.sizes]
    assert not_linear({part: works}) == [
        "sorter: its seconds grow 10.00 times as fast as its calls"
    ]
