"""Whether a version may have the number that its tag says."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion
from packaging.version import Version as Number

CONTRACT = "tests/package/contract.json"
"""The construct ids and outputs that teams rely on, by example and stack."""


class Refused(Exception):
    """What is in the way of a release, all of it."""


@dataclass(frozen=True)
class Version:
    """One that may be released.

    :param notes: Its section of the changelog, in Markdown.
    """

    commit: str
    notes: str

    @classmethod
    def of(cls, tag: str, repository: Path) -> Version:
        """What is checked out there.

        :raises Refused: If tag, version, changelog and contract do not go together.
        """

        def text(path: str) -> str:
            return (repository / path).read_text(encoding="utf-8")

        number = tomllib.loads(text("pyproject.toml"))["project"]["version"]
        notes = section(text("CHANGELOG.md"), number)
        commit = _git(repository, "rev-parse", "HEAD")
        problems = []
        if tag != f"v{number}":
            problems.append(f"The tag is {tag}, and pyproject.toml has the version {number}.")
        if _git(repository, "rev-parse", "--verify", "--quiet", f"{tag}^{{commit}}") != commit:
            problems.append(f"The tag {tag} is not on the commit that is checked out.")
        if not notes:
            problems.append(f"CHANGELOG.md has no section `## {number}`, or an empty one.")
        if previous := _previous(repository, number):
            contract = json.loads(_git(repository, "show", f"v{previous}:{CONTRACT}") or "{}")
            broken = sorted(set(breaks(contract, json.loads(text(CONTRACT)))))
            if broken and not allows_breaking(previous, Number(number)):
                problems.append(
                    f"{number} is no major version after {previous}, and these construct ids or "
                    f"outputs are gone or are something else: {', '.join(broken)}."
                )
        if problems or commit is None:
            raise Refused("\n".join(problems) or "There is no commit.")
        return cls(commit, notes)


def section(changelog: str, number: str) -> str:
    """What a version's section says, without its heading: ``## 1.2.3`` or ``## 1.2.3 - date``."""
    heading = rf"^## \[?{re.escape(number)}\]?(?: [^\n]*)?\n(.*?)(?=^## |\Z)"
    found = re.search(heading, changelog, re.DOTALL | re.MULTILINE)
    return f"{found[1].strip()}\n" if found and found[1].strip() else ""


def breaks(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """The ids and outputs that a team loses by upgrading. A new one breaks nobody's stack, and an
    example that is gone is no stack of anybody's."""
    for stack in before.keys() & after.keys():
        for id, kind in before[stack].items():
            if after[stack].get(id) != kind:
                yield id


def allows_breaking(previous: Number, number: Number) -> bool:
    """By semantic versioning; below 1.0 it is the second number that may break."""
    if previous.major == 0 and number.major == 0:
        return number.minor > previous.minor
    return number.major > previous.major


def _previous(repository: Path, number: str) -> Number | None:
    """The highest version below this one that has a tag in the history."""
    found = []
    for tag in (_git(repository, "tag", "--list", "v*", "--merged", "HEAD") or "").split():
        try:
            found.append(Number(tag.removeprefix("v")))
        except InvalidVersion:
            continue
    return max((each for each in found if each < Number(number)), default=None)


def _git(repository: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
