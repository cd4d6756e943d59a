"""The queues of messages that could not be handled: those of an erased call are taken out.

Nothing is sent. A message that was received and not deleted comes back by itself, so nothing is
lost or doubled if a run is killed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erase_conversation.time_check import check_time
from shared.runtime import Deadline

_SECONDS_INVISIBLE = 300
_MESSAGES_A_CALL = 10
_MOST_DEPTH = 40
_CALLS = ("externalConversationId", "conversationId", "contactId", "ContactId")
_INITIAL = ("initialContactId", "InitialContactId")


class WaitingMessages:
    """
    :param sqs: A boto3 SQS client.
    :param queues: Their URLs, by the name that the receipt has.
    :param by_initial_contact: Whether a call is named by its first contact. Then an event of any
        later contact is of the call too.
    :param wait_seconds: How long SQS looks for messages, on all of its servers: with 0 it may
        overlook some.
    """

    def __init__(
        self,
        sqs: Any,
        queues: Mapping[str, str],
        *,
        by_initial_contact: bool,
        wait_seconds: int = 1,
    ) -> None:
        self._sqs = sqs
        self._wait = wait_seconds
        self._queues = queues
        self._named = _CALLS + (_INITIAL if by_initial_contact else ())

    def count(self, calls: Mapping[str, str], deadline: Deadline) -> dict[str, Counter[str]]:
        """By queue, how many messages each call has. Nothing is changed.

        :param calls: The call of each id.
        """
        return {
            name: self._look_through(url, calls, deadline, delete=False)
            for name, url in self._queues.items()
        }

    def take_out(self, calls: Mapping[str, str], deadline: Deadline) -> None:
        """Delete the messages of these calls; the others stay as they are."""
        for url in self._queues.values():
            self._look_through(url, calls, deadline, delete=True)

    def _look_through(
        self, url: str, calls: Mapping[str, str], deadline: Deadline, *, delete: bool
    ) -> Counter[str]:
        """Receive until nothing new comes: what was received is not seen again meanwhile."""
        found: Counter[str] = Counter()
        others: list[dict[str, str]] = []
        seen: set[str] = set()
        bounded = _bounded(calls)
        try:
            while True:
                check_time(deadline)
                answer = self._sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=_MESSAGES_A_CALL,
                    VisibilityTimeout=_SECONDS_INVISIBLE,
                    WaitTimeSeconds=self._wait,
                )
                messages = answer.get("Messages", [])
                new = [each for each in messages if each["MessageId"] not in seen]
                if not new:
                    others += map(_entry, messages)
                    return found
                gone: list[dict[str, str]] = []
                for message in messages:
                    seen.add(message["MessageId"])
                    call = self._call_of(message["Body"], calls, bounded)
                    if call:
                        found[call] += 1
                    (gone if call and delete else others).append(_entry(message))
                self._delete(url, gone)
        finally:
            self._give_back(url, others)

    def _call_of(self, body: str, calls: Mapping[str, str], bounded: re.Pattern[str]) -> str:
        """The erased call that a message belongs to, ``""`` if it is another's.

        A message that is not JSON, because ASAPP cut it off or somebody else has sent it, belongs
        to a call if it contains an id of the call.
        """
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            match = bounded.search(body)
            return calls[match[0]] if match else ""
        named = (calls.get(each, "") for each in self._ids(content, _MOST_DEPTH))
        return next((call for call in named if call), "")

    def _ids(self, content: Any, depth: int) -> Iterator[str]:
        if depth and isinstance(content, dict):
            for name, value in content.items():
                if name in self._named and isinstance(value, str):
                    yield value
                else:
                    yield from self._ids(value, depth - 1)
        elif depth and isinstance(content, list):
            for value in content:
                yield from self._ids(value, depth - 1)

    def _delete(self, url: str, entries: Sequence[dict[str, str]]) -> None:
        if entries:
            answer = self._sqs.delete_message_batch(QueueUrl=url, Entries=_numbered(entries))
            if failed := answer.get("Failed"):
                raise NotDeleted(failed[0].get("Code", ""))

    def _give_back(self, url: str, others: Sequence[dict[str, str]]) -> None:
        """At once, so that whoever looks at the queue finds them. If it fails, they come back by
        themselves."""
        for at in range(0, len(others), _MESSAGES_A_CALL):
            entries = [
                {**each, "VisibilityTimeout": 0}
                for each in _numbered(others[at : at + _MESSAGES_A_CALL])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


class NotDeleted(Exception):
    """SQS has not deleted a message."""


def _entry(message: Mapping[str, Any]) -> dict[str, str]:
    return {"ReceiptHandle": message["ReceiptHandle"]}


def _numbered(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"Id": str(at), **entry} for at, entry in enumerate(entries)]


def _bounded(ids: Mapping[str, str]) -> re.Pattern[str]:
    """One of the ids, and not as a part of another one."""
    some = "|".join(re.escape(each) for each in sorted(ids)) or "(?!)"
    return re.compile(rf"(?<![\w-])(?:{some})(?![\w-])")
