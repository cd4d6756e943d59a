"""Export what was said and who said it: two feeds of ASAPP's File Exporter go into S3, byte for
byte, each file once.

A run looks at each of the last days and fetches what is not there yet, so a day that was late or
went wrong is mended by the next run. S3 shows an object only when it is whole.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from export_utterances.download import Changed, Download
from export_utterances.file_exporter import NOT_ENABLED, STATE, UTTERANCES, FileExporter, Refused
from export_utterances.retry_policy import Failed, OutOfTime, RetryPolicy
from shared import log_events
from shared.asapp_requests import BadCredentials
from shared.botocore_errors import error_code
from shared.runtime import Deadline, LambdaContext
from shared.secrets import AsappCredentials

logger = logging.getLogger(__name__)

_SECONDS_TO_END = 20
"""Kept of the invocation's time to let go of what is under way."""
_LONGEST_RANGE_DAYS = 366
_STARTS = 3
_BYTES_A_PART = 8 * 1024 * 1024
"""S3 takes 10,000 parts: a file may have 80 GB."""
_FILE_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_LONGEST_NAME_BYTES = 255
_PROBLEMS_TOLD = 5


class NotExported(Exception):
    """Something is still missing; says what, and the next run goes on with it."""


@dataclass(slots=True)
class Progress:
    """What a run has done so far, and what it could not do.

    :param days_whole: Those whose every listed file of utterances is in S3.
    :param files: New ones, of both feeds; ``bytes`` likewise.
    :param days_unknown: Those that ASAPP answered with 404. Of one day that may mean no files.
    :param days_without_state: Those whose utterances are there, and nothing says who spoke.
    """

    days_whole: int = 0
    files: int = 0
    bytes: int = 0
    files_left: int = 0
    days_left: set[str] = field(default_factory=set)
    days_unknown: int = 0
    days_without_state: int = 0
    problems: list[str] = field(default_factory=list)

    def failed(self, feed: str, day: str, problem: str) -> None:
        self.problems.append(f"{feed} of {day}: {problem}")
        logger.warning("not exported", extra={"feed": feed, "day": day, "problem": problem})


