"""The package tests' surroundings: the wheel, and a team that has installed it and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, PathDistribution, distribution
from importlib.util import cache_from_source
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING
from zipfile import Path as ZipPath
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.infra.conftest import CONTEXT, ROOT, Assembly, synthesise
from tests.infra.test_synth import NO_NETWORK, can_unshare, surroundings

if TYPE_CHECKING:
    from aws_cdk import App

EXAMPLES = ROOT / "examples"
NAMES = sorted(file.stem for file in EXAMPLES.glob("*.py"))
CONSTRUCTS = sorted(file.stem for file in EXAMPLES.glob("constructs/*.py"))


@dataclass(frozen=True)
class Team:
    """Another team: a folder of its own, and a Python that has the wheel and what that asks for."""

    folder: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.folder / ".venv" / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        (found,) = self.folder.glob(".venv/lib/python3*/site-packages")
        return found

    def run(
        self, *arguments: str | Path, without_network: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Its Python, in its folder, with no credentials and no variable of ours."""
        return subprocess.run(
            [*(NO_NETWORK if without_network else ()), self.python, *arguments],
            cwd=self.folder,
            env=surroundings(self.home) | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make wheel`` builds."""
    folder = tmp_path_factory.mktemp("wheel")
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        folder,
    ]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="session")
def team(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The wheel, installed by pip; what it asks for is linked in from the tests' environment."""
    team = Team(tmp_path_factory.mktemp("team"), tmp_path_factory.mktemp("home"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", team.folder / ".venv"])
    for each in closure(requirements(wheel)):
        link(each, team.site_packages)
    install: list[str | Path] = ["install", "--quiet", "--no-index", "--no-deps", wheel]
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", team.python]
    done = subprocess.run([*pip, *install], cwd=team.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    copytree(EXAMPLES, team.folder, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
    return team


def requirements(wheel: Path) -> list[str]:
    """The wheel's ``Requires-Dist``."""
    with ZipFile(wheel) as file:
        (folder,) = (each for each in ZipPath(file).iterdir() if each.name.endswith(".dist-info"))
        return PathDistribution(folder).requires or []


def closure(wanted: list[str]) -> Iterator[Distribution]:
    """The distributions that these requirements ask for, with what those ask for in turn."""
    seen = set[str]()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        found = distribution(name)
        wanted += found.requires or []
        yield found


def link(installed: Distribution, site_packages: Path) -> None:
    """Put a distribution's own files there, and no other's."""
    for file in installed.files or ():
        place = site_packages / file
        if ".." in file.parts or place.is_symlink():  # a command, or what two distributions have
            continue
        source = Path(str(installed.locate_file(file)))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(source)
        # As if it had run before: aws-cdk-lib takes seconds to compile.
        if source.suffix == ".py" and (compiled := Path(cache_from_source(str(source)))).exists():
            bytecode = place.parent / compiled.parent.name / compiled.name
            bytecode.parent.mkdir(exist_ok=True)
            bytecode.symlink_to(compiled)


def one_example(name: str, folder: Path, *, with_nag: bool = True) -> Assembly:
    """An example as the checkout synthesises it."""
    build: Callable[[App], None] = import_module(f"examples.{name}").build
    return synthesise(folder, build, with_nag=with_nag)


def all_constructs(folder: Path, *, with_nag: bool = True) -> Assembly:
    """The small examples, one for each construct, in one app."""

    def build(app: App) -> None:
        for name in CONSTRUCTS:
            import_module(f"examples.constructs.{name}").build(app)

    with chdir(EXAMPLES / "constructs"):  # one of them reads a flow from there
        return synthesise(folder, build, with_nag=with_nag)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    """An example of the checkout, or all those of ``constructs``; a second call gives the same."""

    @cache
    def of(name: str) -> Assembly:
        folder = tmp_path_factory.mktemp(name)
        return all_constructs(folder) if name == "constructs" else one_example(name, folder)

    return of


RUN_THEM_ALL = """
import os
import sys
from runpy import run_path

for name in sys.argv[1:]:
    run_path(f"{name}.py", run_name="__main__")
    os.rename(os.environ["CDK_OUTDIR"], f"cdk.out/{name}")
"""


@pytest.fixture(scope="session")
def installed(team: Team) -> Path:
    """What the examples become for the team, as ``cdk synth`` runs them: a folder each, by name.

    Without a network where that can be refused here. In one process, and without the check of the
    templates, which are compared with those of the checkout: those were checked.
    """
    by_command_line = {f"aws:cdk:enable-{what}-metadata": True for what in ("path", "asset")}
    context = CONTEXT | by_command_line
    folder = team.folder / "cdk.out"
    folder.mkdir()
    done = team.run(
        "-c",
        RUN_THEM_ALL,
        *NAMES,
        without_network=can_unshare(),
        CDK_OUTDIR=str(folder / "now"),
        CDK_CONTEXT_JSON=json.dumps(context),
        CDK_VALIDATION="false",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    return folder
