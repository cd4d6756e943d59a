"""Hold each ended conversation against ASAPP's own record, and store what the webhook missed.

Every minute, ``{}``: the conversations that are due, by GET messages. ``{"conversationId": "…"}``:
that one, now. ``{"exported": "2026-11-01"}``: those that wait for File Exporter, of which this day
is in the bucket.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reconcile_transcript.feed import Spool
from reconcile_transcript.messages import Messages
from reconcile_transcript.reconciliation import Reconciler
from reconcile_transcript.transcripts import Transcripts
from shared.asapp_requests import BadCredentials
from shared.botocore_errors import error_code
from shared.feeds import STATE, UTTERANCES
from shared.http import Origin
from shared.runtime import Deadline, LambdaContext, now_ms
from shared.secrets import AsappCredentials
from shared.table import BATCH, PENDING

logger = logging.getLogger(__name__)

_AT_ONCE = 8
_SECONDS_TO_WRITE = 10.0
_SECONDS_A_CONVERSATION = 40.0
_A_MINUTE_MS, _A_DAY_MS = 60_000, 86_400_000


class NotReconciled(Exception):
    """Some could not be: for a reason that is not ASAPP's. They come up again."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:raises BadCredentials: ASAPP does not take them; nothing goes on without.
    :raises NotReconciled: after all the others.
    """
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000).earlier(_SECONDS_TO_WRITE)
    try:
        return _answer(event, deadline)
    except (ClientError, BotoCoreError) as problem:
        # Without AWS's own message, which may repeat what it was sent.
        raise NotReconciled(error_code(problem)) from None


def _answer(event: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    if conversation_id := event.get("conversationId"):
        done = _reconciler().look(str(conversation_id), _for_one(deadline))
        return done or {"conversationId": str(conversation_id), "completeness": "unknown"}
    if day := event.get("exported"):
        return complete(date.fromisoformat(day), deadline)
    return run(deadline)


def run(deadline: Deadline) -> dict[str, Any]:
    """Look at what is due, as far as time allows."""
    now = now_ms()
    waits_days = 3 if os.environ.get("EXPORT_BUCKET") else 1
    transcripts, reconciler = _transcripts(), _reconciler()

    def look(marked: tuple[str, int]) -> bool:
        claimed = transcripts.claim(*marked, due_after_ms=_after_ms())
        return claimed and reconciler.look(marked[0], _for_one(deadline)) is not None

    def give_up(marked: tuple[str, int]) -> bool:
        claimed = transcripts.claim(*marked, due_after_ms=waits_days * _A_DAY_MS)
        if claimed:
            reconciler.give_up(marked[0])
        return claimed

    overdue = transcripts.marked(BATCH, now - waits_days * _A_DAY_MS)
    looks = side_by_side(look, transcripts.marked(PENDING, now - _after_ms()), deadline)
    return {"conversations": looks + side_by_side(give_up, overdue, deadline)}


def side_by_side(
    work: Callable[[tuple[str, int]], bool],
    marked: Iterator[tuple[str, int]],
    deadline: Deadline,
) -> int:
    """Do each, several at once, until there are no more or time is over.

    :returns: How many were done.
    """
    lock = threading.Lock()
    done = [0]
    failed: list[Exception] = []
    refused: list[BadCredentials] = []

    def worker() -> None:
        while deadline.remaining() and not refused:
            with lock:
                each = next(marked, None)
            if each is None:
                return
            try:
                worked = work(each)
            except BadCredentials as problem:
                refused.append(problem)
            except Exception as problem:
                failed.append(problem)
                logger.error(
                    "a conversation could not be reconciled",
                    extra={"conversationId": each[0], "problem": error_code(problem)},
                )
            else:
                with lock:
                    done[0] += worked

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        workers = [pool.submit(worker) for _ in range(_AT_ONCE)]
    if refused:
        raise BadCredentials(str(refused[0]))
    for each in workers:
        each.result()  # the index may have failed
    if failed:
        raise NotReconciled(f"{len(failed)} conversations: {error_code(failed[0])}")
    return done[0]


def complete(day: date, deadline: Deadline) -> dict[str, Any]:
    """Complete from the export what is marked for it: a call is in the feed of the day before its
    end as well, where it crosses midnight.

    :param day: What has been exported last.
    :raises NotReconciled: where time is over; what is done stays done.
    """
    transcripts, reconciler = _transcripts(), _reconciler()
    ever = now_ms() + 30 * _A_DAY_MS  # one that was given up for now has a date ahead
    marked = [conversation_id for conversation_id, _ in transcripts.marked(BATCH, ever)]
    columns = json.loads(os.environ.get("FEED_COLUMNS") or "{}")
    done: list[dict[str, Any]] = []
    if not marked:
        return {"conversations": 0}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Spool(str(Path(folder) / "lines"), columns, marked)) as spool,
    ):
        # Two days back: days may be announced the newest first, and a call has two at most.
        days = tuple(day - timedelta(days=back) for back in (2, 1, 0))
        for feed, add in ((UTTERANCES, spool.add), (STATE, spool.add_state)):
            for file, lines in _objects(feed, days):
                if malformed := add(_in_time(lines, deadline)):
                    found = {"lines": len(malformed), "numbers": malformed[:20]}
                    logger.error("lines of the feed cannot be read", extra=file | found)
        failed = 0
        for conversation_id in marked:
            if not deadline.remaining():
                raise NotReconciled("out of time")
            try:
                record = spool.record(conversation_id)
                # Days that say nothing of it decide nothing: another run may have its own.
                reconciled = (
                    reconciler.complete(conversation_id, record, day) if record.count else None
                )
            except Exception as problem:
                failed += 1
                logger.error(
                    "a conversation could not be reconciled",
                    extra={"conversationId": conversation_id, "problem": error_code(problem)},
                )
            else:
                done += [reconciled] if reconciled else []
    if failed:
        raise NotReconciled(f"{failed} conversations")
    finished = sum(1 for each in done if each["completeness"] == "complete")
    return {"conversations": len(done), "complete": finished}


def _objects(feed: str, days: Iterable[date]) -> Iterator[tuple[dict[str, Any], Iterable[bytes]]]:
    """The files of some days: which one it is, by its number, as its name is the vendor's and may
    say anything; and its lines."""
    bucket = os.environ["EXPORT_BUCKET"]
    for day in map(str, days):
        pages = (
            _s3()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=bucket, Prefix=f"{feed}/dt={day}/")
        )
        keys = (found["Key"] for page in pages for found in page.get("Contents", ()))
        for number, key in enumerate(keys, 1):
            body = _s3().get_object(Bucket=bucket, Key=key)["Body"]
            yield {"feed": feed, "day": day, "file": number}, body.iter_lines(1024 * 1024)


def _in_time(lines: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    for line in lines:
        if not deadline.remaining():
            raise NotReconciled("out of time")
        yield line


def _for_one(deadline: Deadline) -> Deadline:
    return deadline.at_most(_SECONDS_A_CONVERSATION)


def _after_ms() -> int:
    return int(os.environ["RECONCILE_AFTER_MINUTES"]) * _A_MINUTE_MS


@cache
def _transcripts() -> Transcripts:
    retention_seconds = int(os.environ["TRANSCRIPT_RETENTION_DAYS"]) * 86_400
    retries = {"mode": "standard", "total_max_attempts": 4}
    config = Config(
        connect_timeout=2, read_timeout=10, retries=retries, max_pool_connections=2 * _AT_ONCE
    )
    client = boto3.client("dynamodb", config=config)
    return Transcripts(client, os.environ["TRANSCRIPT_TABLE"], retention_seconds)


@cache
def _reconciler() -> Reconciler:
    return Reconciler(
        _transcripts(),
        Messages(
            Origin(os.environ["ASAPP_API_HOST"]),
            AsappCredentials(os.environ["ASAPP_CREDENTIALS_SECRET"]),
        ),
        has_export=bool(os.environ.get("EXPORT_BUCKET")),
        after_ms=_after_ms(),
    )


@cache
def _s3() -> Any:
    return boto3.client("s3")
