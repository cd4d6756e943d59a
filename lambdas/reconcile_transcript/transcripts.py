"""The table, as reconciliation reads and writes it."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError

from reconcile_transcript.alignment import Alignment, Missing
from reconcile_transcript.alignment.budget import TooMuchWork
from reconcile_transcript.alignment.utterances import Held
from shared import table
from shared.aws.batch_write import write_all
from shared.aws.botocore_errors import error_code
from shared.calls.customers import customers_of
from shared.runtime import SYSTEM_CLOCK, Clock
from shared.table import BATCH, IN_PROGRESS, RECONCILE, RECONCILE_AT, RECONCILE_INDEX, UTTERANCE
from shared.transcripts.stored_utterances import (
    is_verified,
    opened_streams,
    role_of,
    spoken_at,
    stream_starts,
)

_LEASE_MS = 15 * 60_000
_MOST_BYTES = 32 * 1024 * 1024
"""Of a conversation's text: more does not fit into memory with all that is made of it."""
_BYTES_OF_AN_ITEM = 1_000
_ENTERED_LONGER_S = 16 * 86_400
"""How much longer than the call its customer's entry is kept. So late its last words may come: a
week of GET messages, three days of waiting for the export, half a week, three days again."""
WAITS_FOR_KEY = "waitsForKey"
"""In a conversation that is in the index only because the key could not be read."""
_NOT_HEARD = ("lastStartFailed", "unheardTalk", "holdNotResumed")
"""Start, stop and the events set these in a conversation of which a part was not transcribed."""
_READ = (
    *(table.ITEM, "streamId", "role", "senderId", "startMs", "endMs", "text", "source"),
    *("messageId", "receivedAt", "startedAt", "endedAt", "transcripts", "state", "version"),
    *(
        "changedAt",
        "completeness",
        *_NOT_HEARD,
        "confirmedAt",
        "late",
        table.EXPIRES_AT,
        "noTranscriptAt",
        "reconcileTries",
    ),
    *("reconciledVersion", "reportedAt", "fromMessages", RECONCILE, RECONCILE_AT),
    *("legs", "customerId", "toldContactId", "enteredAt"),
    *(WAITS_FOR_KEY, "fromWebhook", "recovered"),
)

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the table has of a conversation.

    :param changed_at_ms: When the call was last observed; most often this is its end.
    :param marked_at_ms: When it began to wait for the export; 0 if it does not wait.
    :param unchanged: Whether the call has not changed since the last reconciliation.
    :param summary: ASAPP's own count of utterances; None if it is not known for every stream.
    :param senders: By role, the id that we gave ASAPP at the start.
    :param was_heard: Whether, as far as we know, the whole call was transcribed: no start failed
        for good, every hold was resumed, and there is at least one stream or utterance.
    :param no_transcript: Whether it was reported as a call without transcript.
    :param late: How often an utterance came after the comparison, or meanwhile.
    :param customers: The customer's id as ASAPP was told it; none once the call is in the index of
        customers.
    :param only_to_enter: Whether its last comparison is done, nothing has come since, and it is
        only to be entered into that index.
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
    senders: Mapping[str, str]
    was_heard: bool = True
    no_transcript: bool = False
    late: int = 0
    customers: frozenset[str] = frozenset()
    only_to_enter: bool = False

    @property
    def recovered(self) -> int:
        return sum(1 for held in self.held if held.message_id)


