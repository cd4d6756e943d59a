"""The calls that go on, and those that ended a moment ago."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from shared import table
from shared.aws.batch_read import batch_read
from shared.live.listed_calls import ENDED_MS, is_listed
from shared.transcripts.call import READ, call_of

MOST_CALLS = 500
_MOST_READ = 2_000
"""Calls that are read for one list. Beside those that ended a moment ago the index has those that
were compared a moment ago and are to be compared again: only their items tell them apart."""
_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """:param calls: The last changed first.
    :param more: Whether some are left out.
    """

    calls: list[dict[str, Any]]
    more: bool


def running_calls(
    dynamodb: Any, table_name: str, now_ms: int, most_read: int = _MOST_READ
) -> Listed:
    """At most ``MOST_CALLS``. An ended call never takes the place of one that goes on; of each
    kind, those are there that changed last.

    The index knows a call until its transcript has been compared with ASAPP's. That is also done
    with a call of which nothing is seen for hours: it is taken to be over.

    :param dynamodb: A boto3 DynamoDB client that may query the index and read the table.
    """
    waiting = chain(
        _last_first(dynamodb, table_name, table.IN_PROGRESS),
        # The time in the index is that of the end; or if a call waits for another comparison, one
        # that may be a day ahead.
        _last_first(dynamodb, table_name, table.PENDING, (now_ms - ENDED_MS, now_ms)),
    )
    found: dict[str, dict[str, Any]] = {}
    read = 0
    while len(found) <= MOST_CALLS and read < most_read:
        ids = list(islice(waiting, min(_AT_A_TIME, most_read - read)))
        if not ids:
            break
        read += len(ids)
        keys = [(id, table.CONVERSATION) for id in dict.fromkeys(ids)]
        for item in batch_read(dynamodb, table_name, keys, READ):
            if "version" in item and not table.is_expired(item, now_ms) and is_listed(item, now_ms):
                found[item[table.CONVERSATION_ID]] = call_of(item)
    by_need = sorted(found.values(), key=lambda call: (_has_ended(call), -call["changedAt"]))
    calls = sorted(by_need[:MOST_CALLS], key=lambda call: call["changedAt"], reverse=True)
    return Listed(calls, more=len(found) > MOST_CALLS or next(waiting, None) is not None)


def _last_first(
    dynamodb: Any, table_name: str, waits_for: str, between_ms: tuple[int, int] | None = None
) -> Iterator[str]:
    """The ids of the calls that wait for this in the index.

    :param between_ms: Only those whose time in the index is between these, or one of them.
    """
    every = (
        _marked(dynamodb, table_name, key, between_ms) for key in table.reconcile_keys(waits_for)
    )
    for conversation_id, _ in heapq.merge(*every, key=itemgetter(1), reverse=True):
        yield conversation_id


def _marked(
    dynamodb: Any, table_name: str, key: str, between_ms: tuple[int, int] | None
) -> Iterator[tuple[str, int]]:
    condition = f"{table.RECONCILE} = :key"
    values: dict[str, Any] = {":key": key}
    if between_ms:
        condition += f" AND {table.RECONCILE_AT} BETWEEN :first AND :last"
        values[":first"], values[":last"] = between_ms
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table_name,
        IndexName=table.RECONCILE_INDEX,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=table.attributes(values),
        ScanIndexForward=False,
        PaginationConfig={"PageSize": _AT_A_TIME},
    )
    for page in pages:
        for item in map(table.values, page["Items"]):
            yield item[table.CONVERSATION_ID], item[table.RECONCILE_AT]


def _has_ended(call: dict[str, Any]) -> bool:
    return bool(call["state"] == table.ENDED)
