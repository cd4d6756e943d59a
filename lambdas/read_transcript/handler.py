"""Read a conversation's transcript. IAM decides who may call the API Gateway method.

``GET /conversations/{conversationId}/transcript``, as JSON, or as plain text with ``?format=text``
or ``Accept: text/plain``. If it is recorded who reads, each answer is a line of the record.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared import log_events
from shared.aws.botocore_errors import error_code
from shared.proxy_answer import LONGEST_ID, json_answer, problem_answer, text_answer
from shared.transcripts.transcript import TooLong, Transcript, TranscriptReader

logger = logging.getLogger(__name__)

_MOST_BYTES = 6_000_000
"""Lambda answers with 6 MB at most."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """:param event: Of a REST API's proxy integration."""
    return answer(event, _reader(), is_recorded=os.environ.get("RECORD_READERS") == "true")


def answer(
    event: Mapping[str, Any], reader: TranscriptReader, *, is_recorded: bool = False
) -> dict[str, Any]:
    """:param is_recorded: Whether it is recorded who has asked for which conversation.
    :returns: What the proxy integration takes: 200, 400, 404, 413, or 503 to ask again.
    """
    wanted = unquote((event.get("pathParameters") or {}).get("conversationId") or "")
    if not 1 <= len(wanted) <= LONGEST_ID:
        return problem_answer(400, f"the conversation's id has 1 to {LONGEST_ID} characters")
    kind = wanted_format(event)
    if kind not in ("json", "text"):
        return problem_answer(400, "format is json or text")
    try:
        transcript = reader.read(wanted)
    except (ClientError, BotoCoreError) as problem:
        logger.error("the table cannot be read", extra={"code": error_code(problem)})
        return problem_answer(503, "the table cannot be read now; try again")
    except TooLong:
        transcript, made = None, _too_long()
    else:
        made = problem_answer(404, "no conversation is known by this id")
    if is_recorded:
        _record(event, transcript, wanted)
    if transcript is None:
        return made
    if kind == "text":
        made = text_answer(200, transcript.to_text())
    else:
        made = json_answer(200, transcript.to_json())
    if len(json.dumps(made)) > _MOST_BYTES:
        made = _too_long()
    logger.info(
        "transcript read",
        extra={
            "conversationId": transcript.conversation_id,
            "utterances": len(transcript.utterances),
            "status": made["statusCode"],
        },
    )
    return made


def _record(event: Mapping[str, Any], transcript: Transcript | None, wanted: str) -> None:
    """Who has asked for what: as IAM knows them, which may be the name of a person.

    What a stranger asks for may be anything; an id that is known is one of ours.
    """
    identity = (event.get("requestContext") or {}).get("identity") or {}
    logger.info(
        "a transcript was asked for",
        extra={
            "event": log_events.TRANSCRIPT_READ,
            "viewer": identity.get("userArn") or "",
            "address": identity.get("sourceIp") or "",
            "conversationId": transcript.conversation_id if transcript else "",
            "contactId": wanted if transcript else "",
            "allowed": transcript is not None,
        },
    )


def wanted_format(event: Mapping[str, Any]) -> str:
    """``text`` or ``json``, or another value of ``?format=``."""
    query = event.get("queryStringParameters") or {}
    if query.get("format"):
        return str(query["format"])
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    first = (headers.get("accept") or "").partition(",")[0].partition(";")[0]
    return "text" if first.strip().lower() == "text/plain" else "json"


def _too_long() -> dict[str, Any]:
    return problem_answer(
        413,
        "the transcript is over 6 MB: read the table with TranscriptReader, or query the export",
    )


@cache
def _reader() -> TranscriptReader:
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return TranscriptReader(os.environ["TRANSCRIPT_TABLE"], boto3.client("dynamodb", config=config))
