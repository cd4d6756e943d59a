"""How long a server is waited for, and how the waiting ends."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from shared.runtime import Deadline


class Failed(Exception):
    """It cannot be had in this run; says why, in no words of the server's."""


class OutOfTime(Exception):
    """The invocation is nearly over; the next one goes on."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """:param tries: In a row without success, until it is given up.
    :param seconds_a_read: A silence that long ends a try.
    :param seconds_a_mib: So does a MiB that takes longer.
    """

    tries: int = 6
    first_pause_seconds: float = 1.0
    seconds_a_read: float = 10.0
    seconds_a_mib: float = 30.0

    def pause(self, failures: int, deadline: Deadline) -> None:
        """Between two tries: twice as long after each failure, half a minute in all."""
        seconds = self.first_pause_seconds * 2 ** (failures - 1) * random.uniform(0.75, 1.25)  # noqa: S311
        time.sleep(min(seconds, deadline.remaining()))

    def seconds(self, deadline: Deadline) -> float:
        """The time limit of what comes next.

        :raises OutOfTime: where there is no time for it.
        """
        if not deadline.remaining():
            raise OutOfTime
        return min(self.seconds_a_read, deadline.remaining())
