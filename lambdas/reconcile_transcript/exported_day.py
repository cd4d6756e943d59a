"""Complete from the export the conversations that wait for it."""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reconcile_transcript.completeness import COMPLETE
from reconcile_transcript.due_conversations import NotReconciled
from reconcile_transcript.feed import Spool
from reconcile_transcript.reconciler import Reconciler
from reconcile_transcript.transcripts import Transcripts
from shared.asapp.feeds import STATE, UTTERANCES
from shared.aws.botocore_errors import error_code
from shared.runtime import Deadline
from shared.table import BATCH

logger = logging.getLogger(__name__)

_A_MONTH_MS = 30 * 86_400_000
_SECONDS_BETWEEN_CLAIMS = 5.0


class ExportBucket:
    """:param s3: A boto3 S3 client."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name

    def files(
        self, feed: str, days: Iterable[date]
    ) -> Iterator[tuple[dict[str, Any], Iterable[bytes]]]:
        """The files of some days, each with its lines. A file is told by its number: its name is
        ASAPP's and may say anything."""
        pages = self._s3.get_paginator("list_objects_v2")
        for day in map(str, days):
            prefix = f"{feed}/dt={day}/"
            keys = (
                found["Key"]
                for page in pages.paginate(Bucket=self._name, Prefix=prefix)
                for found in page.get("Contents", ())
            )
            for number, key in enumerate(keys, 1):
                body = self._s3.get_object(Bucket=self._name, Key=key)["Body"]
                yield {"feed": feed, "day": day, "file": number}, body.iter_lines(1024 * 1024)


def complete(
    day: date,
    bucket: ExportBucket,
    columns: Mapping[str, str],
    transcripts: Transcripts,
    reconciler: Reconciler,
    deadline: Deadline,
) -> dict[str, Any]:
    """Complete what waits for the export. Two days back are read as well: days may be announced
    the newest first, and a call that crosses midnight is in the feeds of two days.

    :param day: What has been exported last.
    :param columns: By field of ``feed.COLUMNS``, what the account calls it.
    :raises NotReconciled: if time is over, or some could not be; what is done stays done.
    """
    marked = _marked(transcripts, deadline)
    if not marked:
        return {"conversations": 0}
    done: list[dict[str, Any]] = []
    failed: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Spool(str(Path(folder) / "lines"), columns, marked)) as spool,
    ):
        days = tuple(day - timedelta(days=back) for back in (2, 1, 0))
        for feed, add in ((UTTERANCES, spool.add), (STATE, spool.add_state)):
            for file, lines in bucket.files(feed, days):
                if malformed := add(_in_time(lines, deadline)):
                    found = {"lines": len(malformed), "numbers": malformed[:20]}
                    logger.error("lines of the feed cannot be read", extra=file | found)
        # Days that say nothing of a conversation decide nothing: another run may have its own.
        for conversation_id in _claimed(spool.conversations(), transcripts, deadline):
            try:
                reconciled = reconciler.complete(
                    conversation_id, spool.record(conversation_id), day
                )
            except Exception as problem:
                failed.append(conversation_id)
                logger.error(
                    "a conversation could not be reconciled",
                    extra={"conversationId": conversation_id, "problem": error_code(problem)},
                )
                transcripts.release(conversation_id)
            else:
                done += [reconciled] if reconciled else []
    if failed:
        raise NotReconciled(f"{len(failed)} conversations")
    finished = sum(1 for each in done if each["completeness"] == COMPLETE)
    return {"conversations": len(done), "complete": finished}


def _marked(transcripts: Transcripts, deadline: Deadline) -> dict[str, int]:
    """What waits for the export, with its time in the index: in the future if it was given up
    for now."""
    return dict(transcripts.marked(BATCH, deadline.clock.now_ms() + _A_MONTH_MS))


def _claimed(
    conversation_ids: Iterable[str], transcripts: Transcripts, deadline: Deadline
) -> Iterator[str]:
    """Each once this run has its lease. What another run has is tried again, as long as it waits
    for the export: that run may have other days."""
    left = set(conversation_ids)
    while left:
        marked = _marked(transcripts, deadline)
        left &= marked.keys()
        for conversation_id in sorted(left):
            if not deadline.remaining():
                raise NotReconciled("out of time")
            if transcripts.claim(conversation_id, marked[conversation_id]):
                left.remove(conversation_id)
                yield conversation_id
        if left:
            deadline.pause(_SECONDS_BETWEEN_CLAIMS * random.uniform(1, 1.25))  # noqa: S311


def _in_time(lines: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    for line in lines:
        if not deadline.remaining():
            raise NotReconciled("out of time")
        yield line
