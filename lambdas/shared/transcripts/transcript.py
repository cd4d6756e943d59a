"""A conversation's transcript, read from the table: ``TranscriptReader("table", boto3.client(
"dynamodb")).read(contact_id).to_text()``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared import table
from shared.transcripts.utterance import in_order, spoken_at, stream_starts

_TWINS_WITHIN_MS = 5_000
_COUNTS = ("fromWebhook", "fromSummary", "fromMessages", "fromExport", "recovered", "onlyOurs")
_READ = (
    *(table.ITEM, "streamId", "role", "senderId", "startMs", "endMs", "text", "source"),
    *("receivedAt", "storedAt", "startedAt", "endedAt", "state", "completeness", "legOf"),
    *_COUNTS,
)

Item = Mapping[str, Any]
Timed = tuple[Item, tuple[int, int]]
"""An utterance with its start and end, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance.

    :param role: ``customer`` or ``agent``.
    :param sender_id: The ``customerId`` or ``agentId`` that ASAPP was told.
    :param at_ms: When it began, in milliseconds since 1970; as is ``end_ms``.
    :param source: ``webhook``, or where it was recovered from: ``messages``, ``export``.
    """

    role: str
    sender_id: str
    at_ms: int
    end_ms: int
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """:param state: ``streaming``, ``paused``, ``ended``; ``""`` if only utterances are known.
    :param completeness: ``complete``, ``incomplete``, ``awaiting``, ``not_transcribed``; ``""``
        before it is judged.
    :param counts: What it was judged by, if known: ``fromWebhook``, ``fromSummary`` …
    :param utterances: In the order in which they were spoken.
    """

    conversation_id: str
    state: str
    completeness: str
    counts: Mapping[str, int]
    utterances: tuple[Spoken, ...]

    def to_json(self) -> dict[str, Any]:
        """What :func:`json.dumps` takes; times as ``2026-11-01T14:03:07.250Z``."""
        utterances = [
            {
                "at": _utc(spoken.at_ms),
                "end": _utc(spoken.end_ms),
                "role": spoken.role,
                "senderId": spoken.sender_id,
                "text": spoken.text,
                "source": spoken.source,
            }
            for spoken in self.utterances
        ]
        return {
            "conversationId": self.conversation_id,
            "state": self.state,
            "completeness": self.completeness,
            "counts": dict(self.counts),
            "utterances": utterances,
        }

    def to_text(self) -> str:
        """A line an utterance: when, who, the words."""
        return "".join(
            f"{_utc(spoken.at_ms)} {spoken.role}: {' '.join(spoken.text.splitlines())}\n"
            for spoken in self.utterances
        )


class TranscriptReader:
    """:param dynamodb: A boto3 DynamoDB client that may ``Query`` the table."""

    def __init__(self, table_name: str, dynamodb: Any) -> None:
        self._table = table_name
        self._dynamodb = dynamodb

    def read(self, conversation_id: str) -> Transcript | None:
        """:param conversation_id: ASAPP's ``guid``, or the id of a later contact of the call.
        :returns: None if nothing is known of it.
        """
        items = self._items(conversation_id)
        if [item[table.ITEM] for item in items] == ["contact"]:
            conversation_id = items[0]["legOf"]
            items = self._items(conversation_id)
        conversation = next((item for item in items if item[table.ITEM] == "conversation"), {})
        began = stream_starts(items)
        spoken = _without_twins([(item, spoken_at(item, began)) for item in in_order(items)])
        if not conversation and not spoken:
            return None
        return Transcript(
            conversation_id=conversation_id,
            state=conversation.get("state", ""),
            completeness=conversation.get("completeness", ""),
            counts={name: conversation[name] for name in _COUNTS if name in conversation},
            utterances=tuple(
                Spoken(
                    role=item["role"],
                    sender_id=item["senderId"],
                    at_ms=start_ms,
                    end_ms=end_ms,
                    text=item["text"],
                    source=item["source"],
                )
                for item, (start_ms, end_ms) in spoken
            ),
        )

    def _items(self, conversation_id: str) -> list[dict[str, Any]]:
        """Without each ``message``, which may be many times its text."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{table.CONVERSATION_ID} = :id",
            ExpressionAttributeValues=table.attributes({":id": conversation_id}),
            ProjectionExpression=", ".join(f"#{name}" for name in _READ),
            ExpressionAttributeNames={f"#{name}": name for name in _READ},
            ConsistentRead=True,
        )
        return [table.values(item) for page in pages for item in page["Items"]]


def _without_twins(spoken: list[Timed]) -> list[Timed]:
    """Without what was recovered and came by webhook later, until reconciliation deletes it.

    If the webhook was first, it is no twin: the same words were said again, and one was lost.
    """
    recovered = [timed for timed in spoken if timed[0]["source"] != "webhook"]
    twins: set[str] = set()
    for came, (came_at, _) in spoken if recovered else ():
        near = [
            (abs(at - came_at), item[table.ITEM])
            for item, (at, _) in recovered
            if came["source"] == "webhook"
            and item["role"] == came["role"]
            and abs(at - came_at) <= _TWINS_WITHIN_MS
            and item["storedAt"] <= came["storedAt"]
            and item[table.ITEM] not in twins
            and item["text"].split() == came["text"].split()
        ]
        if near:
            twins.add(min(near)[1])
    return [timed for timed in spoken if timed[0][table.ITEM] not in twins]


def _utc(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
