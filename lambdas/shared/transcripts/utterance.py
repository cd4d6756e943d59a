"""One utterance, as ASAPP's webhook posts it and as the table keeps it.

Source: ASAPP's *AutoTranscribe* webhook. Fields that are not named here are kept in ``message``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.table import CONVERSATION_ID, EXPIRES_AT, ITEM, UTTERANCE

_LONGEST_ID = 256
_LATEST_MS = 10**10 - 1


class Unstorable(Exception):
    """The message can never become an utterance; says why, without a word of its text."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """:param start_ms: From the start of the stream's audio, in milliseconds.
    :param end_ms: From there, too.
    :param sender_id: The ``customerId`` or ``agentId`` of the start request.
    :param role: ``customer`` or ``agent``.
    :param message: The webhook's body as it came.
    :param digest: Of the message's content. The order of its fields does not matter.
    """

    conversation_id: str
    stream_id: str
    role: str
    sender_id: str
    start_ms: int
    end_ms: int
    text: str
    message: str
    digest: str

    @classmethod
    def from_message(cls, message: str) -> Utterance:
        """:raises Unstorable: with the field that is wrong."""
        try:
            body = json.loads(message)
            same = json.dumps(body, sort_keys=True)
        except RecursionError:
            raise Unstorable("nested too deeply") from None
        except ValueError:
            raise Unstorable("not JSON") from None
        if not isinstance(body, dict):
            raise Unstorable("not a JSON object")
        kind = body.get("type")
        if kind != "transcript":
            raise Unstorable("type is missing" if kind is None else "type is not transcript")
        sender = _object(body, "sender")
        response = _object(body, "autotranscribeResponse")
        return cls(
            conversation_id=_id(body, "externalConversationId"),
            stream_id=_id(body, "streamId"),
            role=_id(sender, "role"),
            sender_id=_id(sender, "externalId"),
            start_ms=_milliseconds(response, "start"),
            end_ms=_milliseconds(response, "end"),
            text=_text(response),
            message=storable(message),
            digest=hashlib.sha256(same.encode()).hexdigest()[:12],
        )

    @property
    def key(self) -> str:
        """The table's sort key: the same for a repeated message, and different for any other.

        The digest is there because ASAPP does not say whether a stream that is stopped and resumed
        keeps its id, nor how ``redacted_and_unredacted`` arrives.
        """
        return f"{UTTERANCE}{self.stream_id}#{self.start_ms:010d}#{self.digest}"

    def item(self, *, received_at_ms: int, stored_at_ms: int, expires_at_s: int) -> dict[str, Any]:
        """The table's item."""
        return {
            CONVERSATION_ID: self.conversation_id,
            ITEM: self.key,
            "streamId": self.stream_id,
            "role": self.role,
            "senderId": self.sender_id,
            "startMs": self.start_ms,
            "endMs": self.end_ms,
            "text": self.text,
            "message": self.message,
            "source": "webhook",
            "receivedAt": received_at_ms,
            "storedAt": stored_at_ms,
            EXPIRES_AT: expires_at_s,
        }


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
    start = began[str(utterance["streamId"])]
    return start + int(utterance["startMs"]), start + int(utterance["endMs"])


def stream_starts(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """When each stream began, in milliseconds since 1970, by its id.

    One whose start is not known (ASAPP answered 409-201 and gave no ids) began, as near as can be
    told, when its first utterance came.

    :param items: As for :func:`in_order`.
    """
    came: dict[str, int] = {}
    started: dict[str, int] = {}
    for item in items:
        if str(item[ITEM]).startswith(UTTERANCE):
            if "streamId" not in item:
                continue
            at = int(item["receivedAt"]) - int(item["endMs"])
            came[str(item["streamId"])] = min(at, came.get(str(item["streamId"]), at))
        elif "startedAt" in item:
            started[str(item["streamId"])] = int(item["startedAt"])
    return came | started


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise Unstorable(f"{name} is missing or not an object")
    return value


def _id(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise Unstorable(f"{name} is missing or not text")
    if len(value) > _LONGEST_ID or storable(value) != value:
        raise Unstorable(f"{name} is over {_LONGEST_ID} characters or not valid Unicode")
    return value


def _milliseconds(parent: Mapping[str, Any], name: str) -> int:
    """Rounded: a fraction of a millisecond orders nothing."""
    value = parent.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Unstorable(f"{name} is missing or not a number of milliseconds")
    if not 0 <= value <= _LATEST_MS:  # NaN is not either
        raise Unstorable(f"{name} is missing or not a number of milliseconds")
    return round(value)


def _text(response: Mapping[str, Any]) -> str:
    parts = response.get("utterance")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Unstorable("utterance is missing or not a list of objects")
    texts = [part.get("text") for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise Unstorable("utterance has an entry without text")
    return storable(" ".join(str(text) for text in texts))


def storable(text: str) -> str:
    """Half a surrogate pair is legal in JSON and not in the table: it becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