@dataclass(frozen=True, slots=True)
class Lease:
    """:param unfinished: How many tries of a comparison have begun and did not end."""

    unfinished: int


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a comparison that begins.

    :param unfinished: How many before it did not end.
    :param completeness: As it was before.
    :param customers: As in :class:`Known`.
    """

    unfinished: int = 0
    completeness: str = ""
    customers: frozenset[str] = frozenset()


class Transcripts:
    """:param dynamodb: A boto3 DynamoDB client.
    :param most_bytes: Of a conversation's text.
    """

    def __init__(
        self,
        dynamodb: Any,
        table_name: str,
        retention_seconds: int,
        clock: Clock = SYSTEM_CLOCK,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._retention = retention_seconds
        self._clock = clock
        self._most_bytes = most_bytes

    def marked(self, state: str, until_ms: int) -> Iterator[tuple[str, int]]:
        """The conversations in the index with their times, the earliest first.

        :param state: ``IN_PROGRESS``, ``PENDING`` or ``BATCH``.
        """
        every = (self._marked(key, until_ms) for key in table.reconcile_keys(state))
        return heapq.merge(*every, key=itemgetter(1))

    def _marked(self, key: str, until_ms: int) -> Iterator[tuple[str, int]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=RECONCILE_INDEX,
            KeyConditionExpression=f"{RECONCILE} = :key AND {RECONCILE_AT} <= :until",
            ExpressionAttributeValues=table.attributes({":key": key, ":until": until_ms}),
            PaginationConfig={"PageSize": 100},
        )
        for page in pages:
            for item in map(table.values, page["Items"]):
                yield item[table.CONVERSATION_ID], item[RECONCILE_AT]

    def in_progress(self, since_ms: int) -> int:
        """How many calls have changed since then and are not known to be over."""
        pages = self._dynamodb.get_paginator("query")
        return sum(
            page["Count"]
            for key in table.reconcile_keys(IN_PROGRESS)
            for page in pages.paginate(
                TableName=self._table,
                IndexName=RECONCILE_INDEX,
                Select="COUNT",
                KeyConditionExpression=f"{RECONCILE} = :key AND {RECONCILE_AT} >= :since",
                ExpressionAttributeValues=table.attributes({":key": key, ":since": since_ms}),
            )
        )

    def claim(self, conversation_id: str, seen_at_ms: int) -> Lease | None:
        """Take the lease, unless another run has it or the conversation has changed since.

        :param seen_at_ms: Its time in the index, as it was read.
        """
        now = self._clock.now_ms()
        free = "(attribute_not_exists(#leasedUntil) OR #leasedUntil < :now)"
        before = self._update(
            conversation_id,
            {"leasedUntil": now + _LEASE_MS},
            condition=(
                f"#{RECONCILE_AT} = :seen AND {free}",
                {f"#{RECONCILE_AT}": RECONCILE_AT, ":seen": seen_at_ms, ":now": now},
            ),
        )
        return None if before is None else Lease(before.get("unfinished", 0))

    def begin(self, conversation_id: str) -> Try:
        """Count a try before its work, which may end the process."""
        before = self._update(conversation_id, {}, {"unfinished": 1}, condition=table.EXISTS)
        if not before:
            return Try()
        unfinished, completeness = before.get("unfinished", 0), before.get("completeness", "")
        return Try(unfinished, completeness, _not_entered(before))

    def uncount(self, conversation_id: str) -> None:
        """A try has failed for a reason that is not the conversation's."""
        self._update(conversation_id, {}, {"unfinished": -1}, condition=table.EXISTS)

    def quarantine(self, conversation_id: str, changes: Item, again_at_ms: int | None) -> None:
        """Take it out of the index: nobody compares it until somebody asks for it.

        :param again_at_ms: When it is to be entered into the index of customers; None if it is.
        """
        written = {**changes, "completeness": table.QUARANTINED, "leasedUntil": 0}
        if again_at_ms is not None:
            key = table.reconcile_key(table.PENDING, conversation_id)
            written |= {RECONCILE: key, RECONCILE_AT: again_at_ms}
        self._update(
            conversation_id,
            written,
            removed=(RECONCILE, RECONCILE_AT) if again_at_ms is None else (),
            condition=("attribute_exists(#version)", {"#version": "version"}),  # no tombstone
        )

    def confirm(self, known: Known, keys: Iterable[str]) -> None:
        """ASAPP's own record has these utterances, whose streams the table does not know."""
        for key in keys:
            request = table.update(
                self._table,
                table.item_key(known.conversation_id, key),
                {"confirmedAt": self._clock.now_ms()},
                condition=table.EXISTS,
            )
            self._send(request)

    def read(self, conversation_id: str) -> Known | None:
        """:returns: None for a call that nobody has started or seen."""
        pages = self._dynamodb.get_paginator("query").paginate(
            **table.query(self._table, conversation_id, _READ)
        )
        now, size = self._clock.now_ms(), 0
        items: list[Item] = []
        for page in pages:
            for each in map(table.values, page["Items"]):
                if not table.is_expired(each, now):
                    items.append(each)
                    size += _BYTES_OF_AN_ITEM + len(each.get("text", ""))
            if size > self._most_bytes:
                raise TooMuchWork("too much text")
        for item in items:
            if item[table.ITEM] == "conversation" and "version" in item:
                return _known(conversation_id, item, items)
        return None

    def enter(self, conversation_id: str, digest: str) -> None:
        """Enter the call into the index of customers.

        :param digest: Of the customer's id.
        """
        key = table.item_key(table.customer_partition(digest), f"{table.OF_CALL}{conversation_id}")
        expires = self._clock.now_ms() // 1000 + self._retention + _ENTERED_LONGER_S
        self._send(table.update(self._table, key, {table.EXPIRES_AT: expires}))

    def write(self, known: Known, alignment: Alignment, source: str) -> None:
        """Add what is missing, and delete the twins.

        :param source: ``messages`` or ``export``.
        :raises NoCapacity: as `write_all`.
        """
        writes = [
            *(
                {"PutRequest": {"Item": self._item(known, each, source)}}
                for each in (*alignment.missing, *alignment.moved)
            ),
            *(
                {"DeleteRequest": {"Key": table.item_key(known.conversation_id, key)}}
                for key in alignment.twins
            ),
        ]
        write_all(self._dynamodb, self._table, writes, self._clock)

    def _item(self, known: Known, missing: Missing, source: str) -> dict[str, Any]:
        now, said = self._clock.now_ms(), missing.said
        key = missing.key or f"{UTTERANCE}{source}#{said.id}"
        return table.attributes(
            {
                table.CONVERSATION_ID: known.conversation_id,
                table.ITEM: key,
                "role": missing.role,
                "senderId": said.sender_id or known.senders.get(missing.role, ""),
                "startedAt": missing.start_ms,
                "endedAt": missing.end_ms,
                "text": said.text,
                "message": said.message,
                "messageId": said.id,
                "source": key.split("#")[1],
                "receivedAt": now,
                "storedAt": now,
                table.EXPIRES_AT: now // 1000 + self._retention,
            }
        )

    def settle(self, known: Known, changes: Item, next_state: str, next_at_ms: int) -> bool:
        """Write down the result.

        :param next_state: ``PENDING``, ``BATCH``, or ``""``: it is finished.
        :returns: False if the call has changed meanwhile. Then nothing is written, and a later run
            looks again.
        """
        marks: dict[str, Any] = {}
        if next_state:
            key = table.reconcile_key(next_state, known.conversation_id)
            marks = {RECONCILE: key, RECONCILE_AT: next_at_ms}
        written = {**changes, "reconciledVersion": known.version, "leasedUntil": 0, "unfinished": 0}
        removed = [each for each in ("fromSummary", WAITS_FOR_KEY) if each not in changes]
        version, seen = table.equal({"version": known.version})
        none_late = "#late = :late" if known.late else "attribute_not_exists(#late)"
        late = {"#late": "late"} | ({":late": known.late} if known.late else {})
        settled = self._update(
            known.conversation_id,
            written | marks,
            removed=[*([] if next_state else [RECONCILE, RECONCILE_AT]), *removed],
            condition=(f"{version} AND {none_late}", {**seen, **late}),
        )
        if settled is None:
            # An utterance came after the table was read: the result is of what was read.
            pause = table.pause_before_late_look_ms(known.late + 1)
            again = {
                RECONCILE: table.reconcile_key(table.PENDING, known.conversation_id),
                RECONCILE_AT: self._clock.now_ms() + pause,
            }
            settled = self._update(
                known.conversation_id,
                written | again,
                removed=removed,
                condition=(version, seen),
            )
        if settled is None:
            self._update(
                known.conversation_id, {"leasedUntil": 0, "unfinished": 0}, condition=table.EXISTS
            )
        return settled is not None

    def release(self, conversation_id: str) -> None:
        """Give a lease back early."""
        self._update(conversation_id, {"leasedUntil": 0}, condition=table.EXISTS)

    def _update(
        self,
        conversation_id: str,
        changes: Item,
        additions: Item | None = None,
        *,
        removed: Sequence[str] = (),
        condition: table.Condition,
    ) -> Item | None:
        """:returns: The item as it was before; None if the condition failed."""
        key = table.conversation_key(conversation_id)
        request = table.update(self._table, key, changes, additions, condition=condition)
        if removed:
            request["UpdateExpression"] += " REMOVE " + ", ".join(f"#{name}" for name in removed)
            request["ExpressionAttributeNames"] |= {f"#{name}": name for name in removed}
        return self._send(request)

    def _send(self, request: Mapping[str, Any]) -> Item | None:
        try:
            answer = self._dynamodb.update_item(**request, ReturnValues="ALL_OLD")
        except ClientError as problem:
            if error_code(problem) != "ConditionalCheckFailedException":
                raise
            return None
        return table.values(answer.get("Attributes", {}))


