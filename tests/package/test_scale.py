from __future__ import annotations

import subprocess
import sys

from tests.infra.conftest import ROOT


def test_every_test_of_make_test_scale_finds_its_fixtures() -> None:
    """They run at night only. Whoever moves a fixture that they use must hear of it before."""
    command = [sys.executable, "-m", "pytest", "-q", "--setup-plan", "tests/scale"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
