"""File Exporter's feeds of utterances, a JSON object a line: what was said, and who said it.

ASAPP documents some of the columns, and accounts differ: so each field has several possible names.
The documented columns of ``utterances`` do not say who spoke; ``staging_utterance_state`` does, by
message id. If the speaker or the time is not known, only the words are compared.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconcile_transcript.alignment.utterances import Said
from reconcile_transcript.record import Record, moment_ms, record, words
from shared.asapp.feeds import COLUMNS
from shared.transcripts.stored_utterances import role_of, storable

_ROLES = {
    **dict.fromkeys(("rep", "representative", "employee"), "agent"),
    **dict.fromkeys(("consumer", "caller", "user"), "customer"),
    **dict.fromkeys(("unknown", "unspecified"), ""),
}
"""Other words for ``SENDER_AGENT`` and ``SENDER_CUSTOMER``."""


class Feed:
    """:param columns: For each field of ``COLUMNS``, its possible names. The first that a line
    has counts.
    """

    def __init__(self, columns: Mapping[str, tuple[str, ...]]) -> None:
        self._columns = columns
        names = "|".join(re.escape(name) for name in self._columns["conversation"])
        self._conversation = re.compile(rf'"(?:{names})"\s*:\s*"([^"\\]+)"'.encode())

    def conversation_of(self, line: bytes) -> str:
        """The conversation's id, found without parsing; ``""`` if there is none, or if it has
        escapes."""
        found = self._conversation.search(line)
        return found[1].decode(errors="replace") if found else ""

    def said(self, line: bytes, role: str, sender_id: str) -> Said | None:
        """:param role: Used if the line has none, as is ``sender_id``."""
        row = parsed(line)
        text = self.value(row, "text") if row else None
        if row is None or not isinstance(text, str):
            return None
        return Said(
            id=self.words(row, "id"),
            role=self.role(row) or role,
            sender_id=self.words(row, "sender") or sender_id,
            text=storable(text),
            at_ms=moment_ms(self.value(row, "time")),
            message=storable(line.decode(errors="replace")),
        )

    def role(self, row: Mapping[str, Any]) -> str:
        """``customer``, ``agent``, ``unknown``; ``""`` if the line does not say who spoke."""
        role = self.words(row, "role").lower().removeprefix("sender_")
        role = _ROLES.get(role, role)
        return role and role_of(role)

    def words(self, row: Mapping[str, Any], field: str) -> str:
        return words(self.value(row, field))

    def value(self, row: Mapping[str, Any], field: str) -> Any:
        """A field of a line, None if it has no such column."""
        found = (row[name] for name in self._columns[field] if row.get(name) not in (None, ""))
        return next(found, None)


def parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


class Spool:
    """The lines of the wanted conversations, without duplicates, on disk to save memory.

    :param columns: By field of ``COLUMNS``, what ``utterances`` calls it in this account, if
        that is known; the state feed may call it so too.
    """

    def __init__(self, path: str, columns: Mapping[str, str], wanted: Collection[str]) -> None:
        named = {field: (name,) for field, name in columns.items()}
        self._feed = Feed({**COLUMNS, **named})
        self._state = Feed({field: named.get(field, ()) + COLUMNS[field] for field in COLUMNS})
        self._wanted = frozenset(wanted)
        self._lines = sqlite3.connect(path, isolation_level=None)
        self._lines.execute("PRAGMA synchronous = OFF")
        self._lines.execute(
            "CREATE TABLE said (conversation, line, digest, message, role DEFAULT '', "
            "sender DEFAULT '', UNIQUE (conversation, digest))"
        )
        self._lines.execute("CREATE INDEX of_message ON said (message)")

    def add(self, lines: Iterable[bytes]) -> list[int]:
        """Keep the utterances of the wanted conversations, and each unreadable line that names one.

        :returns: The numbers of the unreadable lines, from 1.
        """
        malformed: list[int] = []
        self._lines.execute("BEGIN")
        for conversation_id, line, row in self._read(self._feed, lines, malformed):
            if row is None:
                named = (name for name in self._wanted if name.encode() in line)
                conversation_id = conversation_id or next(named, "")
            elif not conversation_id:
                conversation_id = self._feed.words(row, "conversation")
            if conversation_id in self._wanted:
                message_id = self._feed.words(row, "id") if row else ""
                self._lines.execute(
                    "INSERT OR IGNORE INTO said (conversation, line, digest, message) "
                    "VALUES (?, ?, ?, ?)",
                    (conversation_id, line, hashlib.sha256(line).digest(), message_id),
                )
        self._lines.execute("COMMIT")
        return malformed

    def add_state(self, lines: Iterable[bytes]) -> list[int]:
        """Add the speakers of the utterances that were added.

        :returns: As :meth:`add`.
        """
        malformed: list[int] = []
        self._lines.execute("BEGIN")
        for _, _, row in self._read(self._state, lines, malformed):
            message_id = self._state.words(row, "id") if row else ""
            role = self._state.role(row) if row else ""
            if row and message_id and role:
                self._lines.execute(
                    "UPDATE said SET role = ?, sender = ? WHERE message = ?",
                    (role, self._state.words(row, "sender"), message_id),
                )
        self._lines.execute("COMMIT")
        return malformed

    def conversations(self) -> list[str]:
        """The conversations that have a line."""
        found = self._lines.execute("SELECT DISTINCT conversation FROM said ORDER BY 1")
        return [conversation_id for (conversation_id,) in found]

    def record(self, conversation_id: str) -> Record:
        """One conversation's lines, in the feed's order."""
        query = "SELECT line, role, sender FROM said WHERE conversation = ? ORDER BY rowid"
        found = self._lines.execute(query, (conversation_id,))
        return record(self._feed.said(line, role, sender) for line, role, sender in found)

    def close(self) -> None:
        self._lines.close()

    def _read(
        self, feed: Feed, lines: Iterable[bytes], malformed: list[int]
    ) -> Iterator[tuple[str, bytes, Mapping[str, Any] | None]]:
        """The lines that may be of a wanted conversation, with its id if it is plain."""
        for number, line in enumerate(lines, 1):
            conversation_id = feed.conversation_of(line)
            if (conversation_id and conversation_id not in self._wanted) or not line.strip():
                continue
            row = parsed(line)
            if row is None:
                malformed.append(number)
            yield conversation_id, line, row
