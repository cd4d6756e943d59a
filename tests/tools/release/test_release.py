"""What may be released, and that its bytes depend on the commit alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.release.__main__ import main
from tools.release.build import Unequal, build_twice, hatchling
from tools.release.versions import Version

ROOT = Path(__file__).parents[3]
CONTRACT = {"constructs: stack": {"Store/Table": "AWS::DynamoDB::GlobalTable", "Url": "output"}}
CHANGELOG = """# Changelog

## Unreleased

## {number} - 2026-11-27

### Added

- What is new.

## 0.0.1

- What was new once.
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


Tagged = Callable[..., None]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture
def tagged(repository: Path) -> Tagged:
    """Commits a version, and tags it."""

    def write(
        number: str,
        contract: dict[str, dict[str, str]] = CONTRACT,
        tag: str = "",
        changelog: str = CHANGELOG,
    ) -> None:
        (repository / "tests/package").mkdir(parents=True, exist_ok=True)
        (repository / "tests/package/contract.json").write_text(json.dumps(contract))
        (repository / "CHANGELOG.md").write_text(changelog.format(number=number))
        (repository / "pyproject.toml").write_text(
            f'[project]\nname = "a"\nversion = "{number}"\nrequires-python = ">=3.11"\n'
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            '[tool.hatch.build.targets.wheel]\npackages = ["a"]\n'
        )
        (repository / "a").mkdir(exist_ok=True)
        (repository / "a/__init__.py").write_text("")
        git(repository, "add", "--all")
        git(repository, "commit", "-q", "--allow-empty", "-m", number)
        git(repository, "tag", tag or f"v{number}")

    return write


