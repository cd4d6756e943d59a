"""Copy two feeds of ASAPP's File Exporter into S3, byte for byte: what was said, and who said it.

The first run of a day checks the last days and the missing ones, also for files that changed. Later
runs, hours apart, check only the missing days. A day is missing until all its files are stored, or
until somebody gives it up.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from export_utterances import schedule
from export_utterances.bucket import CHECKED, GIVEN_UP, MISSING, UNTOLD, Bucket
from export_utterances.days import days_of, days_to_give_up, last_days
from export_utterances.export import Announce, Export
from export_utterances.file_exporter import FileExporter
from export_utterances.progress import Progress
from export_utterances.retries import Failed
from shared import log_events
from shared.asapp.requests import AsappCredentials
from shared.aws.botocore_errors import error_code
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext

logger = logging.getLogger(__name__)

_SECONDS_TO_END = 20
"""At the end of the invocation, for stopping what is under way."""


class NotExported(Exception):
    """Something is missing, and the message says what. The next run tries again."""


def handler(
    event: dict[str, Any], context: LambdaContext, clock: Clock = SYSTEM_CLOCK
) -> dict[str, int]:
    """:param event: ``{}`` as the schedule does, ``{"from": "2026-11-01", "to": "2026-11-03"}`` to
        copy these days, or ``{"give_up": "2026-11-01"}`` (or such a range) to expect them no more.
    :raises NotExported: if something is missing that another run may fetch.
    :raises Failed: if S3 does not say what is known of days.
    :raises BadCredentials: if ASAPP does not take them.
    """
    yesterday = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date() - timedelta(days=1)
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_END, clock)
    bucket = _bucket()
    marks = (MISSING, GIVEN_UP, CHECKED, UNTOLD)
    missing, given_up, checked, untold = (bucket.days(mark) for mark in marks)
    progress = Progress(missing=missing - given_up)
    announce = announce_to(os.environ.get("ANNOUNCE_TO", "").split())
    erasures = os.environ.get("ANNOUNCE_NEW_FILES_TO", "").split()
    tell = announce_to(erasures) if erasures else None
    export = Export(_exporter(), bucket, announce, deadline, progress, tell, untold)
    ended: list[str] = []
    try:
        if "give_up" in event:
            ended = schedule.give_up(days_to_give_up(event, yesterday), bucket, progress)
        elif event:
            export.run(days_of(event, yesterday), announce_all=True)
        else:
            lookback = last_days(yesterday, int(os.environ["LOOKBACK_DAYS"]))
            schedule.run(str(yesterday), lookback, checked, given_up, export, bucket, progress)
    finally:
        export.announce_new_files(ended)
        oldest = {"oldestMissing": min(progress.missing, default="")}
        extra = progress.figures | oldest | {"event": log_events.EXPORT_RUN}
        logger.info("exported", extra=extra)
    if problems := progress.summary:
        raise NotExported(problems)
    return progress.figures


def announce_to(functions: Sequence[str]) -> Announce:
    """:param functions: Each is invoked, and not waited for."""

    def announce(day: str) -> None:
        payload = json.dumps({"exported": day})
        try:
            for function in functions:
                _lambda().invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        except (ClientError, BotoCoreError) as problem:
            raise Failed(f"it is stored, and nobody could be told: {error_code(problem)}") from None

    return announce


_SERVICE = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)


@cache
def _exporter() -> FileExporter:
    credentials = AsappCredentials(os.environ["ASAPP_CREDENTIALS_SECRET"])
    return FileExporter(os.environ["ASAPP_API_HOST"], credentials)


@cache
def _bucket() -> Bucket:
    return Bucket(boto3.client("s3", config=_SERVICE), os.environ["EXPORT_BUCKET"])


@cache
def _lambda() -> Any:
    return boto3.client("lambda", config=_SERVICE)
