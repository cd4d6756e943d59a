"""ASAPP's record of a conversation, from GET messages or from a feed of the export."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from reconcile_transcript.alignment.utterances import Said
from shared import moments
from shared.transcripts.stored_utterances import storable

MOST_MESSAGES = 1000
"""ASAPP gives no more of them, and no second page."""
_LONGEST_ID_BYTES = 256
_YEAR_2100_MS = 4_102_444_800_000


class Undecided(Exception):
    """The customer's function has not said what of a record may be stored."""


@dataclass(frozen=True, slots=True)
class Record:
    """:param said: With distinct ids; in ASAPP's order.
    :param count: How many entries ASAPP gave, utterances or not.
    :param unreadable: How many of them were no utterance.
    :param refused: How many the customer's function did not let through.
    """

    said: tuple[Said, ...] = ()
    count: int = 0
    unreadable: int = 0
    refused: int = 0

    @property
    def at_limit(self) -> bool:
        return self.count >= MOST_MESSAGES


def record(given: Iterable[Said | None]) -> Record:
    """What was given, each once, with an id and a moment: one without a moment gets the moment of
    the one before.

    :param given: None for what cannot be read.
    """
    every = list(given)
    readable = [said for said in every if said]
    at_ms = next((said.at_ms for said in readable if said.at_ms), 0)
    found: dict[str, Said] = {}
    nameless: Counter[str] = Counter()
    for said in readable:
        at_ms = said.at_ms or at_ms
        name = said.id
        if not name or len(name.encode()) > _LONGEST_ID_BYTES:
            content = json.dumps([said.role, said.at_ms, said.text])
            nameless[content] += 1
            name = hashlib.sha256(f"{nameless[content]}{content}".encode()).hexdigest()[:32]
        found.setdefault(name, replace(said, id=name, at_ms=at_ms))
    return Record(tuple(found.values()), len(every), len(every) - len(readable))


def words(value: Any) -> str:
    """A string or number as text; ``""`` for anything else."""
    known = isinstance(value, (str, int)) and not isinstance(value, bool)
    return storable(str(value)) if known else ""


def moment_ms(value: Any) -> int:
    """ISO 8601, or seconds or milliseconds since 1970, in milliseconds; 0 for none, or for one that
    no call can have."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = moments.moment_ms(value)
        else:
            number = float(value)
            moment = int(number if number > 10**11 else number * 1000)
    except (TypeError, ValueError, OverflowError):
        return 0
    return moment if 0 < moment < _YEAR_2100_MS else 0
