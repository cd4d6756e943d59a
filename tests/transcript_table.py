"""The table of transcripts, as :class:`TranscriptStore` makes it: its keys, and the index."""

from __future__ import annotations

from typing import Any

from shared import table


def make_table(dynamodb: Any, name: str) -> None:
    """:param dynamodb: A boto3 client of moto's, or of the emulator's."""
    keys = ((table.CONVERSATION_ID, "HASH"), (table.ITEM, "RANGE"))
    due = ((table.RECONCILE, "HASH"), (table.RECONCILE_AT, "RANGE"))
    types = {key: "N" if key == table.RECONCILE_AT else "S" for key, _ in keys + due}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in types.items()
        ],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        GlobalSecondaryIndexes=[
            {
                "IndexName": table.RECONCILE_INDEX,
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in due],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
