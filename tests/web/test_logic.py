"""The page's logic, which its own tests prove without a browser: ``web/tests``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def npm(*arguments: str) -> tuple[int, str]:
    """:returns: Exit code, and what a person sees."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    done = subprocess.run(
        ["npm", "--silent", *arguments],
        cwd=WEB,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout


def test_the_tests_of_the_pages_logic_pass() -> None:
    code, said = npm("test")
    assert code == 0, said
    assert "# pass" in said


def test_the_types_of_the_page_are_right() -> None:
    assert npm("run", "types") == (0, "")
