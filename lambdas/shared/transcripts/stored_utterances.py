"""The utterances of the table: who spoke, when and in which order, and whom to believe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from typing import Any

from shared.table import CONVERSATION_ID, ITEM, UTTERANCE

LONGEST_AUDIO_MS = 86_400_000
"""ASAPP ends a stream after hours; a time that is later than a day is none."""
ROLES = ("customer", "agent")
UNKNOWN_ROLE = "unknown"
WEBHOOK = "webhook"
"""The ``source`` of an utterance that ASAPP has posted, or who has ASAPP's secret."""


def in_order(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The utterances of one conversation as they were spoken.

    :param items: All items of the conversation, as :func:`shared.table.values` gives them.
    """
    every = list(items)
    utterances = [item for item in every if str(item[ITEM]).startswith(UTTERANCE)]
    began = stream_starts(every)
    return sorted(utterances, key=lambda item: (*spoken_at(item, began), str(item[ITEM])))


def spoken_at(utterance: Mapping[str, Any], began: Mapping[str, int]) -> tuple[int, int]:
    """When an utterance began and ended, in milliseconds since 1970.

    One that was recovered says so itself. The webhook's are relative to their stream's start.

    :param began: As :func:`stream_starts` gives it.
    """
    if "startedAt" in utterance:
        return int(utterance["startedAt"]), int(utterance["endedAt"])
    began_ms = began[str(utterance["streamId"])]
    start_ms, end_ms = int(utterance["startMs"]), int(utterance["endMs"])
    if has_impossible_times(utterance):
        start_ms, end_ms = possible(start_ms)
    return began_ms + start_ms, began_ms + end_ms


def stream_starts(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """When each stream began, in milliseconds since 1970, by its id.

    One whose start is not known (ASAPP answered 409-201 and gave no ids) began, as near as can be
    told, when its first utterance came. One with impossible times says nothing about it, unless
    there is no other.

    :param items: As for :func:`in_order`.
    """
    came: dict[str, int] = {}
    malformed: dict[str, int] = {}
    started: dict[str, int] = {}
    for item in items:
        if str(item[ITEM]).startswith(UTTERANCE):
            if "streamId" not in item:
                continue
            known, at = came, int(item["receivedAt"]) - int(item["endMs"])
            if has_impossible_times(item):
                known, at = malformed, int(item["receivedAt"])
            known[str(item["streamId"])] = min(at, known.get(str(item["streamId"]), at))
        elif "startedAt" in item:
            started[str(item["streamId"])] = int(item["startedAt"])
    return malformed | came | started


def has_impossible_times(utterance: Mapping[str, Any]) -> bool:
    """Whether it is marked so, or has such times because an older version stored it as it came."""
    if "times" in str(utterance.get("malformed", "")).split():
        return True
    return not 0 <= int(utterance["startMs"]) <= int(utterance["endMs"]) <= LONGEST_AUDIO_MS


def is_verified(utterance: Mapping[str, Any], opened: Container[str]) -> bool:
    """Whether ASAPP itself has vouched for an utterance, as far as the table knows.

    Anyone with the webhook's secret can post one. It is ASAPP's if its stream is one that ASAPP
    has opened for this conversation, or if ASAPP's own record has it.

    :param opened: The ids of the conversation's streams.
    """
    if utterance["source"] != WEBHOOK:
        return True
    return utterance["streamId"] in opened or "confirmedAt" in utterance


def opened_streams(items: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the streams that ASAPP has opened, of all items of a conversation."""
    return {str(item["streamId"]) for item in items if str(item[ITEM]).startswith("stream#")}


def utterance_id(item: Mapping[str, Any]) -> str:
    """The same for each delivery and each reading of an utterance, and different for any other.

    The conversation, and the item's key without the digest of the message: who has all of the
    message but the caller's number could find the number that the digest fits."""
    key: str = item[ITEM]
    if "streamId" in item:
        public = [item[field] for field in ("role", "startMs", "endMs", "text", "source")]
        digest = hashlib.sha256(json.dumps(public).encode()).hexdigest()[:12]
        key = f"{key.rpartition('#')[0]}#{digest}"
    return f"{item[CONVERSATION_ID]}/{key}"


def role_of(role: str) -> str:
    """``customer``, ``agent``, else ``unknown``: a role stands before each line of a transcript."""
    return role if role in ROLES else UNKNOWN_ROLE


def possible(start: float) -> tuple[int, int]:
    """The times of an utterance whose own are impossible."""
    at = round(start) if 0 <= start <= LONGEST_AUDIO_MS else 0
    return at, at


def storable(text: str) -> str:
    """Half a surrogate pair is legal in JSON and not in the table: it becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
