"""What is installed, here and in every workflow: exact versions with hashes, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {
    "deploy": ROOT / "requirements.txt",
    "dev": ROOT / "requirements-dev.txt",
    "emulator": ROOT / "sandbox" / "requirements.txt",
    "release": ROOT / "tools" / "release" / "requirements.txt",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

each_lock = pytest.mark.parametrize("group", LOCKS)


def locked(group: str, python: str = "3.11") -> dict[str, str]:
    """The version of each package that a lock installs on Linux."""
    on_linux = {"sys_platform": "linux", "python_version": python}
    on_linux |= {"python_full_version": f"{python}.0"}
    found: dict[str, str] = {}
    for entry in entries(group):
        requirement = Requirement(entry.split(" --hash", 1)[0])
        if requirement.marker is None or requirement.marker.evaluate(on_linux):
            (only,) = requirement.specifier
            assert only.operator == "=="
            assert canonicalize_name(requirement.name) not in found, "locked twice"
            found[canonicalize_name(requirement.name)] = only.version
    return found


def entries(group: str) -> list[str]:
    """Each package of a lock on one line, without comments."""
    text = LOCKS[group].read_text("utf-8").replace("\\\n", "")
    lines = [" ".join(line.split()) for line in text.splitlines() if not line.startswith("#")]
    assert lines
    return lines


def named(group: str) -> Iterator[Requirement]:
    """What a group of pyproject.toml names."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    for each in groups[group]:
        if isinstance(each, dict):
            yield from named(each["include-group"])
        else:
            yield Requirement(each)


@each_lock
def test_a_lock_names_versions_with_hashes_and_no_other_place(group: str) -> None:
    for entry in entries(group):
        assert re.fullmatch(
            r"[\w.-]+(\[[\w,]+\])?==[\w.]+( ; [^@]+?)?( --hash=sha256:[0-9a-f]{64})+", entry
        ), entry


@each_lock
def test_a_lock_has_what_the_project_names(group: str) -> None:
    versions = locked(group)
    for requirement in named(group):
        assert versions.get(canonicalize_name(requirement.name), "") in requirement.specifier, (
            f"run `make lock`: {requirement} is not in {LOCKS[group].name}"
        )


@pytest.mark.parametrize("python", PYTHONS)
def test_what_deploys_is_what_the_tests_ran_with(python: str) -> None:
    deployed = locked("deploy", python)
    assert deployed.items() <= locked("dev", python).items()


def scripts() -> Iterator[tuple[str, str]]:
    """All that installs something."""
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        yield file.name, file.read_text("utf-8")
    yield ".ci/run", (ROOT / ".ci" / "run").read_text("utf-8")
    yield "Makefile", (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize(("name", "text"), list(scripts()))
def test_nothing_is_installed_but_what_is_locked(name: str, text: str) -> None:
    installs = re.findall(r"^.*\b(?:pip|npm|npx|uv|pipx|apt-get|apt)\b.*$", text, re.MULTILINE)
    allowed = re.compile(
        r"pip install \$\(LOCKED\) -r "
        r"|pip install -qq --no-deps --no-build-isolation --editable \.$"
        r"|npm ci --ignore-scripts |uv pip compile |uv publish |with npm"
        r"|PIP_DISABLE_PIP_VERSION_CHECK"
        # A browser, where CI's machine has none: the tests' own tool, which nothing is built with.
        r"|^  apt-get update -qq$|^  DEBIAN_FRONTEND=noninteractive apt-get install -qq chromium "
    )
    assert [line for line in installs if not allowed.search(line)] == []
    if name == "Makefile":
        assert re.search(r"^LOCKED = .*--require-hashes --only-binary :all:", text, re.MULTILINE)
