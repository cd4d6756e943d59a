"""An utterance that comes after its conversation was compared with ASAPP's record has it compared
again; one that comes after the conversation was erased has it erased again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import table
from shared.aws.batch_read import NotRead, batch_read
from shared.aws.botocore_errors import error_code
from shared.runtime import SYSTEM_CLOCK, Clock

logger = logging.getLogger(__name__)

_READ = (
    *("version", table.RECONCILE, "leasedUntil", "late", "completeness"),
    *(table.EXPIRES_AT, table.ERASED_AT),
)

Call = Mapping[str, Any]
"""The attributes of a conversation's item that matter here."""


class LateUtterances:
    """:param dynamodb: A boto3 DynamoDB client."""

    def __init__(self, dynamodb: Any, table_name: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._clock = clock

    def calls(self, conversation_ids: Collection[str]) -> dict[str, Call] | None:
        """What the table has of these conversations; None if it cannot be read."""
        keys = [(conversation_id, "conversation") for conversation_id in conversation_ids]
        try:
            found = batch_read(self._dynamodb, self._table, keys, _READ)
        except (ClientError, BotoCoreError, NotRead) as problem:
            logger.error("the table cannot be read", extra={"code": error_code(problem)})
            return None
        return {item[table.CONVERSATION_ID]: item for item in found}

    def open_again(
        self, conversation_ids: Collection[str], calls: Mapping[str, Call] | None
    ) -> set[str]:
        """Put the conversations into the index that are not there, or that a run compares now.

        :param conversation_ids: Those of which utterances were posted and stored.
        :param calls: As :meth:`calls` gives them.
        :returns: Those that could not be: their records must come again.
        """
        if calls is None:
            return set(conversation_ids)
        now = self._clock.now_ms()
        late = [
            item
            for conversation_id, item in calls.items()
            if conversation_id in conversation_ids and _is_late(item, now)
        ]
        return {item[table.CONVERSATION_ID] for item in late if not self._open(item, now)}

    def erase_again(self, conversation_ids: Collection[str]) -> set[str]:
        """Put erased conversations into the index for ``erase_conversation``, which deletes what
        came.

        :returns: Those that could not be: their records must come again.
        """
        now = self._clock.now_ms()
        return {
            conversation_id
            for conversation_id in conversation_ids
            if not self._mark(conversation_id, table.ERASE, now)
        }

    def _open(self, conversation: Mapping[str, Any], now: int) -> bool:
        conversation_id = conversation[table.CONVERSATION_ID]
        waits = table.reconcile_key(table.PENDING, conversation_id)
        due = now + table.pause_before_late_look_ms(conversation.get("late", 0))
        return self._mark(conversation_id, waits, due)

    def _mark(self, conversation_id: str, waits: str, due: int) -> bool:
        """:returns: Whether it is in the index, or gone."""
        request = table.update(
            self._table,
            table.conversation_key(conversation_id),
            {},
            {"late": 1},
            first={table.RECONCILE: waits, table.RECONCILE_AT: due},
            condition=table.EXISTS,
        )
        try:
            self._dynamodb.update_item(**request)
        except (ClientError, BotoCoreError) as problem:
            code = error_code(problem)
            if code == "ConditionalCheckFailedException":
                return True  # it has expired meanwhile
            logger.error("the table refused a write", extra={"code": code})
            return False
        logger.info("an utterance came late", extra={"conversationId": conversation_id})
        return True


def _is_late(conversation: Mapping[str, Any], now: int) -> bool:
    """What waits for its comparison is compared with all that is stored by then."""
    is_ours = "version" in conversation and not table.is_expired(conversation, now)
    is_compared_now = conversation.get("leasedUntil", 0) > now
    waits = table.RECONCILE in conversation and not is_compared_now
    return is_ours and not waits and conversation.get("completeness") != table.QUARANTINED
