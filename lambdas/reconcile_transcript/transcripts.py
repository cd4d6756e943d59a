"""The table, as reconciliation reads and writes it."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError

from reconcile_transcript.alignment import Alignment, Held, Stream
from shared import table
from shared.botocore_errors import error_code
from shared.conversation import ENDED
from shared.runtime import now_ms
from shared.table import BATCH, RECONCILE_INDEX
from shared.utterance import PREFIX, Utterance, stream_starts

_LEASE_MS = 15 * 60_000
_ITEMS_A_CALL = 25
"""DynamoDB's limit for BatchWriteItem."""
_TRIES = 5
_READ = (
    *("item", "streamId", "role", "senderId", "startMs", "endMs", "text", "source", "messageId"),
    *("receivedAt", "startedAt", "transcripts", "state", "version", "changedAt", "completeness"),
    *("reconcileTries", "reconciledVersion", "reportedAt", "fromMessages", "reconcile"),
    "reconcileAt",
)

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the table has of a conversation.

    :param changed_at_ms: When something was last seen of the call, most often its end.
    :param marked_at_ms: Since when it waits for the export, 0 where it does not.
    :param unchanged: Whether the call is as it was when it was reconciled last.
    :param summary: How many utterances ASAPP says it has made, None where it has not said it of
        every stream.
    :param senders: By role, the id that ASAPP was told.
    """

    conversation_id: str
    version: int
    ended: bool
    changed_at_ms: int
    marked_at_ms: int
    unchanged: bool
    completeness: str
    tries: int
    reported: bool
    from_messages: int
    summary: int | None
    held: tuple[Held, ...]
    streams: tuple[Stream, ...]
    senders: Mapping[str, str]

    @property
    def recovered(self) -> int:
        return sum(1 for held in self.held if held.message_id)


class Transcripts:
    """:param dynamodb: A boto3 DynamoDB client."""

    def __init__(self, dynamodb: Any, table_name: str, retention_seconds: int) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._retention = retention_seconds

    def marked(self, state: str, until_ms: int) -> Iterator[tuple[str, int]]:
        """The conversations in the index, by their time, with it: from the longest due on.

        :param state: ``PENDING`` or ``BATCH``.
        """
        every = (self._marked(key, until_ms) for key in table.reconcile_keys(state))
        return heapq.merge(*every, key=itemgetter(1))

    def _marked(self, key: str, until_ms: int) -> Iterator[tuple[str, int]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=RECONCILE_INDEX,
            KeyConditionExpression="reconcile = :key AND reconcileAt <= :until",
            ExpressionAttributeValues=table.attributes({":key": key, ":until": until_ms}),
            PaginationConfig={"PageSize": 100},
        )
        for page in pages:
            for item in map(table.values, page["Items"]):
                yield item["conversationId"], item["reconcileAt"]

    def claim(self, conversation_id: str, seen_at_ms: int, *, due_after_ms: int) -> bool:
        """Lease it, unless somebody else has or its call has gone on since.

        :param due_after_ms: How long after ``reconcileAt`` it is due, which the lease is not to
            wait for as well.
        """
        return self._update(
            conversation_id,
            {"reconcileAt": now_ms() + _LEASE_MS - due_after_ms},
            condition=table.equals("reconcileAt", seen_at_ms),
        )

    def read(self, conversation_id: str) -> Known | None:
        """:returns: None for a call that nobody has started or seen."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="conversationId = :id",
            ExpressionAttributeValues=table.attributes({":id": conversation_id}),
            ProjectionExpression=", ".join(f"#{name}" for name in _READ),
            ExpressionAttributeNames={f"#{name}": name for name in _READ},
            ConsistentRead=True,
        )
        items = [table.values(item) for page in pages for item in page["Items"]]
        for item in items:
            if item["item"] == "conversation" and "version" in item:
                return _known(conversation_id, item, items)
        return None

    def write(self, known: Known, alignment: Alignment, source: str) -> None:
        """Add what is missing, with the streams that it needs, and take out the twins.

        :param source: ``messages`` or ``export``.
        """
        now = now_ms()
        expires = now // 1000 + self._retention
        for stream in alignment.streams:
            named = {"streamId": stream.id, "role": stream.role, "expiresAt": expires}
            request = table.update(
                self._table,
                table.stream_key(known.conversation_id, stream.id),
                named,
                first={"startedAt": stream.began_at_ms, "source": source},
            )
            self._dynamodb.update_item(**request)
        writes = []
        for each in (*alignment.missing, *alignment.moved):
            said = each.said
            key = each.key or f"{PREFIX}{source}#{said.id}"
            utterance = Utterance(
                conversation_id=known.conversation_id,
                stream_id=each.stream_id,
                role=each.role,
                sender_id=said.sender_id or known.senders.get(each.role, ""),
                start_ms=each.start_ms,
                end_ms=each.end_ms,
                text=said.text,
                message=said.message,
                digest="",
            )
            item = utterance.item(
                source=key.split("#")[1],
                received_at_ms=now,
                stored_at_ms=now,
                expires_at_s=expires,
            )
            item = table.attributes(item | {"item": key, "messageId": said.id})
            writes.append({"PutRequest": {"Item": item}})
        for key in alignment.twins:
            twin = {"conversationId": known.conversation_id, "item": key}
            writes.append({"DeleteRequest": {"Key": table.attributes(twin)}})
        self._batch(writes)

    def settle(self, known: Known, changes: Item, next_state: str, next_at_ms: int) -> bool:
        """Write down what came of it.

        :param next_state: ``PENDING``, ``BATCH``, or ``""``: it is finished.
        :returns: False where the call has gone on meanwhile: it comes up again, and this is not
            written.
        """
        marks: dict[str, Any] = {}
        if next_state:
            key = table.reconcile_key(next_state, known.conversation_id)
            marks = {"reconcile": key, "reconcileAt": next_at_ms}
        return self._update(
            known.conversation_id,
            {**changes, **marks, "reconciledVersion": known.version},
            removed=[
                *([] if next_state else ["reconcile", "reconcileAt"]),
                *([] if "fromSummary" in changes else ["fromSummary"]),
            ],
            condition=table.equals("version", known.version),
        )

    def _update(
        self,
        conversation_id: str,
        changes: Item,
        *,
        removed: Sequence[str] = (),
        condition: table.Condition,
    ) -> bool:
        key = table.conversation_key(conversation_id)
        request = table.update(self._table, key, changes, condition=condition)
        if removed:
            request["UpdateExpression"] += " REMOVE " + ", ".join(f"#{name}" for name in removed)
            request["ExpressionAttributeNames"] |= {f"#{name}": name for name in removed}
        try:
            self._dynamodb.update_item(**request)
        except ClientError as problem:
            if error_code(problem) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _batch(self, writes: list[dict[str, Any]]) -> None:
        for at in range(0, len(writes), _ITEMS_A_CALL):
            left = writes[at : at + _ITEMS_A_CALL]
            for attempt in range(_TRIES):
                time.sleep(0.2 * attempt)
                answer = self._dynamodb.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    break
            else:
                raise NoCapacity


