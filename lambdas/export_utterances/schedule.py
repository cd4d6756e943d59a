"""The days that a scheduled run checks, and how long a day counts as missing."""

from __future__ import annotations

import logging
from collections.abc import Collection

from export_utterances.bucket import CHECKED, GIVEN_UP, MISSING, Bucket
from export_utterances.export import Export
from export_utterances.progress import Progress

logger = logging.getLogger(__name__)


def run(
    yesterday: str,
    lookback: Collection[str],
    checked: Collection[str],
    given_up: Collection[str],
    export: Export,
    bucket: Bucket,
    progress: Progress,
) -> None:
    """The first run of a day expects yesterday's files, and checks the last days and the missing
    ones. Later runs check only the missing ones, unless the first had problems.

    :param lookback: The last days.
    :param checked: The days with the mark ``CHECKED``.
    :param given_up: The days with the mark ``GIVEN_UP``.
    """
    if yesterday in checked:
        export.run(sorted(progress.missing, reverse=True))
        return
    if yesterday not in given_up:
        progress.missing.add(yesterday)
        bucket.mark(MISSING, yesterday)
    export.run(sorted({*lookback}.difference(given_up) | progress.missing, reverse=True))
    export.replace_republished()
    if progress.summary:
        return
    bucket.mark(CHECKED, yesterday)
    for day in checked:
        bucket.unmark(CHECKED, day)
    for day in {*given_up}.difference(lookback):
        bucket.unmark(GIVEN_UP, day)


def give_up(days: Collection[str], bucket: Bucket, progress: Progress) -> list[str]:
    """Stop expecting those of these days that are missing.

    :returns: Those days.
    :raises ValueError: if none of them is.
    """
    given_up = sorted(progress.missing.intersection(days))
    if not given_up:
        raise ValueError(f"No such day is missing; missing: {sorted(progress.missing) or 'none'}")
    for day in given_up:
        bucket.mark(GIVEN_UP, day)
        bucket.unmark(MISSING, day)
        progress.missing.discard(day)
    logger.warning("days are given up", extra={"days": given_up})
    return given_up
