"""A clock whose time passes only if somebody waits."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TypeVar

from shared.runtime import Clock

T = TypeVar("T")


class VirtualClock(Clock):
    """:param seconds: Since 1970."""

    def __init__(self, seconds: float = 1_795_000_000.0) -> None:
        self.seconds = seconds

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        try:
            return queue.get_nowait()
        except Empty:
            self.sleep(seconds)
            raise
