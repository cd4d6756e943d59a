"""Store what the webhook received: from the queue into the table."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

from store_transcript.batch import Message, Screen, store
from store_transcript.dead_letters import DeadLetters
from store_transcript.utterance_table import UtteranceTable

_SECONDS_A_DAY = 86_400
_QUICK = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """:returns: The ids of the messages that stay in the queue, as a partial batch response."""
    messages = [Message.from_record(record) for record in event["Records"]]
    is_redacted = os.environ.get("REDACTION") == "redacted"
    left = store(
        messages, _utterances(), _dead_letters(), is_redacted=is_redacted, screen=_screen()
    )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


@cache
def _utterances() -> UtteranceTable:
    dynamodb = boto3.client("dynamodb", config=_QUICK)
    days = int(os.environ["TRANSCRIPT_RETENTION_DAYS"])
    return UtteranceTable(dynamodb, os.environ["TRANSCRIPT_TABLE"], days * _SECONDS_A_DAY)


@cache
def _screen() -> Screen | None:
    if not os.environ.get("ON_UTTERANCE_FUNCTION"):
        return None
    from shared.transcripts.on_utterance import on_utterance
    from store_transcript.screening import screened

    return partial(screened, on_utterance=on_utterance())


@cache
def _dead_letters() -> DeadLetters:
    return DeadLetters(boto3.client("sqs", config=_QUICK), os.environ["DEAD_LETTER_QUEUE_URL"])
