"""ASAPP's own record of a conversation, after it has ended: GET messages.

Source: ASAPP's *Conversation* API. One answer holds at most 1,000 messages, without a second page,
and ASAPP keeps it for seven days. ASAPP's limits are those of the account: calls that start and
stop need them first.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from reconcile_transcript.alignment.utterances import Said
from reconcile_transcript.record import Record, moment_ms, record, words
from shared import log_events
from shared.asapp.requests import NOT_JSON, Answer, AsappRequests, RetryPolicy
from shared.runtime import Clock, Deadline
from shared.transcripts.stored_utterances import role_of, storable

logger = logging.getLogger(__name__)

POLICY = RetryPolicy(seconds_a_try=15.0)
_MOST_BYTES = 16 * 1024 * 1024
_NO_SUCH_CALL = "400-203"
_IN_A_ROW = 3
"""If so many conversations in a row meet the same obstacle, all do."""


class NoRecord(Exception):
    """ASAPP gave no record; says why with a code of ASAPP's or ours."""


class Messages:
    """GET messages at one host, and what the answers say of all conversations together.

    Kept between invocations: the daily limit outlasts each of them.
    """

    def __init__(self, requests: AsappRequests) -> None:
        self._requests = requests
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._refusal = ""
        self._limited: set[str] = set()
        self._stopped_until_ms = 0

    def of(self, conversation_id: str, deadline: Deadline) -> Record:
        """The record, empty if ASAPP has none (yet).

        :raises NoRecord: if ASAPP refuses, or the tries or the time are used up.
        :raises BadCredentials: if the credentials cannot be read.
        """
        query = urlencode({"externalId": conversation_id})
        path = f"/conversation/v1/conversation/messages?{query}"
        answer = self._requests.get(path, deadline, most_bytes=_MOST_BYTES)
        with self._lock:
            self._learn(conversation_id, answer, deadline.clock)
        if answer.status == 404 or answer.code == _NO_SUCH_CALL:
            return Record()
        if answer.code:
            raise NoRecord(answer.code)
        items = answer.content.get("items")
        if not isinstance(items, list):
            raise NoRecord(NOT_JSON)
        return record(_said(item) for item in items)

    @property
    def refusal(self) -> str:
        """ASAPP's code if it does not take the credentials: several conversations in a row got 401
        or 403. If it refuses one conversation alone, they are good."""
        return self._refusal if len(self._refused) >= _IN_A_ROW else ""

    def stopped_until(self, clock: Clock) -> datetime | None:
        """If ASAPP's daily limit is reached: when the next day of it begins."""
        if clock.now_ms() >= self._stopped_until_ms:
            return None
        return datetime.fromtimestamp(self._stopped_until_ms / 1000, UTC)

    def _learn(self, conversation_id: str, answer: Answer, clock: Clock) -> None:
        if answer.status in (401, 403):
            self._refused.add(conversation_id)
            self._refusal = answer.code
        elif answer.status == 429:
            self._limited.add(conversation_id)
        elif answer.status and answer.status < 500:
            self._refused.clear()
            self._limited.clear()
        # A limit a second lets some through within the pauses of three conversations.
        if len(self._limited) >= _IN_A_ROW:
            self._limited.clear()
            today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
            midnight = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            self._stopped_until_ms = int(midnight.timestamp() * 1000)
            logger.error(
                "ASAPP's daily limit is reached; reconciliation goes on at 00:00 UTC",
                extra={"event": log_events.ASAPP_LIMIT_REACHED, "until": midnight.isoformat()},
            )


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
        role=role_of(role),
        sender_id=words(sender.get("externalId")),
        text=storable(text),
        at_ms=moment,
        message=storable(json.dumps(item, ensure_ascii=False)),
    )
