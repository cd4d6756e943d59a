"""Which days an event asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

_LONGEST_RANGE_DAYS = 366


def last_days(yesterday: date, count: int) -> list[str]:
    """The last one first."""
    return [str(yesterday - timedelta(days=back)) for back in range(count)]


def days_of(event: Mapping[str, Any], yesterday: date) -> list[str]:
    """The days of ``{"from": "2026-11-01", "to": "2026-11-03"}``, the last one first.

    :raises ValueError: if the event is not a range of days that are over.
    """
    try:
        first, last = (date.fromisoformat(event[name]) for name in ("from", "to"))
        if event != {"from": str(first), "to": str(last)}:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            'The event is {}, {"from": "YYYY-MM-DD", "to": "YYYY-MM-DD"} or {"give_up": …}, with '
            "a day or such a range"
        ) from None
    count = (last - first).days + 1
    if not 1 <= count <= _LONGEST_RANGE_DAYS:
        raise ValueError(f"from .. to has to be 1 to {_LONGEST_RANGE_DAYS} days, not {count}")
    if last > yesterday:
        raise ValueError(f"to is at most {yesterday}: the feed of a day comes when it is over")
    return last_days(last, count)


def days_to_give_up(event: Mapping[str, Any], yesterday: date) -> list[str]:
    """The days of ``{"give_up": "2026-11-01"}`` or ``{"give_up": {"from": "…", "to": "…"}}``.

    :raises ValueError: as :func:`days_of` does.
    """
    asked = event["give_up"] if len(event) == 1 else None
    return days_of(asked if isinstance(asked, dict) else {"from": asked, "to": asked}, yesterday)
