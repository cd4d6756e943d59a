"""PutEvents: ten events a call, several calls at a time, each conversation in its order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

CALLS_AT_A_TIME = 4
_ENTRIES_A_CALL = 10
BYTES_A_CALL = 240 * 1024
"""EventBridge takes 10 entries and 256 KB in one PutEvents, other fields included."""

Entry = dict[str, str]


class Numbered(NamedTuple):
    """The entry that a record of the table's stream becomes.

    :param number: The record's sequence number.
    """

    number: str
    conversation_id: str
    entry: Entry


def publish(numbered: Sequence[Numbered], events: Any, pool: Executor) -> set[str]:
    """Put the entries on the bus. If one fails, no later one of its conversation is sent.

    :param events: A boto3 EventBridge client.
    :param pool: Runs ``CALLS_AT_A_TIME`` functions at a time.
    :returns: The sequence numbers of the first that did not get there.
    """
    left = pool.map(lambda lane: _publish_in_order(lane, events), _lanes(numbered))
    return {number for number in left if number}


def _lanes(numbered: Sequence[Numbered]) -> list[list[Numbered]]:
    """A conversation is in one lane, so that its utterances go out one after the other."""
    full_calls = -(-len(numbered) // _ENTRIES_A_CALL)
    lanes: list[list[Numbered]] = [[] for _ in range(min(CALLS_AT_A_TIME, full_calls))]
    lane_of: dict[str, list[Numbered]] = {}
    for each in numbered:
        if each.conversation_id not in lane_of:
            lane_of[each.conversation_id] = min(lanes, key=len)
        lane_of[each.conversation_id].append(each)
    return lanes


def _publish_in_order(lane: Sequence[Numbered], events: Any) -> str | None:
    """:returns: The sequence number of the first that did not get there, None if all did."""
    for chunk in _chunks(lane):
        try:
            answer = events.put_events(Entries=[each.entry for each in chunk])
        except (ClientError, BotoCoreError) as problem:
            logger.error(
                "the event bus cannot be reached", extra={"problem": type(problem).__name__}
            )
            return chunk[0].number
        for each, result in zip(chunk, answer["Entries"], strict=True):
            if "ErrorCode" in result:
                logger.error("the event bus refused an event", extra={"code": result["ErrorCode"]})
                return each.number
    return None


def _chunks(lane: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    chunk: list[Numbered] = []
    size = 0
    for each in lane:
        weight = len(each.entry["Detail"].encode())
        if chunk and (len(chunk) == _ENTRIES_A_CALL or size + weight > BYTES_A_CALL):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += weight
    if chunk:
        yield chunk
