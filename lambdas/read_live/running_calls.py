"""The calls that go on, and those that ended a moment ago."""

from __future__ import annotations

from typing import Any

from shared import table
from shared.aws.batch_read import batch_read
from shared.transcripts.call import READ, call_of

MOST_CALLS = 500
_ENDED_MS = 15 * 60_000
"""How long an ended call stays in the list."""


def running_calls(dynamodb: Any, table_name: str, now_ms: int) -> list[dict[str, Any]]:
    """The last changed first; one more than ``MOST_CALLS`` if there are more.

    The index knows a call until its transcript has been compared with ASAPP's.

    :param dynamodb: A boto3 DynamoDB client that may query the index and read the table.
    """
    found: dict[str, int] = {}
    for key in (*table.reconcile_keys(table.IN_PROGRESS), *table.reconcile_keys(table.PENDING)):
        answer = dynamodb.query(
            TableName=table_name,
            IndexName=table.RECONCILE_INDEX,
            KeyConditionExpression=f"{table.RECONCILE} = :key",
            ExpressionAttributeValues=table.attributes({":key": key}),
            ScanIndexForward=False,
            Limit=MOST_CALLS + 1,
        )
        for item in map(table.values, answer["Items"]):
            found[item[table.CONVERSATION_ID]] = item[table.RECONCILE_AT]
    newest = sorted(found, key=lambda each: found[each], reverse=True)[: MOST_CALLS + 1]
    keys = [(conversation_id, table.CONVERSATION) for conversation_id in newest]
    items = batch_read(dynamodb, table_name, keys, READ)
    calls = [
        call_of(item)
        for item in items
        if "version" in item and not table.is_expired(item, now_ms) and _is_recent(item, now_ms)
    ]
    return sorted(calls, key=lambda call: call["changedAt"], reverse=True)


def _is_recent(item: dict[str, Any], now_ms: int) -> bool:
    changed: int = item.get("changedAt", 0)
    return item.get("state") != table.ENDED or changed >= now_ms - _ENDED_MS
