"""One utterance, as ASAPP's webhook posts it, and as the table is given it.

Source: ASAPP's *AutoTranscribe* webhook. Fields that are not named here are kept in ``message``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.table import CONVERSATION_ID, EXPIRES_AT, ITEM, UTTERANCE
from shared.transcripts.stored_utterances import (
    LONGEST_AUDIO_MS,
    ROLES,
    WEBHOOK,
    possible,
    role_of,
    storable,
)

_LONGEST_ID = 256


class Unstorable(Exception):
    """The message can never become an utterance; says why, without a word of its text."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """:param start_ms: From the start of the stream's audio, in milliseconds.
    :param end_ms: From there, too; never before ``start_ms``.
    :param sender_id: The ``customerId`` or ``agentId`` of the start request.
    :param role: ``customer`` or ``agent``, else ``unknown``.
    :param message: The webhook's body as it came.
    :param digest: Of the message's content. The order of its fields does not matter.
    :param malformed: The fields whose value in ``message`` is impossible: ``role``, ``times``.
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
    malformed: tuple[str, ...] = ()

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
        role, times = _words(sender, "role"), _times(response)
        problems = {"role": role not in ROLES, "times": times is None}
        start_ms, end_ms = times or possible(_number(response, "start"))
        return cls(
            conversation_id=_id(body, "externalConversationId"),
            stream_id=_id(body, "streamId"),
            role=role_of(role),
            sender_id=_id(sender, "externalId"),
            start_ms=start_ms,
            end_ms=end_ms,
            text=_text(response),
            message=storable(message),
            digest=hashlib.sha256(same.encode()).hexdigest()[:12],
            malformed=tuple(name for name, is_so in problems.items() if is_so),
        )

    def with_text(self, text: str) -> Utterance:
        """Another text instead of ASAPP's, in the message and in the key too: neither the message
        nor a digest of it may tell what was said before."""
        body = {
            "type": "transcript",
            "externalConversationId": self.conversation_id,
            "streamId": self.stream_id,
            "sender": {"externalId": self.sender_id, "role": self.role},
            "autotranscribeResponse": {
                "start": self.start_ms,
                "end": self.end_ms,
                "utterance": [{"text": text}],
            },
        }
        changed = Utterance.from_message(json.dumps(body, ensure_ascii=False))
        return replace(changed, malformed=self.malformed)

    @property
    def key(self) -> str:
        """The table's sort key: the same for a repeated message, and different for any other.

        The digest is there because ASAPP does not say whether a stream that is stopped and resumed
        keeps its id, nor how ``redacted_and_unredacted`` arrives.
        """
        return f"{UTTERANCE}{self.stream_id}#{self.start_ms:010d}#{self.digest}"

    def item(self, *, received_at_ms: int, stored_at_ms: int, expires_at_s: int) -> dict[str, Any]:
        """The table's item."""
        malformed = {"malformed": " ".join(self.malformed)} if self.malformed else {}
        return malformed | {
            CONVERSATION_ID: self.conversation_id,
            ITEM: self.key,
            "streamId": self.stream_id,
            "role": self.role,
            "senderId": self.sender_id,
            "startMs": self.start_ms,
            "endMs": self.end_ms,
            "text": self.text,
            "message": self.message,
            "source": WEBHOOK,
            "receivedAt": received_at_ms,
            "storedAt": stored_at_ms,
            EXPIRES_AT: expires_at_s,
        }


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise Unstorable(f"{name} is missing or not an object")
    return value


def _id(parent: Mapping[str, Any], name: str) -> str:
    value = _words(parent, name)
    if len(value) > _LONGEST_ID or storable(value) != value:
        raise Unstorable(f"{name} is over {_LONGEST_ID} characters or not valid Unicode")
    return value


def _words(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise Unstorable(f"{name} is missing or not text")
    return value


def _times(response: Mapping[str, Any]) -> tuple[int, int] | None:
    """Start and end, rounded: a fraction of a millisecond orders nothing. None if no stream of
    audio can have them."""
    start, end = _number(response, "start"), _number(response, "end")
    return (round(start), round(end)) if 0 <= start <= end <= LONGEST_AUDIO_MS else None


def _number(parent: Mapping[str, Any], name: str) -> float:
    value = parent.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Unstorable(f"{name} is missing or not a number of milliseconds")
    return value


def _text(response: Mapping[str, Any]) -> str:
    parts = response.get("utterance")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Unstorable("utterance is missing or not a list of objects")
    texts = [part.get("text") for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise Unstorable("utterance has an entry without text")
    return storable(" ".join(str(text) for text in texts))
