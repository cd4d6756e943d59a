"""Starts the sandbox's processes, and stops all of them at its end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_END = 5
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path | None = None,
    dies_with_us: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process in a session of its own. At the end, end every process of that session.

    Because of the session, Ctrl-C in a terminal reaches only us, and we can stop things in order.

    :param log: The file for its output.
    :param folder: Its working directory. Default: ours.
    :param dies_with_us: The kernel kills the process if we are killed. This works only on Linux,
        and only if the main thread starts the process. Its children must notice its end themselves.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if dies_with_us and _LIBC else None,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _die_with_parent() -> None:
    assert _LIBC is not None  # noqa: S101
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def stopping_on_signals(make_target: Path | None) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt` in the main thread, once. Later
    signals are ignored, so that they do not interrupt the stopping.

    :param make_target: The target of make's rule, if make started us. If make alone gets a signal,
        it passes on SIGTERM, but not SIGINT or SIGHUP. In each case it deletes its target
        (https://www.gnu.org/software/make/manual/html_node/Interrupts.html). If that file is gone,
        we stop.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in _SIGNALS}
    done = threading.Event()
    try:
        if make_target:
            make_target.touch()
            watch = threading.Thread(
                target=_watch, args=(make_target, os.getppid(), done), daemon=True
            )
            watch.start()
        yield
    finally:
        done.set()
        if make_target:
            make_target.unlink(missing_ok=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(make_target: Path, make: int, done: threading.Event) -> None:
    while make_target.exists() and os.getppid() == make:
        if done.wait(0.2):
            return
    if not done.is_set():
        os.kill(os.getpid(), signal.SIGINT)
