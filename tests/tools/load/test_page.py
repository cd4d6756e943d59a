"""docs/load.md: what was measured, with its machine, day and revision, and the plots."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools.load.report import PAGE, PLOTS, plain, write

TEXT = PAGE.read_text("utf-8")
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("part", ["load", "parts"])
def test_the_page_says_when_and_on_what_it_was_measured(part: str) -> None:
    measured = TEXT.partition(f"<!-- {part}: begin -->")[2].partition(f"<!-- {part}: end -->")[0]
    assert re.search(r"`make load [^`]+`, \d{4}-\d\d-\d\d \d\d:\d\d UTC, revision `", measured)
    assert re.search(r"\d+ cores \(.+\), \d+ GB, .+, Python 3", measured)


def test_nothing_was_lost_doubled_or_altered() -> None:
    rows = re.findall(r"(?m)^\| (webhook|table|bus|page) \| ([\d,]+) \| (.+?) \|$", TEXT)
    assert [name for name, _, _ in rows] == ["webhook", "table", "bus", "page"]
    assert len({came for _, came, _ in rows}) == 1
    assert all(rest.split(" | ")[:3] == ["0", "0", "0"] for _, _, rest in rows)


def test_every_plot_is_on_the_page_and_has_its_own_ground_for_dark_and_light() -> None:
    shown = set(re.findall(r"\(load/(\w+)\.svg\)", TEXT))
    assert shown == {file.stem for file in PLOTS.glob("*.svg")}
    for file in PLOTS.glob("*.svg"):
        drawn = file.read_text("utf-8")
        assert "fill: #ffffff" in drawn.partition('id="axes_1"')[0]
        assert "<text" in drawn


def test_the_figures_are_written_between_the_marks_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    page = tmp_path / "load.md"
    page.write_text(TEXT)
    write("load", "the figures", page)
    before, _, rest = TEXT.partition("<!-- load: begin -->\n")
    after = rest.partition("<!-- load: end -->\n")[2]
    assert page.read_text() == (
        f"{before}<!-- load: begin -->\n\nthe figures\n\n<!-- load: end -->\n{after}"
    )
    assert plain("| a | b |\n| --- | ---: |\n| c | 1 |") == "| a | b |\n| c | 1 |"


def test_what_draws_is_locked_by_itself() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    lock = (ROOT / "tools" / "load" / "requirements.txt").read_text("utf-8")
    assert all(f"\n{package} " in lock for package in groups["load"])
    names = {package.partition("==")[0] for package in groups["load"]}
    assert not any(f"\n{name}==" in (ROOT / "requirements-dev.txt").read_text() for name in names)
