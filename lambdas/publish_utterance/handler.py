"""Publish each newly stored utterance, and each change of a conversation: from the table's stream
to the event bus.

The stream has one record for an item that is new and none for a duplicate that landed on itself,
so every utterance is published at least once, no matter which function stored it.

The event of a conversation is all that there is to know of it: the stream has no old image.

Nothing of an event says who the customer is, unless ``EVENT_SENDER_ID`` is ``true``: the sender's
id is the caller's number by default.

If an utterance came after its conversation was compared with ASAPP's record, the conversation is
compared again. If the conversation was erased, the utterance is not published, and is erased too.
That is done here and not where utterances are stored, because a batch of the stream holds ten times
as many.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from publish_utterance.event_bus import BYTES_A_CALL, CALLS_AT_A_TIME, Entry, Numbered, publish
from publish_utterance.known_streams import KnownStreams
from publish_utterance.late_utterances import LateUtterances
from shared import table
from shared.transcripts.call import call_of, snapshot_id
from shared.transcripts.stored_utterances import WEBHOOK, is_verified, role_of, utterance_id

logger = logging.getLogger(__name__)

SOURCE = "connect-autotranscribe"
UTTERANCE, CONVERSATION, ERASED = "Utterance", "Conversation", "ConversationErased"
"""The detail types."""
_FIELDS = (table.CONVERSATION_ID, "text", "source", "receivedAt", "storedAt")
_TIMES = ("streamId", "startMs", "endMs")
_TIMES_IF_RECOVERED = ("startedAt", "endedAt")


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
            _event_detail(image, {}, sender_id=False)
        except (KeyError, TypeError, ValueError) as problem:
            unreadable = change["SequenceNumber"]
            logger.error(
                "a record of the table's stream is neither an utterance nor a conversation",
                extra={
                    **table.values(change["Keys"]),
                    "sequenceNumber": unreadable,
                    "problem": type(problem).__name__,
                },
            )
            break  # what is before it is published, what is after it waits until it is given up
        images.append((change["SequenceNumber"], image))
    bus, sender_id = os.environ["EVENT_BUS_NAME"], os.environ.get("EVENT_SENDER_ID") == "true"
    said = {image[table.CONVERSATION_ID] for _, image in images if not _is_conversation(image)}
    posted = {image[table.CONVERSATION_ID] for _, image in images if image.get("source") == WEBHOOK}
    with ThreadPoolExecutor(CALLS_AT_A_TIME + 1) as pool:
        reading = pool.submit(_late().calls, said)  # at the same time as the streams
        opened = _streams().of([image for _, image in images])
        calls = reading.result()
        erased = _erased(calls or {})
        numbered = [
            Numbered(
                number,
                image[table.CONVERSATION_ID],
                entry(
                    _event_detail(image, opened, sender_id=sender_id),
                    bus,
                    image.get("trace", ""),
                    _detail_type(image),
                ),
            )
            for number, image in images
            if _is_published(image, erased)
        ]
        opening = pool.submit(_late().open_again, posted, calls)  # no event waits for it
        erasing = pool.submit(_late().erase_again, erased)
        left = publish(numbered, _events(), pool)
        unopened = opening.result() | erasing.result()
    again = (number for number, image in images if image[table.CONVERSATION_ID] in unopened)
    left |= {*again, *([unreadable] if unreadable else [])}
    in_order = (record["dynamodb"]["SequenceNumber"] for record in event["Records"])
    first = next((number for number in in_order if number in left), None)
    return {"batchItemFailures": [{"itemIdentifier": first}] if first else []}


def _detail_type(item: Mapping[str, Any]) -> str:
    if not _is_conversation(item):
        return UTTERANCE
    return ERASED if table.ERASED_AT in item else CONVERSATION


def _is_published(item: Mapping[str, Any], erased: Collection[str]) -> bool:
    """Of an erased call, only its own tombstone is published, which names the erasure: neither an
    utterance nor the tombstone of a leg."""
    if _is_conversation(item):
        return table.ERASED_AT not in item or table.ERASURE in item
    return item[table.CONVERSATION_ID] not in erased


def _is_conversation(item: Mapping[str, Any]) -> bool:
    return bool(item[table.ITEM] == table.CONVERSATION)


def _event_detail(
    item: Mapping[str, Any], opened: Mapping[str, Mapping[str, int]], *, sender_id: bool
) -> dict[str, Any]:
    if _is_conversation(item) and table.ERASED_AT in item:
        return _erased_detail(item)
    if _is_conversation(item):
        call = call_of(item)
        return {"id": snapshot_id(call)} | call
    return detail(item, opened, sender_id=sender_id)


def _erased_detail(tombstone: Mapping[str, Any]) -> dict[str, Any]:
    """The same at each delivery. A tombstone is written again if words came late."""
    conversation_id, erasure = tombstone[table.CONVERSATION_ID], tombstone.get(table.ERASURE, "")
    return {
        "id": f"{conversation_id}/erased#{erasure}",
        table.CONVERSATION_ID: conversation_id,
        "erasedAt": tombstone[table.ERASED_AT] * 1000,
        "erasure": erasure,
    }


def _erased(calls: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The conversations that were erased: what came of them afterwards is nobody's to read."""
    erased = {conversation_id for conversation_id, call in calls.items() if table.ERASED_AT in call}
    for conversation_id in erased:
        logger.warning(
            "utterances of an erased call were stored; they are not published, and are erased",
            extra={"conversationId": conversation_id},
        )
    return erased


