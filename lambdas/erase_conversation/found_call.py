"""What the table has of a call: what would be erased, read without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared import table
from shared.calls.customers import customers_of
from shared.table import CONVERSATION, UTTERANCE
from shared.transcripts.call import contacts_of

_READ = (
    *(table.ITEM, "version", "state", "legs", "contactIds", "toldContactId", "customerId"),
    *("createdAt", "changedAt", "receivedAt", "messageId", "legOf", "startedAt", "endedAt"),
    *("reconcile", table.ERASED_AT, table.ERASURE, table.HELD_BY),
)

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FoundCall:
    """
    :param legs: The ids of its contacts, without that of the conversation.
    :param items: How many items it has in the table, of all its legs.
    :param days: The days whose exported files may have it, like ``2026-11-23``.
    :param customers: The customer's id as it was told, most often one. Never stored or logged.
    :param messages: ASAPP's ids of its utterances, as far as they are known.
    :param held_by: Who has put it under legal hold; ``""`` if nobody has.
    """

    conversation_id: str
    conversation: Item = field(default_factory=dict)
    legs: frozenset[str] = frozenset()
    items: int = 0
    utterances: int = 0
    streams: int = 0
    days: tuple[str, ...] = ()
    customers: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    held_by: str = ""

    @property
    def is_erased(self) -> bool:
        return table.ERASED_AT in self.conversation

    @property
    def erasure(self) -> str:
        return str(self.conversation.get(table.ERASURE, ""))

    def is_running(self, now_ms: int) -> bool:
        """Whether the call is not known to be over."""
        if "version" not in self.conversation or self.conversation.get("state") == table.ENDED:
            return False
        return bool(self.conversation.get("changedAt", 0) > now_ms - table.LONGEST_SILENCE_MS)


def read_call(dynamodb: Any, table_name: str, conversation_id: str) -> FoundCall:
    """:param conversation_id: ASAPP's ``guid``."""
    own = list(items_of(dynamodb, table_name, conversation_id))
    conversation = next((item for item in own if item[table.ITEM] == CONVERSATION), {})
    legs = contacts_of(conversation) - {conversation_id}
    of_legs = [item for leg in sorted(legs) for item in items_of(dynamodb, table_name, leg)]
    every = [item for item in (*own, *of_legs) if not _is_of_erasure(item)]
    return FoundCall(
        conversation_id=conversation_id,
        conversation=conversation,
        legs=frozenset(legs),
        items=len(every),
        utterances=sum(1 for item in every if item[table.ITEM].startswith(UTTERANCE)),
        streams=sum(1 for item in every if item[table.ITEM].startswith("stream#")),
        days=_days(every),
        customers=frozenset(customers_of(conversation)),
        messages=frozenset(item["messageId"] for item in every if item.get("messageId")),
        held_by=next((item[table.HELD_BY] for item in every if table.HELD_BY in item), ""),
    )


def _days(items: Sequence[Item]) -> tuple[str, ...]:
    """The days on which the call went on.

    A recovered utterance was received days later, but has the time at which it was spoken. It may
    be all that is left. Each counts alone, so that one wrong time does not make a range of years.
    """
    recovered = [item for item in items if item.get("messageId")]
    moments = [
        int(item[name])
        for item in items
        for name in ("createdAt", "changedAt", "receivedAt")
        if item.get(name) and not item.get("messageId")
    ]
    spoken = {
        item[name] for item in recovered for name in ("startedAt", "endedAt") if item.get(name)
    }
    days = {day for ms in spoken for day in days_between(ms, ms)}
    if moments:
        days |= {*days_between(min(moments), max(moments))}
    return tuple(sorted(days))


def items_of(dynamodb: Any, table_name: str, partition: str) -> Iterator[Item]:
    """The items of a partition, without what was said."""
    pages = dynamodb.get_paginator("query").paginate(**table.query(table_name, partition, _READ))
    for page in pages:
        yield from map(table.values, page["Items"])


def days_between(first_ms: int, last_ms: int) -> tuple[str, ...]:
    """The days of these moments in UTC, with the day before and the day after: the export may put
    a call that crosses midnight into either."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (first_ms, last_ms))
    return days_around(first, last)


def days_around(first: date, last: date) -> tuple[str, ...]:
    begin, end = first - timedelta(days=1), last + timedelta(days=1)
    return tuple(str(begin + timedelta(days=at)) for at in range((end - begin).days + 1))


def _is_of_erasure(item: Item) -> bool:
    return bool(
        item[table.ITEM] == table.ERASING
        or (item[table.ITEM] == CONVERSATION and table.ERASED_AT in item)
    )
