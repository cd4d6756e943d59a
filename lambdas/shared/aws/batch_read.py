"""BatchGetItem: some attributes of many items in few calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shared import table

_ITEMS_A_CALL = 100
"""DynamoDB's limit."""
_TRIES = 3


def batch_read(
    dynamodb: Any, table_name: str, keys: Iterable[tuple[str, str]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """The items that there are, as :func:`shared.table.values` gives them.

    :param dynamodb: A boto3 DynamoDB client.
    :param keys: Distinct pairs of a conversation's id and an item's name.
    :param names: Of the attributes that are wanted beside the keys.
    :raises ClientError, BotoCoreError: if the table cannot be read.
    :raises NotRead: if it had no capacity for all of them.
    """
    ahead = [table.item_key(*key) for key in keys]
    wanted = (table.CONVERSATION_ID, table.ITEM, *names)
    projection = {
        "ProjectionExpression": ", ".join(f"#{name}" for name in wanted),
        "ExpressionAttributeNames": {f"#{name}": name for name in wanted},
        "ConsistentRead": True,
    }
    found: list[dict[str, Any]] = []
    for at in range(0, len(ahead), _ITEMS_A_CALL):
        left = ahead[at : at + _ITEMS_A_CALL]
        for _ in range(_TRIES):
            answer = dynamodb.batch_get_item(
                RequestItems={table_name: {"Keys": left, **projection}}
            )
            found += map(table.values, answer["Responses"].get(table_name, ()))
            left = answer.get("UnprocessedKeys", {}).get(table_name, {}).get("Keys", [])
            if not left:
                break
        else:
            raise NotRead
    return found


class NotRead(Exception):
    """The table had no capacity for some of the items."""
