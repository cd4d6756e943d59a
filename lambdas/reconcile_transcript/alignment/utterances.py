"""The two kinds of utterances that are aligned: ASAPP's and ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN = "unknown"
"""The role of an utterance if ASAPP's record does not say who spoke."""


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance of ASAPP's record.

    :param role: ``customer`` or ``agent``; ``""`` if the record does not say who spoke.
    :param at_ms: Its moment, in milliseconds since 1970 on ASAPP's clock. All moments of a record
        are starts of utterances, or all are ends.
    :param message: As ASAPP gave it, JSON.
    """

    id: str
    role: str
    sender_id: str
    text: str
    at_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Held:
    """An utterance of ours. Times are in milliseconds since 1970 on our clock.

    :param key: Its sort key in the table.
    :param opened_ms: When its stream was opened: utterances of one opening share one clock offset.
        0 if the utterance was recovered.
    :param message_id: ASAPP's id if it was recovered, ``""`` if the webhook brought it.
    :param is_verified: As :func:`shared.transcripts.stored_utterances.is_verified` says.
    """

    key: str
    role: str
    start_ms: int
    end_ms: int
    text: str
    opened_ms: int = 0
    message_id: str = ""
    is_verified: bool = True


def roles_are_told(said: Sequence[Said]) -> bool:
    """Whether the record names the speaker of every utterance. If not, only words are compared."""
    return all(each.role for each in said)
