"""Publish each newly stored utterance: from the table's stream to the event bus.

The stream has one record for an item that is new and none for a duplicate that landed on itself,
so every utterance is published at least once, no matter which function stored it.

Nothing of an event says who the customer is, unless ``EVENT_SENDER_ID`` is ``true``: the sender's
id is the caller's number by default.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Container, Iterator, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from publish_utterance.known_streams import KnownStreams
from shared import table
from shared.transcripts.utterance import is_verified, role_of

logger = logging.getLogger(__name__)

SOURCE = "connect-autotranscribe"
DETAIL_TYPE = "Utterance"
_ENTRIES_A_CALL = 10
_BYTES_A_CALL = 240 * 1024
"""EventBridge takes 10 entries and 256 KB in one PutEvents, other fields included."""
_FIELDS = (table.CONVERSATION_ID, "text", "source", "receivedAt", "storedAt")
_TIMES = ("streamId", "startMs", "endMs")
_TIMES_IF_RECOVERED = ("startedAt", "endedAt")

Entry = dict[str, str]
Numbered = tuple[str, Entry]
"""A stream record's sequence number with the entry that it becomes."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """The event source's filter lets only new utterances through.

    :returns: The first record that is to be delivered again, with all that follow it.
    """
    images: list[tuple[str, dict[str, Any]]] = []
    unreadable = None
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            image = table.values(change["NewImage"])
            detail(image, {}, sender_id=False)
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
        images.append((change["SequenceNumber"], image))
    bus, sender_id = os.environ["EVENT_BUS_NAME"], os.environ.get("EVENT_SENDER_ID") == "true"
    opened = _streams().of([image for _, image in images])
    numbered = [
        (number, entry(detail(image, opened, sender_id=sender_id), bus, image.get("trace", "")))
        for number, image in images
    ]
    first_left = publish(numbered, _events()) or unreadable
    return {"batchItemFailures": [{"itemIdentifier": first_left}] if first_left else []}


def detail(
    item: Mapping[str, Any], opened: Mapping[str, Container[str]], *, sender_id: bool
) -> dict[str, Any]:
    """What an event says of an utterance; its ``id`` is the same at every delivery.

    If the webhook brought it, it has its stream and milliseconds from its start; if it was
    recovered, it has ``startedAt`` and ``endedAt``, in milliseconds since 1970.

    :param opened: By conversation, the streams that ASAPP has opened, as far as the table knows.
    :param sender_id: Whether it says who spoke by the id that ASAPP was told.
    """
    streams = opened.get(item[table.CONVERSATION_ID], ())
    times = _TIMES_IF_RECOVERED if "startedAt" in item else _TIMES
    said = {field: item[field] for field in (*_FIELDS, *times)}
    said |= {"role": role_of(item["role"]), "verified": is_verified(item, streams)}
    if malformed := item.get("malformed"):
        said["malformed"] = malformed.split()
    if sender_id:
        said["senderId"] = item["senderId"]
    return {"id": event_id(item)} | said


def event_id(item: Mapping[str, Any]) -> str:
    """The conversation, and the item's key without the digest of the message: who has all of the
    message but the caller's number could find the number that the digest fits."""
    key: str = item[table.ITEM]
    if "streamId" in item:
        public = [item[field] for field in ("role", "startMs", "endMs", "text", "source")]
        digest = hashlib.sha256(json.dumps(public).encode()).hexdigest()[:12]
        key = f"{key.rpartition('#')[0]}#{digest}"
    return f"{item[table.CONVERSATION_ID]}/{key}"


def entry(said: Mapping[str, Any], bus: str, trace: str = "") -> Entry:
    """The event with this detail.

    A text that does not fit into an event stays in the table, and the event says so with
    ``"textOmitted": true``.

    :param trace: The X-Ray trace header of the webhook's request, ``""`` for none.
    """
    content = json.dumps(said, ensure_ascii=False)
    if len(content.encode()) > _BYTES_A_CALL:
        content = json.dumps({**said, "text": "", "textOmitted": True}, ensure_ascii=False)
    made = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": content,
    }
    return made | ({"TraceHeader": trace} if trace else {})


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
def _config() -> Config:
    retries = {"mode": "standard", "total_max_attempts": 3}
    return Config(connect_timeout=1, read_timeout=3, retries=retries)


@cache
def _events() -> Any:
    return boto3.client("events", config=_config())


@cache
def _streams() -> KnownStreams:
    return KnownStreams(os.environ["TRANSCRIPT_TABLE"], boto3.client("dynamodb", config=_config()))
