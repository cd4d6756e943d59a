"""Types: this repository's, and what a team sees of ours. In this order: the second knows aws_cdk
from the first, which saves it a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.infra.conftest import ROOT

from .conftest import CONSTRUCTS, NAMES, Team


def test_everything_here_passes_mypy_strict() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("Success: "), done.stdout + done.stderr


def mypy(team: Team, *files: Path) -> subprocess.CompletedProcess[str]:
    """It looks only at what the team has; what it knows of aws_cdk already saves a minute."""
    options: list[str | Path] = [
        "--strict",
        "--python-executable",
        team.python,
        "--config-file",
        os.devnull,
    ]
    options += ["--cache-dir", ROOT / ".mypy_cache"]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=team.folder,
        capture_output=True,
        text=True,
    )


def test_the_examples_pass_mypy_strict_against_the_wheel(team: Team) -> None:
    files = [*team.folder.glob("*.py"), *team.folder.glob("constructs/*.py")]
    done = mypy(team, *files)
    assert done.stdout == f"Success: no issues found in {len(NAMES + CONSTRUCTS)} source files\n"


def test_mypy_sees_a_wrong_argument(team: Team, tmp_path: Path) -> None:
    text = (team.folder / "access_role.py").read_text()
    assert 'stream_prefix="acme"' in text
    wrong = tmp_path / "wrong.py"
    wrong.write_text(text.replace('stream_prefix="acme"', "stream_prefix=1"))
    done = mypy(team, wrong)
    assert 'Argument "stream_prefix" to "KinesisVideoReadRole" has incompatible type' in done.stdout
