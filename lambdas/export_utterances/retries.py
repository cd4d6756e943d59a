"""Pauses, tries and time limits of the downloads."""

from __future__ import annotations

import random

from shared.runtime import Deadline

TRIES = 6
"""Tries in a row without success."""
SECONDS_A_READ = 10.0
_FIRST_PAUSE_SECONDS = 1.0


class Failed(Exception):
    """This run cannot get it. The message says why, without the server's words."""


class OutOfTime(Exception):
    """The invocation is nearly over; the next one goes on."""


def pause(failures: int, deadline: Deadline) -> None:
    """Between two tries: twice as long after each failure, half a minute in all."""
    deadline.pause(_FIRST_PAUSE_SECONDS * 2 ** (failures - 1) * random.uniform(0.75, 1.25))  # noqa: S311


def seconds(deadline: Deadline, most: float = SECONDS_A_READ) -> float:
    """The time limit of the next step.

    :raises OutOfTime: if there is no time for it.
    """
    if not deadline.remaining():
        raise OutOfTime
    return min(most, deadline.remaining())
