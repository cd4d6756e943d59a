"""One sandbox for all tests of this folder: the emulator with the deployed stacks, and ASAPP's
double, which repeats, delays and reorders what it posts. Nothing runs by the clock in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.asapp.double import Delivery
from sandbox.stacks.running import Sandbox, running_sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def installed() -> None:
    """What the Makefile installs for the sandbox, so that a bare ``pytest`` works too."""
    subprocess.run(
        ["make", "-s", "node_modules/.installed", ".sandbox/.installed"], cwd=ROOT, check=True
    )


@pytest.fixture(scope="session")
def sandbox(installed: None) -> Iterator[Sandbox]:
    delivery = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 200), seed=3)
    with running_sandbox(delivery=delivery, pace=0.005) as running:
        running.deployment.stop_schedules()
        yield running