def detail(
    item: Mapping[str, Any], opened: Mapping[str, Mapping[str, int]], *, sender_id: bool
) -> dict[str, Any]:
    """What an event says of an utterance; its ``id`` is the same at every delivery.

    If the webhook brought it, it has its stream, milliseconds from its start and, if the table
    knows it, that start; if it was recovered, it has ``startedAt`` and ``endedAt``. Moments are
    milliseconds since 1970.

    :param opened: By conversation, the streams that ASAPP has opened, as far as the table knows,
        with their start or 0.
    :param sender_id: Whether it says who spoke by the id that ASAPP was told.
    """
    streams = opened.get(item[table.CONVERSATION_ID], {})
    times = _TIMES_IF_RECOVERED if "startedAt" in item else _TIMES
    said = {field: item[field] for field in (*_FIELDS, *times)}
    said |= {"role": role_of(item["role"]), "verified": is_verified(item, streams)}
    if began := streams.get(item.get("streamId", ""), 0):
        said["streamStartedAt"] = began
    if malformed := item.get("malformed"):
        said["malformed"] = malformed.split()
    if sender_id:
        said["senderId"] = item["senderId"]
    return {"id": utterance_id(item)} | said


def entry(
    said: Mapping[str, Any], bus: str, trace: str = "", detail_type: str = UTTERANCE
) -> Entry:
    """The event with this detail.

    A text that does not fit into an event stays in the table, and the event says so with
    ``"textOmitted": true``.

    :param trace: The X-Ray trace header of the webhook's request, ``""`` for none.
    """
    content = json.dumps(said, ensure_ascii=False)
    if len(content.encode()) > BYTES_A_CALL:
        content = json.dumps({**said, "text": "", "textOmitted": True}, ensure_ascii=False)
    made = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": content,
    }
    return made | ({"TraceHeader": trace} if trace else {})


@cache
def _config() -> Config:
    retries = {"mode": "standard", "total_max_attempts": 3}
    return Config(connect_timeout=1, read_timeout=3, retries=retries)


@cache
def _events() -> Any:
    return boto3.client("events", config=_config())


@cache
def _dynamodb() -> Any:
    return boto3.client("dynamodb", config=_config())


@cache
def _streams() -> KnownStreams:
    return KnownStreams(os.environ["TRANSCRIPT_TABLE"], _dynamodb())


@cache
def _late() -> LateUtterances:
    return LateUtterances(_dynamodb(), os.environ["TRANSCRIPT_TABLE"])
