"""Store a batch of the webhook's messages, in as few calls as possible.

A message that can never be stored goes to the dead-letter queue with its reason; one that may be
stored later stays in the queue. Neither holds another one back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import log_events
from shared.aws.batch_write import ITEMS_A_CALL
from shared.aws.botocore_errors import error_code
from shared.runtime import trace_header, trace_id
from shared.table import CONVERSATION_ID, ITEM
from shared.transcripts.utterance import Unstorable, Utterance
from store_transcript.dead_letters import DeadLetters
from store_transcript.unredacted import PHONE, unredacted
from store_transcript.utterance_table import UtteranceTable

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Of an item: its partition key and its sort key."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue.

    :param received_at_ms: When the queue took it from API Gateway, in milliseconds since 1970.
    :param trace: The X-Ray trace header of API Gateway's request, ``""`` if it is not traced.
    """

    id: str
    body: str
    received_at_ms: int
    trace: str = ""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Message:
        attributes = record["attributes"]
        trace = trace_header(attributes.get("AWSTraceHeader", ""))
        return cls(record["messageId"], record["body"], int(attributes["SentTimestamp"]), trace)


Posted = tuple[Message, Utterance]
Screen = Callable[[Sequence[Posted]], tuple[list[Posted], list[str]]]
"""Gives what may be stored, as it may be stored, and the ids of the messages that wait."""


def store(
    messages: Iterable[Message],
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    *,
    is_redacted: bool = False,
    screen: Screen | None = None,
) -> list[str]:
    """Store what can be stored and set aside what never can.

    :param is_redacted: Whether ASAPP should have redacted each text: log one that looks otherwise.
    :param screen: Asks the customer's function, if there is one. Only what it has seen is stored.
    :returns: The ids of the messages to deliver again.
    """
    said: list[Posted] = []
    rejected: list[tuple[Message, str]] = []
    for message in messages:
        try:
            said.append((message, Utterance.from_message(message.body)))
        except Unstorable as problem:
            rejected.append((message, str(problem)))
    left: list[str] = []
    if screen and said:
        said, left = screen(said)
    items: dict[Key, dict[str, Any]] = {}
    senders: dict[Key, list[Message]] = {}
    for message, utterance in said:
        key = (utterance.conversation_id, utterance.key)
        senders.setdefault(key, []).append(message)
        if key not in items:
            items[key] = utterances.item(utterance, message.received_at_ms, message.trace)

    unstored: set[Key] = set()
    for key, reason in _put(items, utterances):
        unstored.add(key)
        if reason:
            rejected.extend((message, reason) for message in senders[key])
        else:
            left.extend(message.id for message in senders[key])
    left.extend(_set_aside(rejected, dead_letters))
    if is_redacted:
        _report_unredacted(item for key, item in items.items() if key not in unstored)
    logger.info(
        "stored a batch",
        extra={
            "event": log_events.UTTERANCES_STORED,
            "traceId": trace_id(),
            "utterances": len(items),
            "rejected": len(rejected),
            "left": len(left),
        },
    )
    return left


def _put(
    items: Mapping[Key, dict[str, Any]], utterances: UtteranceTable
) -> Iterator[tuple[Key, str]]:
    """The keys that were not written, each with why it never can be, or ``""`` for later."""
    keys = list(items)
    chunks = [keys[at : at + ITEMS_A_CALL] for at in range(0, len(keys), ITEMS_A_CALL)]
    while chunks:
        chunk = chunks.pop(0)
        try:
            unwritten = utterances.put([items[key] for key in chunk])
        except (ClientError, BotoCoreError) as problem:
            code = error_code(problem)
            if code == "ValidationException" and len(chunk) > 1:
                chunks.extend([key] for key in chunk)  # one of them is at fault: each by itself
                continue
            logger.error("the table refused a write", extra={"code": code, "items": len(chunk)})
            never = "the table refuses it (over 400 KB?)" if code == "ValidationException" else ""
            yield from ((key, never) for key in chunk)
        else:
            for item in unwritten:
                yield (item[CONVERSATION_ID]["S"], item[ITEM]["S"]), ""


def _report_unredacted(items: Iterable[Mapping[str, Any]]) -> None:
    """A line for each text with a number that should not be there, without the number."""
    for item in items:
        if kind := unredacted(item["text"]["S"]):
            is_phone = kind == PHONE
            logger.warning(
                "an utterance has what looks like a number that ASAPP should have redacted",
                extra={
                    "event": log_events.PHONE_NUMBER_NOT_REDACTED
                    if is_phone
                    else log_events.NUMBER_NOT_REDACTED,
                    "looksLike": kind,
                    "conversationId": item[CONVERSATION_ID]["S"],
                },
            )


def _set_aside(rejected: Iterable[tuple[Message, str]], dead_letters: DeadLetters) -> Iterator[str]:
    """The ids of the messages that could not even be set aside."""
    for message, reason in rejected:
        logger.error(
            "a message can never be stored", extra={"messageId": message.id, "reason": reason}
        )
        try:
            dead_letters.send(message.body, reason)
        except (ClientError, BotoCoreError) as problem:
            logger.error("the dead-letter queue refused it", extra={"code": error_code(problem)})
            yield message.id
