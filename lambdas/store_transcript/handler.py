"""Store what the webhook received: from the queue into the table, in as few calls as possible.

A message that can never be stored goes to the dead-letter queue with its reason; one that may be
stored later stays in the queue. Neither holds another one back.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared import log_events, table
from shared.botocore_errors import error_code
from shared.utterance import Unstorable, Utterance

logger = logging.getLogger(__name__)

_ITEMS_A_CALL = 25
"""DynamoDB's limit for BatchWriteItem."""
_TRIES = 3
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue.

    :param received_at_ms: When the queue took it from API Gateway, in milliseconds since 1970.
    """

    id: str
    body: str
    received_at_ms: int

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Message:
        sent = record["attributes"]["SentTimestamp"]
        return cls(record["messageId"], record["body"], int(sent))


class Transcripts:
    """The table, as the consumer writes it.

    :param dynamodb: A boto3 DynamoDB client.
    """

    def __init__(self, dynamodb: Any, table_name: str, retention_seconds: int) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._retention = retention_seconds

    def item(self, utterance: Utterance, received_at_ms: int) -> dict[str, Any]:
        now = time.time_ns() // 1_000_000
        return table.attributes(
            utterance.item(
                source="webhook",
                received_at_ms=received_at_ms,
                stored_at_ms=now,
                expires_at_s=now // 1000 + self._retention,
            )
        )

    def put(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write at most 25 items with distinct keys.

        :returns: The items that the table had no capacity for.
        :raises ClientError, BotoCoreError: where it wrote none of them.
        """
        left = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(_TRIES):
            time.sleep(0.1 * attempt)
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: left})
            left = answer.get("UnprocessedItems", {}).get(self._table, [])
            if not left:
                break
        return [write["PutRequest"]["Item"] for write in left]


class DeadLetters:
    """The queue where a person finds what could not be stored.

    :param sqs: A boto3 SQS client.
    """

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._url = queue_url

    def send(self, message: Message, reason: str) -> None:
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=message.body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """:returns: The ids of the messages that stay in the queue, as a partial batch response."""
    messages = [Message.from_record(record) for record in event["Records"]]
    left = store(messages, _transcripts(), _dead_letters())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


def store(
    messages: Iterable[Message], transcripts: Transcripts, dead_letters: DeadLetters
) -> list[str]:
    """Store what can be stored and set aside what never can.

    :returns: The ids of the messages to deliver again.
    """
    items: dict[tuple[str, str], dict[str, Any]] = {}
    senders: dict[tuple[str, str], list[Message]] = {}
    rejected: list[tuple[Message, str]] = []
    for message in messages:
        try:
            utterance = Utterance.from_message(message.body)
        except Unstorable as problem:
            rejected.append((message, str(problem)))
            continue
        key = (utterance.conversation_id, utterance.key)
        senders.setdefault(key, []).append(message)
        if key not in items:
            items[key] = transcripts.item(utterance, message.received_at_ms)

    left: list[str] = []
    for key, reason in _put(items, transcripts):
        if reason:
            rejected.extend((message, reason) for message in senders[key])
        else:
            left.extend(message.id for message in senders[key])
    left.extend(_set_aside(rejected, dead_letters))
    logger.info(
        "stored a batch",
        extra={
            "event": log_events.UTTERANCES_STORED,
            "utterances": len(items),
            "rejected": len(rejected),
            "left": len(left),
        },
    )
    return left


def _put(
    items: Mapping[tuple[str, str], dict[str, Any]], transcripts: Transcripts
) -> Iterable[tuple[tuple[str, str], str]]:
    """The keys that were not written, each with why it never can be, or ``""`` for later."""
    keys = list(items)
    chunks = [keys[at : at + _ITEMS_A_CALL] for at in range(0, len(keys), _ITEMS_A_CALL)]
    while chunks:
        chunk = chunks.pop(0)
        try:
            unwritten = transcripts.put([items[key] for key in chunk])
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
                yield (item["conversationId"]["S"], item["item"]["S"]), ""


def _set_aside(rejected: Iterable[tuple[Message, str]], dead_letters: DeadLetters) -> Iterable[str]:
    """The ids of the messages that could not even be set aside."""
    for message, reason in rejected:
        logger.error(
            "a message can never be stored", extra={"messageId": message.id, "reason": reason}
        )
        try:
            dead_letters.send(message, reason)
        except (ClientError, BotoCoreError) as problem:
            logger.error("the dead-letter queue refused it", extra={"code": error_code(problem)})
            yield message.id


_QUICK = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
)


@cache
def _transcripts() -> Transcripts:
    days = int(os.environ["TRANSCRIPT_RETENTION_DAYS"])
    client = boto3.client("dynamodb", config=_QUICK)
    return Transcripts(client, os.environ["TRANSCRIPT_TABLE"], days * _SECONDS_A_DAY)


@cache
def _dead_letters() -> DeadLetters:
    return DeadLetters(boto3.client("sqs", config=_QUICK), os.environ["DEAD_LETTER_QUEUE_URL"])
