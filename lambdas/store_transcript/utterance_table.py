"""The table, as the consumer writes it."""

from __future__ import annotations

from typing import Any

from shared import table
from shared.aws.batch_write import batch_write
from shared.runtime import SYSTEM_CLOCK, Clock
from shared.transcripts.utterance import Utterance


class UtteranceTable:
    """:param dynamodb: A boto3 DynamoDB client."""

    def __init__(
        self,
        dynamodb: Any,
        table_name: str,
        retention_seconds: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._retention = retention_seconds
        self._clock = clock

    def item(self, utterance: Utterance, received_at_ms: int, trace: str) -> dict[str, Any]:
        """:param trace: The X-Ray trace header that its event gets, ``""`` for none."""
        now = self._clock.now_ms()
        values = utterance.item(
            received_at_ms=received_at_ms,
            stored_at_ms=now,
            expires_at_s=now // 1000 + self._retention,
        )
        return table.attributes(values | ({"trace": trace} if trace else {}))

    def put(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write at most 25 items with distinct keys.

        :returns: The items that the table had no capacity for.
        :raises ClientError, BotoCoreError: if it wrote none of them.
        """
        writes = [{"PutRequest": {"Item": item}} for item in items]
        left = batch_write(self._dynamodb, self._table, writes, self._clock)
        return [write["PutRequest"]["Item"] for write in left]
