"""Types: this repository's, and what a team sees of ours. In this order: the second knows aws_cdk
from the first."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT

from .conftest import CONSTRUCTS, NAMES, Team


def test_everything_here_passes_mypy_strict() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("Success: "), done.stdout + done.stderr


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which parts of aws_cdk are read, as here; nothing else of ours."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["overrides"]
    file = tmp_path_factory.mktemp("mypy") / "mypy.ini"
    sections = (
        f"[mypy-{','.join(each['module'])}]\nfollow_imports = {each['follow_imports']}\n"
        for each in ours
        if "follow_imports" in each
    )
    file.write_text("\n".join(("[mypy]", *sections)))
    return file


def test_the_examples_pass_mypy_strict_against_the_wheel_and_a_wrong_argument_does_not(
    team: Team, config: Path, tmp_path: Path
) -> None:
    """Mypy looks only at what the team has; what it knows of aws_cdk already saves time."""
    text = (team.folder / "access_role.py").read_text()
    assert 'stream_prefix="acme"' in text
    wrong = tmp_path / "wrong.py"
    wrong.write_text(text.replace('stream_prefix="acme"', "stream_prefix=1"))
    files = [*team.folder.glob("*.py"), *team.folder.glob("constructs/*.py"), wrong]
    options: list[str | Path] = ["--strict", "--python-executable", team.python]
    options += ["--config-file", config, "--cache-dir", ROOT / ".mypy_cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=team.folder,
        capture_output=True,
        text=True,
    )
    error, found = done.stdout.splitlines()
    # If an earlier run has left it in the cache, mypy names the folder of that run.
    assert Path(error.partition(":")[0]).name == wrong.name
    assert 'Argument "stream_prefix" to "KinesisVideoReadRole" has incompatible type' in error
    sources = len(NAMES + CONSTRUCTS) + 1
    assert found == f"Found 1 error in 1 file (checked {sources} source files)"
