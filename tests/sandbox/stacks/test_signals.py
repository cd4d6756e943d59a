"""``make sandbox`` and ``make demo`` stop all they started, whichever of them gets the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sandbox.eventually import eventually

ROOT = Path(__file__).parents[3]
_INSTALLED = [".venv/.installed", "node_modules/.installed", ".sandbox/.installed"]
COMMANDS = {
    "python -m sandbox": [sys.executable, "-m", "sandbox"],
    "python -m sandbox.demo": [sys.executable, "-m", "sandbox.demo"],
    # Make must not install anything again while tests are running.
    "make sandbox": ["make", *(f"--old-file={file}" for file in _INSTALLED), "sandbox"],
    "make demo": ["make", *(f"--old-file={file}" for file in _INSTALLED), "demo"],
}


def as_from_a_terminal() -> None:
    """A command that runs in the background ignores signals, and so would all that it starts."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)


@contextmanager
def started(command: str, temporary: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command while it synthesises, with the emulator running; and a mark in the environment of
    all its processes."""
    mark = f"STARTED_BY={uuid.uuid4()}"
    process = subprocess.Popen(
        COMMANDS[command],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": "lambdas", "TMPDIR": str(temporary)}
        | dict([mark.split("=")]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=as_from_a_terminal,
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if "synthesising" in line:
                break
        assert "synthesising" in said[-1], said
        yield process, mark
    finally:
        for pid in marked(mark):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def marked(mark: str) -> dict[int, str]:
    """The processes with a mark in their environment: id and command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = line
        except (OSError, ValueError):
            continue
    return found


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("python -m sandbox", signal.SIGHUP),
        ("make sandbox", signal.SIGINT),
        ("make sandbox", signal.SIGTERM),
        ("python -m sandbox.demo", signal.SIGTERM),
    ],
)
def test_a_signal_to_that_process_alone_stops_all_and_leaves_no_file(
    command: str, number: signal.Signals, installed: None, tmp_path: Path
) -> None:
    """The other pairs: tests/scale."""
    stops_all(command, number, tmp_path)


def stops_all(command: str, number: signal.Signals, tmp_path: Path) -> None:
    with started(command, tmp_path) as (process, mark):
        running = marked(mark)
        emulators = [pid for pid, line in running.items() if line.endswith("/ministack ")]
        assert len(emulators) == 1, running
        (emulator,) = emulators
        environment = Path(f"/proc/{emulator}/environ").read_text().split("\0")
        run = Path(dict(each.partition("=")[::2] for each in environment)["TMPDIR"]).parent
        assert run.parent == ROOT / ".sandbox" / "runs"
        os.kill(process.pid, number)
        assert eventually(lambda: not marked(mark)), marked(mark)
        process.wait()
        rest = process.stdout.read() if process.stdout else ""
        assert "stopped" in rest
        assert "Traceback" not in rest
    assert [*tmp_path.iterdir()] == []
    assert not run.exists()
    assert not [*(ROOT / ".sandbox").glob(f"running-{process.pid}-*")]


@linux
def test_the_emulator_does_not_outlive_a_program_that_is_killed(
    installed: None, tmp_path: Path
) -> None:
    with started("python -m sandbox", tmp_path) as (process, mark):
        emulators = [pid for pid, line in marked(mark).items() if "ministack" in line]
        assert emulators
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: not {*emulators} & {*marked(mark)})
