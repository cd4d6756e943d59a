"""The processes that the sandbox starts, and how it stops all of them at its end."""

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
    """Start a process in a session of its own; at the end, end whatever is left of the session.

    Ctrl-C in a terminal reaches us alone, so that we stop things in order.

    :param log: The file that takes its output.
    :param folder: Where it runs. Default: where we do.
    :param dies_with_us: The kernel kills it if we are killed: on Linux, and if the main thread
        starts it. Its own children are to notice that it is gone.
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
    """Have SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt` in the main thread, once: what
    comes while we stop does not interrupt that.

    :param make_target: The file that make believes to be made by us, if make started us. Make
        passes on SIGTERM, but not SIGINT and SIGHUP that it gets alone. At each of them it deletes
        the file (https://www.gnu.org/software/make/manual/html_node/Interrupts.html); then we stop.
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
