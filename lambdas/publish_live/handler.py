"""Put each utterance and each change of a call on its channel of AppSync Events.

Delivery is at most once. Who subscribes reads the call too, so an event that is lost is late.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from shared.aws.api import signed_headers
from shared.http import Origin
from shared.live.channels import CALLS, channel_of
from shared.live.listed_calls import is_listed
from shared.runtime import Deadline, LambdaContext
from shared.transcripts.stored_utterances import WEBHOOK, spoken_at

_PATH = "/event"
_CONTENT_TYPE = "application/json"
_LONGEST_TEXT_BYTES = 200 * 1024
"""As it is sent: JSON inside JSON, where a quote has four bytes. AppSync takes 240 KB."""
_LISTED_CHARACTERS = 160
"""Characters of an utterance that the list shows."""
_OF_AN_UTTERANCE = ("id", "conversationId", "role", "text", "source", "verified", "storedAt")
_IF_KNOWN = ("streamId", "malformed", "textOmitted")

Message = tuple[str, dict[str, Any]]
"""A channel, and the event for it."""


class NotPublished(Exception):
    """AppSync has refused an event; the message is the status."""


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """:param event: Of the bus.
    :raises NotPublished, NoAnswer: so that Lambda tries again.
    """
    deadline = Deadline.of(context)
    for channel, message in messages(event, deadline.clock.now_ms()):
        _publish(channel, message, deadline)


def messages(event: Mapping[str, Any], now_ms: int) -> Iterator[Message]:
    """The messages for the channels of the call and of the list of calls. None if the call's id
    cannot name a channel. The list gets only what it shows, not what a comparison after the call
    finds."""
    detail = event["detail"]
    channel = channel_of(detail["conversationId"])
    if channel is None:
        return
    if event["detail-type"] == "Utterance":
        utterance = _utterance(detail)
        yield channel, utterance
        if utterance["source"] != WEBHOOK:
            return
        words = {name: utterance[name] for name in ("conversationId", "role", "at")}
        yield CALLS, {"type": "words"} | words | {"text": utterance["text"][:_LISTED_CHARACTERS]}
    elif event["detail-type"] == "ConversationErased":
        erased = {"type": "erased", "conversationId": detail["conversationId"]}
        yield channel, erased
        yield CALLS, erased
    else:
        call = {"type": "conversation"} | {k: v for k, v in detail.items() if k != "id"}
        yield channel, call
        if is_listed(call, now_ms):
            yield CALLS, call


def _utterance(detail: Mapping[str, Any]) -> dict[str, Any]:
    at, end_at = _moments(detail)
    made = {"type": "utterance"} | {name: detail[name] for name in _OF_AN_UTTERANCE}
    made |= {"at": at, "endAt": end_at} | {k: detail[k] for k in _IF_KNOWN if k in detail}
    if len(_json(_json(detail["text"])).encode()) > _LONGEST_TEXT_BYTES:
        made |= {"text": "", "textOmitted": True}
    return made


def _moments(detail: Mapping[str, Any]) -> tuple[int, int]:
    """When it was said: as the read API says it, or if the start of its stream is not known yet,
    about when it came."""
    began = detail.get("streamStartedAt", 0)
    if not began and "streamId" in detail:
        took = max(detail["endMs"] - detail["startMs"], 0)
        return detail["receivedAt"] - took, detail["receivedAt"]
    item = {**detail, "malformed": " ".join(detail.get("malformed", ()))}
    return spoken_at(item, {detail.get("streamId", ""): began})


def _publish(channel: str, message: Mapping[str, Any], deadline: Deadline) -> None:
    body = _json({"channel": channel, "events": [_json(message)]}).encode()
    origin, host = _events(), os.environ["EVENTS_HOST"]
    now = time.gmtime(deadline.clock.now_ms() / 1000)
    headers = signed_headers("appsync", host, "", _CONTENT_TYPE, body, now, os.environ, path=_PATH)
    response = origin.request("POST", _PATH, headers, deadline, body)
    if response.status != 200 or json.loads(response.body).get("failed"):
        raise NotPublished(str(response.status))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def _events() -> Origin:
    """``EVENTS_URL`` is for an emulator, whose API has another name than its address."""
    return Origin(os.environ.get("EVENTS_URL") or f"https://{os.environ['EVENTS_HOST']}")
