"""BatchWriteItem for what needs no condition: many items a call, and again what had no room."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from shared.runtime import Clock

ITEMS_A_CALL = 25
"""DynamoDB's limit."""
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.1


def batch_write(
    dynamodb: Any, table_name: str, writes: Sequence[dict[str, Any]], clock: Clock
) -> list[dict[str, Any]]:
    """:param writes: At most 25 put and delete requests with distinct keys.
    :returns: Those that the table had no capacity for, however often it was asked.
    :raises ClientError, BotoCoreError: if it took none of them.
    """
    left = list(writes)
    for attempt in range(_TRIES):
        if attempt:
            pause = _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
            clock.sleep(pause * random.uniform(1, 1.25))  # noqa: S311
        answer = dynamodb.batch_write_item(RequestItems={table_name: left})
        left = answer.get("UnprocessedItems", {}).get(table_name, [])
        if not left:
            break
    return left


def write_all(
    dynamodb: Any, table_name: str, writes: Sequence[dict[str, Any]], clock: Clock
) -> None:
    """As :func:`batch_write`, for any number of requests.

    :raises NoCapacity: if the table has not taken all of them.
    """
    for at in range(0, len(writes), ITEMS_A_CALL):
        if batch_write(dynamodb, table_name, writes[at : at + ITEMS_A_CALL], clock):
            raise NoCapacity


class NoCapacity(Exception):
    """The table refused some of the writes for too long."""
