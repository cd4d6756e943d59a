"""File Exporter's feed of utterances, a JSON object a line.

ASAPP documents its columns in part, and accounts differ: each field is looked for under several
names. The documented ones say neither who spoke nor exactly when; then the words decide.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconcile_transcript.alignment import Said
from reconcile_transcript.messages import Record, moment_ms, record, words
from shared.utterance import storable

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "conversation": ("external_conversation_id", "externalConversationId"),
    "id": ("message_id", "utterance_id", "messageId", "utteranceId"),
    "role": ("sender_role", "role", "sender_type", "participant_role", "speaker"),
    "sender": ("sender_id", "senderId", "participant_id"),
    "text": ("utterance", "utterance_text", "text", "message"),
    "time": (
        *("utterance_start_ts", "start_ts", "clientTimestamp", "timestamp"),
        *("utterance_end_ts", "end_ts", "created_ts", "chat_message_event_ts", "instance_ts"),
    ),
}
"""The names of each field, the first that is there counts. Times are ISO 8601 or since 1970."""


class Feed:
    """:param columns: By field of ``COLUMNS``, its name in this account where that is known."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        named = {field: (name,) for field, name in columns.items()}
        self._columns: Mapping[str, tuple[str, ...]] = {**COLUMNS, **named}
        names = "|".join(re.escape(name) for name in self._columns["conversation"])
        self._conversation = re.compile(rf'"(?:{names})"\s*:\s*"([^"\\]+)"'.encode())

    def conversation_of(self, line: bytes) -> str:
        """Found without parsing; ``""`` where it has none, or not in plain letters."""
        found = self._conversation.search(line)
        return found[1].decode(errors="replace") if found else ""

    def record(self, lines: Iterable[bytes]) -> Record:
        """One conversation's lines, in the feed's order."""
        return record(self._said(line) for line in lines)

    def _said(self, line: bytes) -> Said | None:
        row = parsed(line)
        if row is None:
            return None
        text = self.value(row, "text")
        if not isinstance(text, str):
            return None
        role = words(self.value(row, "role")).lower().removeprefix("sender_")
        return Said(
            id=words(self.value(row, "id")),
            role=role,
            sender_id=words(self.value(row, "sender")),
            text=storable(text),
            at_ms=moment_ms(self.value(row, "time")),
            message=storable(line.decode(errors="replace")),
        )

    def value(self, row: Mapping[str, Any], field: str) -> Any:
        """A field of a line, None where it has no such column."""
        found = (row[name] for name in self._columns[field] if row.get(name) not in (None, ""))
        return next(found, None)


def parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


class Spool:
    """The wanted conversations' lines on disk, so that memory stays small; equal lines once."""

    def __init__(self, path: str, feed: Feed, wanted: Collection[str]) -> None:
        self._feed = feed
        self._wanted = frozenset(wanted)
        self._lines = sqlite3.connect(path, isolation_level=None)
        self._lines.execute("PRAGMA synchronous = OFF")
        self._lines.execute("CREATE TABLE said (conversation, line, UNIQUE (conversation, line))")

    def add(self, lines: Iterable[bytes]) -> list[int]:
        """Keep what is wanted, a line that cannot be read too where it names a conversation.

        :returns: The numbers of such lines, from 1. Of conversations that nobody wants, none.
        """
        malformed = []
        self._lines.execute("BEGIN")
        for number, line in enumerate(lines, 1):
            conversation_id = self._feed.conversation_of(line)
            if (conversation_id and conversation_id not in self._wanted) or not line.strip():
                continue
            row = parsed(line)
            if row is None:
                malformed.append(number)
                named = (name for name in self._wanted if name.encode() in line)
                conversation_id = conversation_id or next(named, "")
            elif not conversation_id:
                conversation_id = words(self._feed.value(row, "conversation"))
            if conversation_id in self._wanted:
                self._lines.execute(
                    "INSERT OR IGNORE INTO said VALUES (?, ?)", (conversation_id, line)
                )
        self._lines.execute("COMMIT")
        return malformed

    def record(self, conversation_id: str) -> Record:
        return self._feed.record(self._of(conversation_id))

    def _of(self, conversation_id: str) -> Iterator[bytes]:
        query = "SELECT line FROM said WHERE conversation = ? ORDER BY rowid"
        for (line,) in self._lines.execute(query, (conversation_id,)):
            yield line

    def close(self) -> None:
        self._lines.close()
