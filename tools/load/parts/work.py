"""How much work a part does for so many calls."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.runtime import Clock
from tools.load.parts.aws import Aws

_SHORT_SECONDS = 1.0
GROWTH = 1.25
"""Ten times as many calls may take ten times the work, and a quarter more."""


@dataclass
class Work:
    """
    :param units: What was done, for instance utterances that were stored.
    :param requests: To AWS and ASAPP.
    :param bytes: That these took there and back.
    :param steps: Calls of Python's functions, which are the same on every machine. 0 if they were
        not counted.
    :param seconds: Of processor, without that of the fakes.
    """

    units: int
    requests: int = 0
    bytes: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Part:
    """
    :param name: For people.
    :param unit: What its work is counted in.
    :param sizes: So many calls, ten times and a hundred times as many.
    :param of: What a size is of.
    :param run: Does the work of a size.
    """

    name: str
    unit: str
    sizes: tuple[int, int, int]
    of: str
    run: Callable[[int, Callable[[Aws], Any]], int]


@dataclass
class _Steps:
    counts: dict[int, int] = field(default_factory=dict)

    def count(self, _frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            thread = threading.get_ident()
            self.counts[thread] = self.counts.get(thread, 0) + 1


def measured(part: Part, calls: int, *, steps: bool = False) -> Work:
    """:param steps: Count calls of Python's functions, which takes time."""
    work, counted = Work(0), _Steps()

    @contextmanager
    def measuring(aws: Aws) -> Iterator[None]:
        """Only what is done in it counts: not how the calls are made."""
        if steps:
            threading.setprofile(counted.count)
            sys.setprofile(counted.count)
        before = time.process_time(), aws.seconds, aws.requests.total(), aws.bytes
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            work.seconds += time.process_time() - before[0] - (aws.seconds - before[1])
            work.requests += aws.requests.total() - before[2]
            work.bytes += aws.bytes - before[3]

    gc.collect()  # what the part before has left is not this one's work
    work.units = part.run(calls, measuring)
    work.steps = sum(counted.counts.values())
    return work


def steady(part: Part, calls: int) -> Work:
    """The least work of three times, if it is short: then one other process on the machine, or what
    is done once, would count most."""
    first = measured(part, calls)
    if first.seconds > _SHORT_SECONDS:
        return first
    again = (measured(part, calls) for _ in range(2))
    return min(first, *again, key=lambda work: work.seconds)


def grows(small: Work, large: Work) -> Mapping[str, float]:
    """By how much more than the units everything has grown: 1 is linear, less is better."""
    units = large.units / small.units
    return {
        what: getattr(large, what) / getattr(small, what) / units
        for what in ("requests", "bytes", "steps", "seconds")
        if getattr(small, what)
    }


class HeldClock(Clock):
    """A clock that goes only when it is told to."""

    def __init__(self, now_ms: int = 1_795_860_000_000) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class Context:
    """Lambda's context of an invocation that has just begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 600_000
