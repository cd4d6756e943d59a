"""The invocation that we run in: its context, its trace, its time, and the clock that tells it.

All waits, retries and time limits use the clock of a :class:`Deadline`. A test gives the deadline a
clock of its own, which goes on only when the test says so.
"""

from __future__ import annotations

import os
import re
import time
from math import inf
from queue import SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")
_SECONDS_TO_ANSWER = 0.5


class LambdaContext(Protocol):
    """The part of Lambda's context that the handlers use."""

    def get_remaining_time_in_millis(self) -> int: ...


_TRACE = re.compile(
    r"Root=(1-([0-9a-f]{8})-([0-9a-f]{24}))(?:;Parent=([0-9a-f]{16}))?(?:;Sampled=([01]))?"
)


def trace_header(text: str) -> str:
    """The part of an X-Ray trace header that every AWS service takes, ``""`` if there is none."""
    found = _TRACE.search(text)
    return found[0] if found else ""


def trace_id() -> str:
    """The X-Ray trace of this invocation, ``""`` if it is not traced."""
    found = _TRACE.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    return found[1] if found else ""


def traceparent() -> str:
    """The same trace as OpenTelemetry writes it, ``""`` if this invocation is not traced.

    Source: https://www.w3.org/TR/trace-context/
    """
    found = _TRACE.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    if not found or not found[4]:
        return ""
    return f"00-{found[2]}{found[3]}-{found[4]}-0{found[5] or 0}"


class Clock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. For times within one invocation."""
        return time.monotonic()

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def age(self, at_ms: float) -> float:
        """Seconds since a moment of `now_ms`; infinite if that is yet to come, as after the clock
        was set back.

        For what is kept from one invocation to the next. Lambda freezes a process in between, and
        `monotonic` may stand still meanwhile.
        """
        passed = self.now_ms() - at_ms
        return passed / 1000 if passed >= 0 else inf

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        """The next entry of a queue.

        :raises queue.Empty: if none comes within that many seconds.
        """
        return queue.get(timeout=seconds)


SYSTEM_CLOCK = Clock()


class Deadline:
    """A moment by which an answer must be there.

    :param seconds: From now.
    """

    def __init__(self, seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self._end = clock.monotonic() + seconds

    @classmethod
    def of(cls, context: LambdaContext, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        """Half a second before Lambda would end the invocation."""
        return cls(context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_ANSWER, clock)

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - self.clock.monotonic())

    def earlier(self, seconds: float) -> Deadline:
        """A deadline that leaves ``seconds`` of this one for what comes after."""
        return Deadline(self.remaining() - seconds, self.clock)

    def at_most(self, seconds: float) -> Deadline:
        """A deadline in ``seconds``, or this one if it comes first."""
        return Deadline(min(self.remaining(), seconds), self.clock)

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        self.clock.sleep(min(seconds, self.remaining()))
