"""Compare each ended conversation with ASAPP's own record, and store what the webhook missed.

Every minute, ``{}``: the conversations that are due, by GET messages. ``{"conversationId": "…"}``:
that one, now. ``{"exported": "2026-11-01"}``: those that wait for File Exporter, of which this day
is in the bucket.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import date
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reconcile_transcript.due_conversations import NotReconciled, look_at_due
from reconcile_transcript.exported_day import ExportBucket, complete
from reconcile_transcript.messages import POLICY, Messages
from reconcile_transcript.reconciler import Reconciler, Screen
from reconcile_transcript.transcripts import Transcripts
from shared import log_events
from shared.asapp.requests import AsappCredentials, AsappRequests, BadCredentials
from shared.aws.botocore_errors import error_code
from shared.calls.customers import CustomerDigests
from shared.calls.switch import Switch
from shared.http import Origin
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext

_SECONDS_TO_WRITE = 10.0
_A_MINUTE_MS, _A_DAY_MS = 60_000, 86_400_000
_HALF_AN_HOUR_MS = 30 * _A_MINUTE_MS
"""A call whose end nobody saw counts for so long, not for hours."""

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:raises BadCredentials: if ASAPP does not take them; nothing goes on without.
    :raises NotReconciled: after all the others.
    """
    return answer(event, Deadline(context.get_remaining_time_in_millis() / 1000, SYSTEM_CLOCK))


def answer(event: dict[str, Any], time_left: Deadline) -> dict[str, Any]:
    """As :func:`handler`, on the clock of the deadline."""
    deadline = time_left.earlier(_SECONDS_TO_WRITE)
    transcripts, reconciler = _transcripts(deadline.clock), _reconciler(deadline.clock)
    try:
        if conversation_id := event.get("conversationId"):
            done = reconciler.look(str(conversation_id), deadline, by_hand=True)
            return done or {"conversationId": str(conversation_id), "completeness": "unknown"}
        if day := event.get("exported"):
            columns = json.loads(os.environ.get("FEED_COLUMNS") or "{}")
            bucket = ExportBucket(boto3.client("s3"), os.environ["EXPORT_BUCKET"])
            exported = date.fromisoformat(day)
            return complete(exported, bucket, columns, transcripts, reconciler, deadline)
        report_calls(transcripts, deadline)
        return look_at_due(
            transcripts,
            reconciler,
            _messages(),
            deadline,
            after_ms=_after_ms(),
            export_ms=(3 if os.environ.get("EXPORT_BUCKET") else 1) * _A_DAY_MS,
        )
    except BadCredentials:
        _messages.cache_clear()  # the next run reads the secret again
        _reconciler.cache_clear()
        raise
    except (ClientError, BotoCoreError) as problem:
        # Without the words of AWS, which may repeat what it was sent.
        raise NotReconciled(error_code(problem)) from None


def report_calls(transcripts: Transcripts, deadline: Deadline) -> None:
    """Log what the alarms on silence need: is there a call, and is transcription on?"""
    since_ms = deadline.clock.now_ms() - _HALF_AN_HOUR_MS
    switch = _switch()
    logger.info(
        "calls in progress",
        extra={
            "event": log_events.CALLS_IN_PROGRESS,
            "calls": transcripts.in_progress(since_ms),
            "stopped": int(switch is not None and switch.is_off(deadline)),
        },
    )


@cache
def _switch() -> Switch | None:
    parameter = os.environ.get("TRANSCRIPTION_SWITCH")
    return Switch(parameter) if parameter else None


def _after_ms() -> int:
    return int(os.environ["RECONCILE_AFTER_MINUTES"]) * _A_MINUTE_MS


@cache
def _transcripts(clock: Clock = SYSTEM_CLOCK) -> Transcripts:
    retention_seconds = int(os.environ["TRANSCRIPT_RETENTION_DAYS"]) * 86_400
    retries = {"mode": "standard", "total_max_attempts": 4}
    config = Config(connect_timeout=2, read_timeout=10, retries=retries)
    client = boto3.client("dynamodb", config=config)
    return Transcripts(client, os.environ["TRANSCRIPT_TABLE"], retention_seconds, clock)


@cache
def _messages() -> Messages:
    credentials = AsappCredentials(os.environ["ASAPP_CREDENTIALS_SECRET"])
    return Messages(AsappRequests(Origin(os.environ["ASAPP_API_HOST"]), credentials, POLICY))


@cache
def _reconciler(clock: Clock = SYSTEM_CLOCK) -> Reconciler:
    has_export = bool(os.environ.get("EXPORT_BUCKET"))
    transcripts, messages = _transcripts(clock), _messages()
    secret = os.environ.get("CUSTOMERS_KEY_SECRET")
    return Reconciler(
        transcripts,
        messages,
        has_export=has_export,
        after_ms=_after_ms(),
        digests=CustomerDigests(secret) if secret else None,
        clock=clock,
        screen=_screen(),
    )


def _screen() -> Screen | None:
    if not os.environ.get("ON_UTTERANCE_FUNCTION"):
        return None
    from reconcile_transcript.screening import screened
    from shared.transcripts.on_utterance import on_utterance

    return partial(screened, on_utterance=on_utterance())
