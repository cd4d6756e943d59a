"""How much work a comparison may be: anyone with the webhook's secret can post what is compared."""

from __future__ import annotations

from collections.abc import Callable

from shared.runtime import Deadline

Check = Callable[[], None]
"""Called again and again by what may take long. Raises :class:`TooMuchWork`."""


class TooMuchWork(Exception):
    """A conversation has more text than can be compared."""


def until(deadline: Deadline) -> Check:
    def check() -> None:
        if not deadline.remaining():
            raise TooMuchWork("out of time")

    return check


def unlimited() -> None:
    """The check of a comparison that nobody limits."""
