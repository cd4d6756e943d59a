"""Ends a run when its time is over: what is left is for the next run."""

from __future__ import annotations

from shared.runtime import Deadline


class OutOfTime(Exception):
    """The rest is for another run."""


def check_time(deadline: Deadline) -> None:
    """:raises OutOfTime: if the deadline is over."""
    if not deadline.remaining():
        raise OutOfTime
