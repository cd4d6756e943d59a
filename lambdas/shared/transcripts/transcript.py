"""A conversation's transcript, read from the table: ``TranscriptReader("table", boto3.client(
"dynamodb")).read(contact_id).to_text()``."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared import table
from shared.runtime import SYSTEM_CLOCK, Clock
from shared.transcripts.call import READ
from shared.transcripts.printable import one_line
from shared.transcripts.stored_utterances import (
    in_order,
    is_verified,
    opened_streams,
    role_of,
    spoken_at,
    stream_starts,
    utterance_id,
)

_TWINS_WITHIN_MS = 5_000
_MOST_BYTES = 16 * 1024 * 1024
"""Of one conversation's text, so that no flood of it fills the memory of who reads it."""
_BYTES_OF_AN_ITEM = 1_000
"""About what it takes beside its text."""
_AWAITING, _FINAL = "awaiting", ("complete", "incomplete", "not_transcribed")
_COMPARED = ("fromSummary", "fromMessages", "fromExport", "onlyOurs", "refused")
"""Counts of the last comparison with ASAPP's record. The others are counted when it is read."""
_READ = (
    *(
        table.CONVERSATION_ID,
        table.ITEM,
        "streamId",
        "role",
        "senderId",
        "startMs",
        "endMs",
        "text",
        "source",
        "malformed",
    ),
    *("receivedAt", "storedAt", "startedAt", "endedAt", "confirmedAt"),
    *("legOf", "fromWebhook", "recovered", table.ERASED_AT, *_COMPARED, *READ),
)

Item = Mapping[str, Any]
Timed = tuple[Item, tuple[int, int]]
"""An utterance with its start and end, in milliseconds since 1970."""


class TooLong(Exception):
    """The conversation has more text than a transcript is made of."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance.

    :param role: ``customer``, ``agent`` or ``unknown``.
    :param sender_id: The ``customerId`` or ``agentId`` that ASAPP was told.
    :param at_ms: When it began, in milliseconds since 1970; as is ``end_ms``.
    :param source: ``webhook``, or where it was recovered from: ``messages``, ``export``.
    :param is_verified: Whether ASAPP vouches for it: its stream is one that ASAPP has opened for
        this conversation, or ASAPP's own record has it. If not, anyone with the webhook's secret
        may have posted it.
    :param malformed: The fields that were impossible in ASAPP's message: ``role``, ``times``.
    :param id: That of its event on the bus.
    :param stream_id: ``""`` if it was recovered.
    """

    role: str
    sender_id: str
    at_ms: int
    end_ms: int
    text: str
    source: str
    is_verified: bool = True
    malformed: tuple[str, ...] = ()
    id: str = field(default="", compare=False)
    stream_id: str = field(default="", compare=False)
    stored_at_ms: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        made = {
            "at": _utc(self.at_ms),
            "end": _utc(self.end_ms),
            "role": self.role,
            "senderId": self.sender_id,
            "text": self.text,
            "source": self.source,
            "verified": self.is_verified,
        }
        return made | ({"malformed": list(self.malformed)} if self.malformed else {})

    def to_text(self) -> str:
        mark = "" if self.is_verified else " (unverified)"
        return f"{_utc(self.at_ms)} {self.role}{mark}: {one_line(self.text)}\n"


@dataclass(frozen=True, slots=True)
class Transcript:
    """:param state: ``streaming``, ``paused``, ``ended``; ``""`` if only utterances are known.
    :param completeness: ``complete``, ``incomplete``, ``awaiting``, ``not_transcribed``,
        ``quarantined``; ``""`` before it is judged. ``awaiting`` also if utterances have come since
        it was judged.
    :param counts: ``fromWebhook``, ``recovered`` and ``unverified`` as they are; what it was judged
        by, if known: ``fromSummary``, ``fromMessages`` …
    :param utterances: In the order in which they were spoken.
    :param conversation: What the table says of the call itself; empty if it knows utterances only.
    """

    conversation_id: str
    state: str
    completeness: str
    counts: Mapping[str, int]
    utterances: tuple[Spoken, ...]
    conversation: Item = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """What :func:`json.dumps` takes; times as ``2026-11-01T14:03:07.250Z``."""
        return {
            table.CONVERSATION_ID: self.conversation_id,
            "state": self.state,
            "completeness": self.completeness,
            "counts": dict(self.counts),
            "utterances": [spoken.to_json() for spoken in self.utterances],
        }

    def to_text(self) -> str:
        """A line an utterance: when, who, the words. No utterance can make a line of its own."""
        return "".join(spoken.to_text() for spoken in self.utterances)


