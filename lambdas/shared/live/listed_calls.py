"""Which calls the list has: those that go on, and those that ended a moment ago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import table

ENDED_MS = 15 * 60_000
"""How long a call stays in the list after its end."""


def is_listed(call: Mapping[str, Any], now_ms: int) -> bool:
    """:param call: An item of a conversation, or what :func:`shared.transcripts.call.call_of`
    makes of it.
    """
    changed_at_ms: int = call.get("changedAt", 0)
    return call.get("state") != table.ENDED or changed_at_ms >= now_ms - ENDED_MS
