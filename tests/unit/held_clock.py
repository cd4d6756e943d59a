"""Time that the test holds."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TypeVar

from shared.runtime import Clock

T = TypeVar("T")


class HeldClock(Clock):
    """Stands still, but for who sleeps on it and for a fake that says how long it takes.

    Real sockets work as ever meanwhile: whoever waits for one gets what comes, and runs out of
    time only when a fake lets the time pass.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self._began_ms = time.time_ns() // 1_000_000
        self._changed = threading.Condition()
        self._ends: list[float] = []  # of those who wait now

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return self._began_ms + int(self.seconds * 1000)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._changed:
            self.seconds += seconds
            self._changed.notify_all()

    def run_out(self) -> None:
        """Let pass what the first of those who wait still has."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ends, timeout=30)
            self.seconds = max(self.seconds, min(self._ends))
            self._changed.notify_all()

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        end = self.seconds + seconds
        with self._changed:
            self._ends.append(end)
            self._changed.notify_all()
            try:
                while True:
                    try:
                        return queue.get_nowait()
                    except Empty:
                        if self.seconds >= end:
                            raise
                    self._changed.wait(0.001)  # nobody notifies of an entry
            finally:
                self._ends.remove(end)


class StillClock(HeldClock):
    """Stands still for good: whoever sleeps on it waits for the others, and nobody runs out of
    time, however slow the machine is.

    :ivar sleepers: The threads that have slept on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sleepers: set[int] = set()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.sleepers.add(threading.get_ident())
        time.sleep(0.01)

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        return queue.get(timeout=120)


class UnhurriedClock(Clock):
    """The machine's clock, but on it nobody runs out of time, however slow the machine is."""

    def monotonic(self) -> float:
        return 0.0

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        return queue.get(timeout=120)


class FrozenClock(HeldClock):
    """As in a process that Lambda freezes between invocations: only the time of day goes on.

    :ivar frozen_ms: How long it was frozen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frozen_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.frozen_ms
