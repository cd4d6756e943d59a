"""ASAPP's own record of a conversation, after it has ended: GET messages.

Source: ASAPP's *Conversation* API. One answer holds at most 1,000 messages, without a second page,
and is to be had for seven days.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from reconcile_transcript.alignment import Said
from shared.asapp_requests import BadCredentials, Credentials, error_code
from shared.http import NoAnswer, Origin
from shared.runtime import Deadline
from shared.utterance import storable

MOST_MESSAGES = 1000
_MOST_BYTES = 16 * 1024 * 1024
_TRIES = 3
_SECONDS_A_TRY = 15.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_ID_BYTES = 256
_NO_SUCH_CALL = "400-203"


class NoRecord(Exception):
    """ASAPP gave no record; says why with a code of ASAPP's or ours."""


@dataclass(frozen=True, slots=True)
class Record:
    """What ASAPP has of a conversation.

    :param said: With distinct ids; in ASAPP's order.
    :param count: How many ASAPP gave, whatever they were.
    :param unreadable: How many of them were no utterance.
    """

    said: tuple[Said, ...] = ()
    count: int = 0
    unreadable: int = 0

    @property
    def at_limit(self) -> bool:
        return self.count >= MOST_MESSAGES


class Messages:
    """GET messages at one host.

    :param credentials: As for :class:`shared.asapp.Asapp`.
    """

    def __init__(
        self, origin: Origin, credentials: Callable[[bool, Deadline], Credentials]
    ) -> None:
        self._origin = origin
        self._credentials = credentials

    def of(self, conversation_id: str, deadline: Deadline) -> Record:
        """The record, empty where ASAPP has none (yet).

        Tried again: no answer or half of one, 429, 5xx, and once a 401 or 403, with the secret
        read anew.

        :raises NoRecord: where ASAPP refuses, or the tries or the time are used up.
        :raises BadCredentials: where they cannot be read, or ASAPP does not take them.
        """
        path = (
            f"/conversation/v1/conversation/messages?{urlencode({'externalId': conversation_id})}"
        )
        fresh = False
        reason = "timeout"
        for attempt in range(_TRIES):
            if attempt:
                pause = _FIRST_PAUSE_SECONDS * 4 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311
                time.sleep(min(pause, deadline.remaining()))
            if not deadline.remaining():
                break
            headers = self._credentials(fresh, deadline).headers
            limit = deadline.at_most(_SECONDS_A_TRY)
            try:
                answer = self._origin.get(path, headers, limit, most_bytes=_MOST_BYTES)
            except NoAnswer as problem:
                reason = "timeout" if str(problem) == "timeout" else "connection"
                continue
            if answer.status == 200:
                if (record := _record(answer.body)) is not None:
                    return record
                reason = "not_json"
                continue
            reason = error_code(answer)
            if answer.status in (401, 403):
                if fresh:
                    raise BadCredentials(f"ASAPP does not take them: {reason}")
                fresh = True
            elif answer.status == 404 or reason == _NO_SUCH_CALL:
                return Record()
            elif answer.status != 429 and answer.status < 500:
                break
        raise NoRecord(reason)


def _record(body: bytes) -> Record | None:
    try:
        items = json.loads(body)["items"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    if not isinstance(items, list):
        return None
    return record(_said(item) for item in items)


def _said(item: object) -> Said | None:
    if not isinstance(item, Mapping):
        return None
    sender = item.get("sender")
    sender = sender if isinstance(sender, Mapping) else {}
    moment = moment_ms(item.get("clientTimestamp")) or moment_ms(item.get("createdTimestamp"))
    text, role = item.get("text"), sender.get("role")
    if not isinstance(text, str) or not isinstance(role, str) or not role:
        return None
    return Said(
        id=words(item.get("messageId")),
        role=storable(role),
        sender_id=words(sender.get("externalId")),
        text=storable(text),
        at_ms=moment,
        message=storable(json.dumps(item, ensure_ascii=False)),
    )


def record(given: Iterable[Said | None]) -> Record:
    """What was given, each once, with an id and a moment: without one, its neighbour's before.

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
    """ISO 8601, or seconds or milliseconds since 1970, in milliseconds; 0 for none."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        number = float(value)
        return int(number if number > 10**11 else number * 1000)
    except (TypeError, ValueError, OverflowError):
        return 0
