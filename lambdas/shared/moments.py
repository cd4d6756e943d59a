"""Moments, as Connect and ASAPP write them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_ms(value: object) -> int:
    """In milliseconds since 1970; 0 if there is none, or one of the year 1970 or 0001.

    :param value: ISO 8601, such as ``2026-11-23T07:00:00.250Z``.
    """
    if not isinstance(value, str):
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000) if moment.year > 1970 else 0
