"""Which lines of ASAPP's feeds are of an erased call. Every other line stays byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from shared.asapp.feeds import COLUMNS

BYTES_A_PIECE = 8 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024


class LineTooLong(Exception):
    """A line would not fit into memory, so the file does not consist of lines."""


class Erased:
    """The lines of some calls.

    :param calls: The call of each id of a conversation.
    :param messages: The call of each message id.
    :param columns: By field of ``COLUMNS``, what ASAPP calls it in this account, if that is known.
    """

    def __init__(
        self, calls: Mapping[str, str], messages: Mapping[str, str], columns: Mapping[str, str]
    ) -> None:
        self._calls = calls
        self._messages = messages
        self._conversation, self._id = (
            (*((columns[field],) if field in columns else ()), *COLUMNS[field])
            for field in ("conversation", "id")
        )
        self._plain_conversation = _plain(self._conversation)
        self._plain_id = _plain(self._id)

    def call_of(self, line: bytes) -> str:
        """The erased call that a line belongs to, ``""`` if it is another's.

        The line's conversation decides, or if it names none, its message id. A line that cannot be
        parsed and names no conversation belongs to an erased call if it contains the call's id.
        """
        if self._is_plainly_of_another(line):
            return ""
        row = _parsed(line)
        if row is None:
            return self._call_in_broken(line)
        conversations = _values(row, self._conversation)
        if any(each in self._calls for each in conversations):
            return next(self._calls[each] for each in conversations if each in self._calls)
        if conversations:
            return ""
        found = (self._messages.get(each, "") for each in _values(row, self._id))
        return next((call for call in found if call), "")

    def _call_in_broken(self, line: bytes) -> str:
        if named := self._plain_conversation.findall(line):
            found = (self._calls.get(each.decode(errors="replace"), "") for each in named)
            return next((call for call in found if call), "")
        return next((call for each, call in self._calls.items() if _has(line, each)), "")

    def id_of(self, line: bytes) -> str:
        """The message id of a line; ``""`` if it has none that can be read."""
        row = _parsed(line)
        return next(iter(_values(row, self._id)), "") if row else ""

    def _is_plainly_of_another(self, line: bytes) -> bool:
        """Whether another call's id is seen without parsing, as in most lines. Not if the line is
        cut off or has an escape."""
        if b"\\" in line or not line.rstrip().endswith(b"}"):
            return False
        if named := self._plain_conversation.findall(line):
            return all(each.decode(errors="replace") not in self._calls for each in named)
        found = self._plain_id.findall(line)
        return bool(found) and all(
            each.decode(errors="replace") not in self._messages for each in found
        )


def lines_of(body: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each with its end, in bounded memory.

    :raises LineTooLong: if one is over 64 MiB.
    """
    rest = b""
    while piece := body.read(BYTES_A_PIECE):
        end = piece.rfind(b"\n") + 1
        if not end:
            rest += piece
            if len(rest) > _LONGEST_LINE:
                raise LineTooLong
            continue
        yield from _split(rest + piece[:end])
        rest = piece[end:]
    if rest:
        yield rest


def _split(block: bytes) -> Iterator[bytes]:
    """At each newline and nowhere else: ``splitlines`` also ends a line at a carriage return."""
    begin = 0
    while (end := block.find(b"\n", begin) + 1) > 0:
        yield block[begin:end]
        begin = end


def _plain(names: tuple[str, ...]) -> re.Pattern[bytes]:
    some = "|".join(re.escape(name) for name in names)
    return re.compile(rf'"(?:{some})"\s*:\s*"([^"]*)"'.encode())


def _has(line: bytes, call_id: str) -> bool:
    """Whether an id is in a line, and not as a part of another one."""
    some = re.escape(call_id.encode())
    return bool(re.search(rb"(?<![\w-])" + some + rb"(?![\w-])", line))


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _values(row: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    found = (row.get(name) for name in names)
    return [str(each) for each in found if isinstance(each, (str, int)) and str(each)]
