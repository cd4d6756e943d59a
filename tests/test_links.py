"""Every link and anchor in the repository's Markdown leads somewhere in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md", ":!docs/reference"], cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
)
"""Not the reference's own pages, whose links are checked when the site is built."""
FENCED = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)")


def prose(file: Path) -> str:
    return FENCED.sub("", file.read_text("utf-8"))


def anchors(file: Path) -> set[str]:
    """As GitHub makes them of headings."""
    return {anchor_of(each) for each in re.findall(r"^#+ (.*)$", prose(file), re.MULTILINE)}


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_its_links_lead_somewhere(file: Path) -> None:
    for path, anchor in LINK.findall(prose(file)):
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), path
        assert target.is_relative_to(ROOT), f"{path} leaves the repository"
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_the_guides_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {file.name for file in FILES}
