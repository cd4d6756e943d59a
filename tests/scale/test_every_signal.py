"""Each signal to each command that starts a sandbox: those that ``make test`` leaves out."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.sandbox.stacks.test_signals import linux, stops_all


@linux
@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("python -m sandbox", signal.SIGINT),
        ("python -m sandbox", signal.SIGTERM),
        ("make sandbox", signal.SIGHUP),
        ("make demo", signal.SIGINT),
    ],
)
def test_a_signal_to_that_process_alone_stops_all_and_leaves_no_file(
    command: str, number: signal.Signals, installed: None, tmp_path: Path
) -> None:
    stops_all(command, number, tmp_path)