class NoCapacity(Exception):
    """The table took some writes and, for too long, not the others."""


def _known(conversation_id: str, conversation: Item, items: Sequence[Item]) -> Known:
    utterances = [item for item in items if item["item"].startswith(PREFIX)]
    opened = [item for item in items if item["item"].startswith("stream#")]
    began = stream_starts(items)
    roles = {item["streamId"]: item["role"] for item in (*utterances, *opened)}
    # Streams that reconciliation made are none of ASAPP's.
    made = {item["streamId"] for item in opened if "source" in item}
    counts = {item["streamId"]: item["transcripts"] for item in opened if "transcripts" in item}
    told = bool(counts) and set(counts) == set(roles) - made
    waits_for_export = conversation.get("reconcile") in table.reconcile_keys(BATCH)
    return Known(
        conversation_id=conversation_id,
        version=conversation["version"],
        ended=conversation.get("state") == ENDED,
        changed_at_ms=conversation.get("changedAt", 0),
        marked_at_ms=conversation["reconcileAt"] if waits_for_export else 0,
        unchanged=conversation.get("reconciledVersion") == conversation["version"],
        completeness=conversation.get("completeness", ""),
        tries=conversation.get("reconcileTries", 0),
        reported="reportedAt" in conversation,
        from_messages=conversation.get("fromMessages", 0),
        summary=sum(counts.values()) if told else None,
        held=tuple(
            Held(
                key=item["item"],
                stream_id=item["streamId"],
                role=item["role"],
                start_ms=item["startMs"],
                end_ms=item["endMs"],
                text=item["text"],
                message_id=item.get("messageId", ""),
            )
            for item in utterances
        ),
        streams=tuple(Stream(name, roles[name], at) for name, at in began.items()),
        senders={item["role"]: item["senderId"] for item in utterances if item.get("senderId")},
    )