class Bucket:
    """The files in S3, under ``<feed>/dt=YYYY-MM-DD/``.

    :param s3: A boto3 S3 client.
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name
        self._transfer = TransferConfig(
            multipart_threshold=_BYTES_A_PART, multipart_chunksize=_BYTES_A_PART, max_concurrency=2
        )
        self._transfer.max_in_memory_upload_chunks = 2

    def files(self, feed: str, day: str) -> set[str]:
        prefix = _prefix(feed, day)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        try:
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as problem:
            raise Failed(f"S3: {error_code(problem)}") from None
        return {key.removeprefix(prefix) for key in keys}

    def put(self, feed: str, day: str, name: str, download: Download) -> None:
        """Store it while it is downloaded; what does not reach its end leaves no object.

        S3 itself compares the size: it completes an upload in parts only at ``MpuObjectSize``.
        """
        size = {"MpuObjectSize": download.size} if download.size else {}
        key = _prefix(feed, day) + name
        try:
            self._s3.upload_fileobj(
                download, self._name, key, ExtraArgs=size, Config=self._transfer
            )
        except (ClientError, BotoCoreError, Boto3Error) as problem:
            raise Failed(f"S3: {error_code(problem)}") from None


Announce = Callable[[str], object]
"""Says that a day is whole to whoever waits for it."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """:param event: ``{}`` for the last days, or ``{"from": "2026-11-01", "to": "2026-11-03"}``.
    :raises NotExported: where something is missing that another run may fetch.
    :raises BadCredentials: where ASAPP does not take them.
    """
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = days_of(event, yesterday, int(os.environ["LOOKBACK_DAYS"]))
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_END)
    progress = Progress()
    try:
        export(
            days,
            _exporter(),
            _bucket(),
            announce_to(os.environ.get("RECONCILE_FUNCTION", "")),
            deadline,
            progress,
            expected=str(yesterday),
            announce_all=bool(event),
        )
    finally:
        figures = {
            "daysMissing": len(days) - progress.days_whole,
            "files": progress.files,
            "bytes": progress.bytes,
            "daysWithoutState": progress.days_without_state,
        }
        logger.info("exported", extra=figures | {"event": log_events.EXPORT_RUN})
    if progress.days_unknown == len(days):
        progress.problems.append(f"listfeedfiles: http_404 for every day; {NOT_ENABLED}")
    if progress.files_left or progress.days_left:
        progress.problems.insert(
            0,
            f"not finished: {progress.files_left} files left and {len(progress.days_left)} days "
            "not listed yet; the next run goes on",
        )
    if progress.problems:
        more = len(progress.problems) - _PROBLEMS_TOLD
        told = progress.problems[:_PROBLEMS_TOLD] + ([f"and {more} more"] if more > 0 else [])
        raise NotExported("; ".join(told))
    return figures


def days_of(event: Mapping[str, Any], yesterday: date, lookback_days: int) -> list[str]:
    """The days to look at, the last one first.

    :raises ValueError: where the event is neither empty nor a range of days that are over.
    """
    if not event:
        return [str(yesterday - timedelta(days=back)) for back in range(lookback_days)]
    try:
        first, last = (date.fromisoformat(event[name]) for name in ("from", "to"))
        if event != {"from": str(first), "to": str(last)}:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ValueError('The event is {} or {"from": "YYYY-MM-DD", "to": "YYYY-MM-DD"}') from None
    count = (last - first).days + 1
    if not 1 <= count <= _LONGEST_RANGE_DAYS:
        raise ValueError(f"from .. to has to be 1 to {_LONGEST_RANGE_DAYS} days, not {count}")
    if last > yesterday:
        raise ValueError(f"to is at most {yesterday}: the feed of a day comes when it is over")
    return [str(last - timedelta(days=back)) for back in range(count)]


def export(
    days: list[str],
    exporter: FileExporter,
    bucket: Bucket,
    announce: Announce,
    deadline: Deadline,
    progress: Progress,
    *,
    expected: str,
    announce_all: bool = False,
) -> None:
    """Fetch what is missing, going on with the other files and days whatever becomes of one.

    Who spoke comes after every day's words, in the time that is left: they are good without.

    :param expected: The day that must have files: an empty list means that the feed is late.
    :param announce_all: Announce also a day to which nothing was added.
    :raises BadCredentials: where ASAPP does not take them; what is there by then is announced.
    """
    whole: dict[str, int] = {}  # days with utterances, and how many files are new
    refused: BadCredentials | None = None
    for day in days:
        try:
            new = _fetch_utterances(day, exporter, bucket, deadline, progress, day == expected)
        except BadCredentials as problem:
            refused = problem
            break
        if new is not None:
            whole[day] = new
    for day in days:
        before = progress.files
        absent = "" if refused else _fetch_state(day, exporter, bucket, deadline, progress)
        if day not in whole:
            continue
        if absent:
            progress.days_without_state += 1
            logger.warning("nothing says who spoke", extra={"day": day, "problem": absent})
        try:
            # The expected day always: a run that was killed may have fetched it and not said so.
            if whole[day] or progress.files > before or announce_all or day == expected:
                announce(day)
            progress.days_whole += 1
        except Failed as problem:
            progress.failed(UTTERANCES, day, str(problem))
    if refused:
        raise refused


def _fetch_utterances(
    day: str,
    exporter: FileExporter,
    bucket: Bucket,
    deadline: Deadline,
    progress: Progress,
    is_expected: bool,
) -> int | None:
    """:returns: How many files are new, None where the day has none or some are still missing."""
    try:
        names = exporter.files(UTTERANCES, day, deadline)
        if names is None:
            progress.days_unknown += 1
            names = []
        kept = bucket.files(UTTERANCES, day)
        missing = [name for name in names if name not in kept]
        if not _all_fetched(UTTERANCES, day, missing, exporter, bucket, deadline, progress):
            return None
        if names:
            return len(missing)
        if is_expected and not kept:
            logger.warning("the feed is late", extra={"feed": UTTERANCES, "day": day})
        else:
            progress.days_whole += 1
    except OutOfTime:
        progress.days_left.add(day)
    except Failed as problem:
        progress.failed(UTTERANCES, day, str(problem))
    return None


def _fetch_state(
    day: str, exporter: FileExporter, bucket: Bucket, deadline: Deadline, progress: Progress
) -> str:
    """Fetch who spoke.

    :returns: Why there is nothing, ``""`` where there is. It is no failure: the feed of
        utterances may be the only one that is enabled.
    """
    absent = "no files"
    try:
        kept = bucket.files(STATE, day)
        try:
            names = exporter.files(STATE, day, deadline) or []
        except Refused as problem:
            names, absent = [], str(problem)
        missing = [name for name in names if name not in kept]
        _all_fetched(STATE, day, missing, exporter, bucket, deadline, progress)
    except OutOfTime:
        progress.days_left.add(day)
    except (Failed, BadCredentials) as problem:
        progress.failed(STATE, day, str(problem))
    else:
        return "" if names or kept else absent
    return ""


def _all_fetched(
    feed: str,
    day: str,
    names: list[str],
    exporter: FileExporter,
    bucket: Bucket,
    deadline: Deadline,
    progress: Progress,
) -> bool:
    before = progress.files
    for number, name in enumerate(names, 1):
        try:
            progress.bytes += _copy(feed, day, name, exporter, bucket, deadline)
            progress.files += 1
        except OutOfTime:
            progress.files_left += 1
        except Failed as problem:
            # By its number: a name is the vendor's, and may say anything.
            progress.failed(feed, day, f"missing file {number} of {len(names)}: {problem}")
    return progress.files - before == len(names)


def _copy(
    feed: str,
    day: str,
    name: str,
    exporter: FileExporter,
    bucket: Bucket,
    deadline: Deadline,
) -> int:
    """:returns: The file's size in bytes."""
    if not _FILE_NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME_BYTES:
        raise Failed("its name cannot be that of an object in the day's folder")
    for _ in range(_STARTS):
        download = exporter.download(feed, day, name, deadline)
        try:
            download.open()
            bucket.put(feed, day, name, download)
            return download.size or 0
        except Changed:
            continue
        finally:
            download.close()
    raise Failed("download: the file changes while it is read, or cannot be resumed")


def announce_to(function_name: str) -> Announce:
    """:param function_name: Is invoked and not waited for; ``""`` for nobody."""

    def announce(day: str) -> None:
        if not function_name:
            return
        payload = json.dumps({"exported": day})
        try:
            _lambda().invoke(FunctionName=function_name, InvocationType="Event", Payload=payload)
        except (ClientError, BotoCoreError) as problem:
            raise Failed(f"it is whole, and nobody could be told: {error_code(problem)}") from None

    return announce


def _prefix(feed: str, day: str) -> str:
    return f"{feed}/dt={day}/"


_SERVICE = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)


@cache
def _exporter() -> FileExporter:
    credentials = AsappCredentials(os.environ["ASAPP_CREDENTIALS_SECRET"])
    return FileExporter(os.environ["ASAPP_API_HOST"], credentials, RetryPolicy())


@cache
def _bucket() -> Bucket:
    return Bucket(boto3.client("s3", config=_SERVICE), os.environ["EXPORT_BUCKET"])


@cache
def _lambda() -> Any:
    return boto3.client("lambda", config=_SERVICE)