def _known(conversation_id: str, conversation: Item, items: Sequence[Item]) -> Known:
    utterances = [item for item in items if item[table.ITEM].startswith(UTTERANCE)]
    opened = [item for item in items if item[table.ITEM].startswith("stream#")]
    waits_for_export = conversation.get(RECONCILE) in table.reconcile_keys(BATCH)
    unchanged = conversation.get("reconciledVersion") == conversation["version"]
    counted = conversation.get("fromWebhook", 0) + conversation.get("recovered", 0)
    return Known(
        conversation_id=conversation_id,
        version=conversation["version"],
        ended=conversation.get("state") == table.ENDED,
        changed_at_ms=conversation.get("changedAt", 0),
        marked_at_ms=conversation[RECONCILE_AT] if waits_for_export else 0,
        unchanged=unchanged,
        completeness=conversation.get("completeness", ""),
        tries=conversation.get("reconcileTries", 0),
        reported="reportedAt" in conversation,
        from_messages=conversation.get("fromMessages", 0),
        summary=_summary(opened),
        held=tuple(_held(utterances, stream_starts(items), opened_streams(items))),
        customers=_not_entered(conversation),
        only_to_enter=WAITS_FOR_KEY in conversation and unchanged and counted == len(utterances),
        senders=_senders(utterances, opened_streams(items)),
        was_heard=bool(opened or utterances) and not any(map(conversation.get, _NOT_HEARD)),
        no_transcript="noTranscriptAt" in conversation,
        late=conversation.get("late", 0),
    )


