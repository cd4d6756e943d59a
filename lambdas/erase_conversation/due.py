"""What is due in the index: erasures that go on, words that came late, days of the export."""

from __future__ import annotations

import logging
from collections.abc import Callable

from erase_conversation.customer import go_on_with_customer
from erase_conversation.erasure import Erasure
from erase_conversation.records import ERASED, Due, Erasing
from erase_conversation.time_check import OutOfTime
from shared import table
from shared.aws.botocore_errors import error_code
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

_A_MINUTE_MS = 60_000
_MOST = 1_000
"""Calls that go together: for so many there is time to give the leases back at the end."""
_MOST_ROUNDS = 10

Work = Callable[[list[Due], list[Due]], None]
"""Given what is due. It adds what it claims to the second list: an overlapping run has the rest."""


class NotErased(Exception):
    """Something is left, which another run goes on with; the message says why."""


def go_on_with_due(erasure: Erasure, deadline: Deadline) -> int:
    """Go on with all that is due. If something fails, the others go on.

    :returns: How many.
    :raises NotErased: after all the others.
    """
    done, problems = 0, list[str]()
    for _ in range(_MOST_ROUNDS):
        if not deadline.remaining() or not (due := erasure.records.due(_MOST)):
            break
        done += len(due)
        for work, some in _kinds(erasure, due, deadline):
            if not deadline.remaining():
                break  # nothing of it is leased yet
            claimed: list[Due] = []
            try:
                work(some, claimed)
            except OutOfTime:
                _release(erasure, claimed, deadline, problems)
                logger.info("out of time; the next run goes on")
            except Exception as problem:
                _release(erasure, claimed, deadline, problems)
                problems.append(error_code(problem))
                logger.error("an erasure did not go on", extra={"problem": error_code(problem)})
    if problems:
        raise NotErased(", ".join(sorted(set(problems))))
    return done


def _kinds(erasure: Erasure, due: list[Due], deadline: Deadline) -> list[tuple[Work, list[Due]]]:
    """What to do, and with what. All calls go together; the rest goes one by one."""
    records = erasure.records
    calls: list[Due] = []
    found: list[tuple[Work, list[Due]]] = []

    def erase(some: list[Due], claimed: list[Due]) -> None:
        erasures: list[Erasing] = []
        for each in some:
            if erasing := records.claimed(each):
                claimed.append(each)
                erasures.append(erasing)
        try:
            erasure.go_on(erasures, deadline)
        except OutOfTime:
            raise
        except Exception:
            if len(erasures) < 2:
                raise
            _one_by_one(erasures, erasure, deadline)

    def late(some: list[Due], claimed: list[Due]) -> None:
        for each in some:
            if records.claim(each) is not None:
                claimed.append(each)
                count = records.late(each.partition)
                records.delete_words(each.partition)
                if not records.take_out_of_index(each.partition, count):
                    records.release(each, deadline.clock.now_ms())  # more came meanwhile

    def look_through(some: list[Due], claimed: list[Due]) -> None:
        for each in some:
            if item := records.claim(each):
                claimed.append(each)
                day = each.partition.removeprefix(table.day_partition(""))
                if days := erasure.days_of_files:
                    days.look_through(day, item["announcedAt"], deadline)
                records.looked_through(day, item["announcedAt"])

    def customer(some: list[Due], claimed: list[Due]) -> None:
        for each in some:
            if erasing := records.claimed(each):
                claimed.append(each)
                go_on_with_customer(erasing, erasure, deadline)

    for each in due:
        if each.item == table.CONVERSATION:
            found.append((late, [each]))
        elif each.item != table.ERASING:
            found.append((look_through, [each]))
        elif each.partition.startswith(table.customer_partition("")):
            found.append((customer, [each]))
        else:
            calls.append(each)
    return ([(erase, calls)] if calls else []) + found


def _one_by_one(claimed: list[Erasing], erasure: Erasure, deadline: Deadline) -> None:
    """Go on with each by itself: one that fails must not hold the others back.

    :raises Exception: that of the last that failed.
    """
    failed: Exception | None = None
    for each in claimed:
        try:
            now = erasure.records.erasing(each.partition)
            if now and now.step in (each.step, ERASED):  # else it got on, and is due later
                erasure.go_on([now], deadline)
        except OutOfTime:
            raise
        except Exception as problem:
            failed = problem
    if failed:
        raise failed


def _release(erasure: Erasure, claimed: list[Due], deadline: Deadline, problems: list[str]) -> None:
    at_ms = deadline.clock.now_ms() + _A_MINUTE_MS
    for each in claimed:
        try:
            erasure.records.release(each, at_ms)
        except Exception as problem:
            problems.append(error_code(problem))
            return  # the lease ends by itself
