"""Runs functions side by side on a virtual clock, one at a time, in an order that a seed gives."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from shared.runtime import Clock

T = TypeVar("T")
BEGIN = 1_795_000_000.0


class Killed(BaseException):
    """Lambda ended the function."""


class Task(threading.Thread):
    """:ivar on_wait: Called before the task waits; may raise, or wait longer."""

    def __init__(self, timeline: Timeline, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.timeline, self.work = timeline, work
        self.turn = threading.Semaphore(0)
        self.on_wait: Callable[[], None] | None = None
        self.problem: BaseException | None = None

    def run(self) -> None:
        self.turn.acquire()
        try:
            self.work()
        except BaseException as problem:
            self.problem = problem
        self.timeline.idle.release()


class Timeline(Clock):
    """Time goes on when every task waits."""

    def __init__(self) -> None:
        self.seconds = BEGIN
        self.idle = threading.Semaphore(0)
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Task]] = []
        self._current: Task | None = None

    def at(self, seconds: float, work: Callable[[], object]) -> None:
        """Begin a task at this moment."""
        task = Task(self, work)
        task.start()
        heapq.heappush(self._waiting, (seconds, next(self._order), task))

    def run(self) -> None:
        """Until no task is left."""
        while self._waiting:
            at, _, task = heapq.heappop(self._waiting)
            self.seconds = max(self.seconds, at)
            self._current = task
            task.turn.release()
            self.idle.acquire()
            if task.problem is not None:
                raise task.problem

    @property
    def task(self) -> Task:
        assert self._current is not None
        return self._current

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def sleep(self, seconds: float) -> None:
        if self.task.on_wait:
            self.task.on_wait()
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        task = self.task
        heapq.heappush(self._waiting, (self.seconds + seconds, next(self._order), task))
        self.idle.release()
        task.turn.acquire()

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        try:
            return queue.get_nowait()
        except Empty:
            self.sleep(seconds)
            raise