class TranscriptReader:
    """:param dynamodb: A boto3 DynamoDB client that may ``Query`` the table."""

    def __init__(self, table_name: str, dynamodb: Any, clock: Clock = SYSTEM_CLOCK) -> None:
        self._table = table_name
        self._dynamodb = dynamodb
        self._clock = clock

    def read(self, conversation_id: str) -> Transcript | None:
        """The transcript of a call. If somebody posts utterances under the id of a later contact of
        it, they are shown beside the call's own.

        :param conversation_id: ASAPP's ``guid``, or the id of a later contact of the call.
        :returns: None if nothing is known of it.
        :raises TooLong: if it has over 16 MB of text.
        """
        main = own = self._items(conversation_id)
        main_id = _item(own, "contact").get("legOf", conversation_id)
        parts = [own]
        if main_id != conversation_id:
            main = self._items(main_id)
            if main:
                parts = [main, own]
            else:
                main_id, main = conversation_id, own
        conversation = _item(main, "conversation")
        if any(table.ERASED_AT in _item(part, "conversation") for part in (main, own)):
            return None
        spoken = [each for part in parts for each in _spoken(part)]
        if not conversation and not spoken:
            return None
        return Transcript(
            conversation_id=main_id,
            state=conversation.get("state", ""),
            completeness=_completeness(conversation, _counts([main])),
            counts=_counts(parts)
            | {name: conversation[name] for name in _COMPARED if name in conversation},
            utterances=tuple(sorted(spoken, key=lambda each: (each.at_ms, each.end_ms))),
            conversation=conversation,
        )

    def _items(self, conversation_id: str) -> list[Item]:
        """Without each ``message``, which may be many times its text."""
        pages = self._dynamodb.get_paginator("query").paginate(
            **table.query(self._table, conversation_id, _READ)
        )
        now, size = self._clock.now_ms(), 0
        items: list[Item] = []
        for page in pages:
            for item in map(table.values, page["Items"]):
                if not table.is_expired(item, now):
                    items.append(item)
                    size += _BYTES_OF_AN_ITEM + len(item.get("text", ""))
            if size > _MOST_BYTES:
                raise TooLong
        return items


def _item(items: Iterable[Item], name: str) -> Item:
    return next((item for item in items if item[table.ITEM] == name), {})


def _utterances(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item[table.ITEM].startswith(table.UTTERANCE)]


def _counts(parts: Iterable[Sequence[Item]]) -> dict[str, int]:
    counts = {"fromWebhook": 0, "recovered": 0, "unverified": 0}
    for items in parts:
        opened = opened_streams(items)
        for item in _utterances(items):
            counts["fromWebhook" if item["source"] == "webhook" else "recovered"] += 1
            counts["unverified"] += not is_verified(item, opened)
    return counts


def _completeness(conversation: Item, counts: Mapping[str, int]) -> str:
    judged = conversation.get("completeness", "")
    seen = conversation.get("fromWebhook", 0) + conversation.get("recovered", 0)
    has_grown = counts["fromWebhook"] + counts["recovered"] > seen
    return _AWAITING if judged in _FINAL and has_grown else judged


def _spoken(items: Sequence[Item]) -> list[Spoken]:
    """The utterances of one partition of the table, in order."""
    began, opened = stream_starts(items), opened_streams(items)
    timed = [(item, spoken_at(item, began)) for item in in_order(items)]
    timed = _without_twins(timed, opened)
    return [
        Spoken(
            role=role_of(item["role"]),
            sender_id=item["senderId"],
            at_ms=start_ms,
            end_ms=end_ms,
            text=item["text"],
            source=item["source"],
            is_verified=is_verified(item, opened),
            malformed=tuple(item.get("malformed", "").split()),
            id=utterance_id(item),
            stream_id=item.get("streamId", ""),
            stored_at_ms=item["storedAt"],
        )
        for item, (start_ms, end_ms) in timed
    ]


def _without_twins(spoken: Sequence[Timed], opened: Container[str]) -> list[Timed]:
    """Without what was recovered and came by webhook later, until reconciliation deletes it.

    If the webhook was first, it is no twin: the same words were said again, and one was lost. Each
    that came hides the nearest one with its words, in the order in which they came; the time that
    this takes grows with their number, not with its square. One that is not verified hides none.
    """
    recovered = [timed for timed in spoken if timed[0]["source"] != "webhook"]
    if not recovered:
        return list(spoken)
    recovered.sort(key=lambda timed: timed[0]["storedAt"], reverse=True)
    came = [
        timed
        for timed in spoken
        if timed[0]["source"] == "webhook" and is_verified(timed[0], opened)
    ]
    near: dict[tuple[str, ...], list[tuple[int, str]]] = defaultdict(list)
    twins: set[str] = set()
    for item, (at_ms, _) in sorted(came, key=lambda timed: timed[0]["storedAt"]):
        while recovered and recovered[-1][0]["storedAt"] <= item["storedAt"]:
            before, (before_ms, _) = recovered.pop()
            insort(near[_words(before)], (before_ms, before[table.ITEM]))
        same = near.get(_words(item), [])
        if (at := _nearest(same, at_ms)) is not None:
            twins.add(same.pop(at)[1])
    return [timed for timed in spoken if timed[0][table.ITEM] not in twins]


def _words(item: Item) -> tuple[str, ...]:
    return (role_of(item["role"]), *item["text"].split())


def _nearest(by_time: Sequence[tuple[int, str]], at_ms: int) -> int | None:
    """The index of the one that is nearest in time, None if none is near."""
    place = bisect_left(by_time, (at_ms, ""))
    beside = range(max(place - 1, 0), min(place + 1, len(by_time)))
    near = [at for at in beside if abs(by_time[at][0] - at_ms) <= _TWINS_WITHIN_MS]
    return min(near, key=lambda at: abs(by_time[at][0] - at_ms), default=None)


def _utc(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
