"""Publish each newly stored utterance: from the table's stream to the event bus.

The stream has one record for an item that is new and none for a duplicate that landed on itself,
so every utterance is published at least once, no matter which function stored it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared import table

logger = logging.getLogger(__name__)

SOURCE = "connect-autotranscribe"
DETAIL_TYPE = "Utterance"
_ENTRIES_A_CALL = 10
_BYTES_A_CALL = 240 * 1024
"""EventBridge takes 10 entries and 256 KB in one PutEvents, other fields included."""
_FIELDS = (table.CONVERSATION_ID, "role", "senderId", "text", "source", "receivedAt", "storedAt")
_TIMES = ("streamId", "startMs", "endMs")
_TIMES_IF_RECOVERED = ("startedAt", "endedAt")

Entry = dict[str, str]
Numbered = tuple[str, Entry]
"""A stream record's sequence number with the entry that it becomes."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """The event source's filter lets only new utterances through.

    :returns: The first record that is to be delivered again, with all that follow it.
    """
    bus = os.environ["EVENT_BUS_NAME"]
    numbered: list[Numbered] = []
    unreadable = None
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            numbered.append((change["SequenceNumber"], entry(change["NewImage"], bus)))
        except (KeyError, TypeError, ValueError) as problem:
            unreadable = change["SequenceNumber"]
            logger.error(
                "a record of the table's stream is no utterance",
                extra={
                    **table.values(change["Keys"]),
                    "sequenceNumber": unreadable,
                    "problem": type(problem).__name__,
                },
            )
            break  # what is before it is published, what is after it waits until it is given up
    first_left = publish(numbered, _events()) or unreadable
    return {"batchItemFailures": [{"itemIdentifier": first_left}] if first_left else []}


def entry(image: Mapping[str, Any], bus: str) -> Entry:
    """The event of one utterance; its detail's ``id`` is the same at every delivery.

    If the webhook brought it, it has its stream and milliseconds from its start; if it was
    recovered, it has ``startedAt`` and ``endedAt``, in milliseconds since 1970.

    A text that does not fit into an event stays in the table, and the event says so with
    ``"textOmitted": true``.
    """
    item = table.values(image)
    detail = {"id": f"{item[table.CONVERSATION_ID]}/{item[table.ITEM]}"}
    times = _TIMES_IF_RECOVERED if "startedAt" in item else _TIMES
    detail |= {field: item[field] for field in (*_FIELDS, *times)}
    content = json.dumps(detail, ensure_ascii=False)
    if len(content.encode()) > _BYTES_A_CALL:
        content = json.dumps(detail | {"text": "", "textOmitted": True}, ensure_ascii=False)
    return {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": content,
    }


def publish(numbered: list[Numbered], events: Any) -> str | None:
    """Put the entries on the bus, in order, until one fails.

    :param events: A boto3 EventBridge client.
    :returns: The sequence number of the first that did not get there, None if all did.
    """
    for chunk in _chunks(numbered):
        try:
            answer = events.put_events(Entries=[made for _, made in chunk])
        except (ClientError, BotoCoreError) as problem:
            logger.error(
                "the event bus cannot be reached", extra={"problem": type(problem).__name__}
            )
            return chunk[0][0]
        for (number, _), result in zip(chunk, answer["Entries"], strict=True):
            if "ErrorCode" in result:
                logger.error("the event bus refused an event", extra={"code": result["ErrorCode"]})
                return number
    return None


def _chunks(numbered: list[Numbered]) -> Iterator[list[Numbered]]:
    chunk: list[Numbered] = []
    size = 0
    for number, made in numbered:
        weight = len(made["Detail"].encode())
        if chunk and (len(chunk) == _ENTRIES_A_CALL or size + weight > _BYTES_A_CALL):
            yield chunk
            chunk, size = [], 0
        chunk.append((number, made))
        size += weight
    if chunk:
        yield chunk


@cache
def _events() -> Any:
    retries = {"mode": "standard", "total_max_attempts": 3}
    return boto3.client("events", config=Config(connect_timeout=1, read_timeout=3, retries=retries))