def refusal(repository: Path, tag: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([tag, str(repository / "dist")], repository=repository) == 1
    assert not (repository / "dist").exists()
    return capsys.readouterr().err.strip()


def test_a_version_becomes_a_wheel_and_its_notes(repository: Path, tagged: Tagged) -> None:
    tagged("1.2.3")
    (repository / "a/not_committed.py").write_text("")
    dist = repository / "dist"
    assert main(["v1.2.3", str(dist)], repository=repository) == 0
    assert sorted(each.name for each in dist.iterdir()) == [
        "a-1.2.3-py3-none-any.whl",
        "release-notes.md",
    ]
    assert (dist / "release-notes.md").read_text() == "### Added\n\n- What is new.\n"
    names = zipfile.ZipFile(dist / "a-1.2.3-py3-none-any.whl").namelist()
    assert "a/__init__.py" in names and "a/not_committed.py" not in names


def with_packages(sources: Path, out: Path, surroundings: dict[str, str]) -> None:
    """As the release builds, with the packages of the checkout instead of a download."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)

    there = "web/node_modules"
    shutil.copytree(ROOT / there, sources / there, symlinks=True, copy_function=link)
    hatchling(sources, out, surroundings)


def test_our_wheel_with_its_page_is_the_same_in_another_folder_time_zone_and_file_mode(
    tmp_path: Path,
) -> None:
    commit = git(ROOT, "rev-parse", "HEAD")
    wheel = build_twice(commit, ROOT, tmp_path, with_packages)
    assert wheel.name.startswith("connect_autotranscribe-")
    page = [name for name in zipfile.ZipFile(wheel).namelist() if "/_web/" in name]
    assert "connect_autotranscribe/_web/index.html" in page
    assert {Path(name).suffix for name in page} >= {".html", ".js", ".css", ".svg"}


def test_builds_that_differ_are_refused(repository: Path, tagged: Tagged, tmp_path: Path) -> None:
    tagged("1.2.3")

    def of_its_surroundings(sources: Path, out: Path, surroundings: dict[str, str]) -> None:
        (out / "a.whl").write_text(surroundings["TZ"])

    def of_its_folder(sources: Path, out: Path, surroundings: dict[str, str]) -> None:
        (out / "a.whl").write_text(str(sources))

    def of_its_file_modes(sources: Path, out: Path, surroundings: dict[str, str]) -> None:
        made = out / "made"
        made.touch()
        (out / "a.whl").write_text(oct(made.stat().st_mode))

    for builder in (of_its_surroundings, of_its_folder, of_its_file_modes):
        with pytest.raises(Unequal, match=r"differ: a\.whl [0-9a-f]{64}"):
            build_twice("HEAD", repository, tmp_path / "dist", builder)
    assert not (tmp_path / "dist").exists()


def test_a_tag_of_another_version_is_refused(
    repository: Path, tagged: Tagged, capsys: pytest.CaptureFixture[str]
) -> None:
    tagged("1.2.3", tag="v1.2.4")
    said = refusal(repository, "v1.2.4", capsys)
    assert said == "The tag is v1.2.4, and pyproject.toml has the version 1.2.3."


def test_a_tag_on_another_commit_is_refused(
    repository: Path, tagged: Tagged, capsys: pytest.CaptureFixture[str]
) -> None:
    tagged("1.2.3")
    git(repository, "commit", "-q", "--allow-empty", "-m", "after it")
    assert "not on the commit that is checked out" in refusal(repository, "v1.2.3", capsys)


@pytest.mark.parametrize("changelog", ["## Unreleased\n\n- x\n", "## 1.2.3\n\n## 1.2.2\n\n- x\n"])
def test_a_version_without_notes_is_refused(
    repository: Path, tagged: Tagged, capsys: pytest.CaptureFixture[str], changelog: str
) -> None:
    tagged("1.2.3", changelog=changelog)
    assert refusal(repository, "v1.2.3", capsys).startswith(
        "CHANGELOG.md has no section `## 1.2.3`"
    )


GONE = {"constructs: stack": {"Store/Table": "AWS::DynamoDB::GlobalTable"}}
ANOTHER = {"constructs: stack": {**CONTRACT["constructs: stack"], "Store/Table": "AWS::X::Y"}}
MORE = {"constructs: stack": {**CONTRACT["constructs: stack"], "Store/Queue": "AWS::SQS::Queue"}}


@pytest.mark.parametrize(("contract", "named"), [(GONE, "Url"), (ANOTHER, "Store/Table")])
@pytest.mark.parametrize(
    ("before", "number"), [("1.2.3", "1.2.4"), ("1.2.3", "1.3.0"), ("0.2.3", "0.2.4")]
)
def test_what_a_team_loses_needs_a_major_version(
    repository: Path,
    tagged: Tagged,
    capsys: pytest.CaptureFixture[str],
    before: str,
    number: str,
    contract: dict[str, dict[str, str]],
    named: str,
) -> None:
    tagged(before)
    tagged(number, contract)
    assert refusal(repository, f"v{number}", capsys) == (
        f"{number} is no major version after {before}, and these construct ids or outputs are gone "
        f"or are something else: {named}."
    )


@pytest.mark.parametrize(
    ("before", "number", "contract"),
    [
        ("1.2.3", "2.0.0", GONE),
        ("0.2.3", "1.0.0", GONE),
        ("0.2.3", "0.3.0", ANOTHER),
        ("1.2.3", "1.2.4", MORE),
        ("1.2.3", "1.2.4", {}),
    ],
)
def test_what_a_version_may_change(
    repository: Path, tagged: Tagged, before: str, number: str, contract: dict[str, dict[str, str]]
) -> None:
    tagged(before)
    tagged(number, contract)
    assert Version.of(f"v{number}", repository).notes


def test_the_version_before_is_by_number_and_not_by_time_or_letter(
    repository: Path, tagged: Tagged, capsys: pytest.CaptureFixture[str]
) -> None:
    """1.10.0 has what 1.9.0 lacks; tags that are no version do not count."""
    tagged("1.9.0", GONE)
    tagged("1.10.0")
    git(repository, "tag", "very-old")
    tagged("1.10.1", GONE)
    assert "is no major version after 1.10.0" in refusal(repository, "v1.10.1", capsys)