def _not_entered(conversation: Item) -> frozenset[str]:
    """The customers under whom it is not in the index of customers yet."""
    return frozenset(() if "enteredAt" in conversation else customers_of(conversation))


def _senders(utterances: Sequence[Item], opened: Container[str]) -> dict[str, str]:
    """What ASAPP vouches for counts more."""
    ordered = sorted(utterances, key=lambda item: is_verified(item, opened))
    return {item["role"]: item["senderId"] for item in ordered if item.get("senderId")}


def _held(
    utterances: Iterable[Item], began: Mapping[str, int], opened: Container[str]
) -> Iterator[Held]:
    for item in utterances:
        start, end = spoken_at(item, began)
        yield Held(
            key=item[table.ITEM],
            role=role_of(item["role"]),
            start_ms=start,
            end_ms=end,
            text=item["text"],
            opened_ms=0 if "messageId" in item else began[item["streamId"]],
            message_id=item.get("messageId", ""),
            is_verified=is_verified(item, opened),
        )


def _summary(opened: Iterable[Item]) -> int | None:
    """ASAPP's count, if it has told it of every stream that it has opened."""
    streams = [item for item in opened if "source" not in item]
    counts = [item["transcripts"] for item in streams if "transcripts" in item]
    return sum(counts) if counts and len(counts) == len(streams) else None
