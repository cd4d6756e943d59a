"""Erases calls step by step. Each step may be repeated, and the next one begins when it is done.

``docs/decisions/0037-how-a-call-is-erased-and-stays-erased.md`` has the order and its reasons. The
calls that are due together go together: each queue and each day's files are looked through once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from erase_conversation.connect_contacts import ContactRecords, NotStopped, StopFunction
from erase_conversation.days_of_files import DaysOfFiles, FileRun
from erase_conversation.exported_files import ExportedFiles
from erase_conversation.found_call import FoundCall
from erase_conversation.receipt import Kept, Receipts, receipt
from erase_conversation.records import (
    AGAIN,
    AGAIN_AFTER_MS,
    ASKED,
    ERASED,
    LEASE_MS,
    WAITS,
    Erasing,
    Records,
)
from erase_conversation.time_check import check_time
from erase_conversation.waiting_messages import WaitingMessages
from shared.calls.customers import CustomerDigests
from shared.runtime import Clock, Deadline

logger = logging.getLogger(__name__)

_A_MINUTE_MS = 60_000
_TRIES = 5
"""To put the tombstone in the place of a conversation that changes meanwhile."""


@dataclass(frozen=True)
class Erasure:
    """
    :param files: None without an export; nor is there ``contacts`` if Connect is not to erase.
    :param columns: By field, what ASAPP calls it in the files of this account, if that is known.
    """

    records: Records
    messages: WaitingMessages
    receipts: Receipts
    digests: CustomerDigests
    stop: StopFunction
    kept: Kept
    files: ExportedFiles | None = None
    contacts: ContactRecords | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def go_on(self, erasures: Sequence[Erasing], deadline: Deadline) -> None:
        """Take each as far as it gets now. The caller has the lease of each."""
        asked = [each for each in erasures if each.step == ASKED]
        ready = [
            *self._with_tombstones(asked, deadline),
            *(e for e in erasures if e.step in (ERASED, AGAIN)),
        ]
        if not ready:
            return
        for each in ready:
            check_time(deadline)
            self.records.empty(each)
        self.messages.take_out(_calls(ready), deadline)
        if days := self.days_of_files:
            days.take_out({e.partition: _run_of(e) for e in ready}, deadline)
        for each in ready:
            check_time(deadline)
            self._next(each, deadline.clock)

    # --- from a call to its tombstone ---

    def _with_tombstones(self, asked: Sequence[Erasing], deadline: Deadline) -> list[Erasing]:
        """Put the tombstones of those that can be erased now, after their plans.

        :returns: Those that have their tombstone.
        """
        ready: list[Erasing] = []
        fresh: list[tuple[Erasing, FoundCall]] = []
        for each in asked:
            check_time(deadline)
            call = self.records.call(each.partition)
            if call.is_erased and call.erasure == each.erasure:
                ready.append(each)  # a run was killed after it
            elif self._may_go(each, call, deadline):
                fresh.append((each, call))
        if fresh:
            counted = self.messages.count(
                {id: each.partition for each, call in fresh for id in (each.partition, *call.legs)},
                deadline,
            )
            for each, call in fresh:
                check_time(deadline)
                messages = {name: of[each.partition] for name, of in counted.items()}
                if made := self._put_tombstone(each, call, messages, deadline):
                    ready.append(made)
        for at, each in enumerate(ready):
            check_time(deadline)
            self.records.put_leg_tombstones(each)
            ready[at] = replace(each, step=ERASED)
            self.records.save(ready[at], _leased(deadline.clock))
            logger.info(
                "a call is erased",
                extra={"erasure": each.erasure, "legs": len(each.legs)},
            )
        return ready

    def _may_go(self, asked: Erasing, call: FoundCall, deadline: Deadline) -> bool:
        """Whether the call can be erased now. A call that goes on is stopped, or waits, as asked;
        one that is held meanwhile is not erased."""
        now = deadline.clock.now_ms()
        if call.held_by:
            logger.warning("a call is held, and not erased", extra={"erasure": asked.erasure})
            self._give_up(asked, "held")
            return False
        if not call.is_running(now):
            return True
        if asked.running == "stop":
            told = str(call.conversation.get("toldContactId", ""))
            try:
                self.stop.stop(call.conversation_id, told)
            except NotStopped as problem:
                extra = {"erasure": asked.erasure, "status": str(problem)}
                logger.error("a call is not stopped; it is tried again", extra=extra)
                self.records.save(asked, now + _A_MINUTE_MS)
                return False
            return True
        if asked.running == "ended":
            self.records.save(asked, now + _A_MINUTE_MS)
            return False
        self._give_up(asked, "running")
        return False

    def _give_up(self, asked: Erasing, reason: str) -> None:
        """A call of a customer waits with the others, so that their receipt can name it."""
        if asked.of:
            plan = {"notErased": reason}
            self.records.save(replace(asked, step=WAITS, plan=plan), None)
        else:
            self.records.forget([asked.partition])

    def _put_tombstone(
        self, asked: Erasing, call: FoundCall, messages: Mapping[str, int], deadline: Deadline
    ) -> Erasing | None:
        for _ in range(_TRIES):
            made = self._planned(asked, call, messages, deadline)
            self.records.save(made, _leased(deadline.clock))
            # Before anything is deleted, because the items have the messages' ids.
            self.records.enter_days(call.conversation_id, made.days, call.messages)
            if self.records.put_tombstone(call, made):
                return made
            call = self.records.call(asked.partition)
            if call.is_erased and call.erasure == asked.erasure:
                return made  # boto3 repeated the write, because its first answer was lost
            if not self._may_go(asked, call, deadline):
                return None
        raise KeepsChanging

    def _planned(
        self, asked: Erasing, call: FoundCall, messages: Mapping[str, int], deadline: Deadline
    ) -> Erasing:
        days = tuple(sorted({*call.days, *asked.plan.get("given", ())}))
        plan = {
            "legs": sorted(call.legs),
            "items": call.items,
            "utterances": call.utterances,
            "days": list(days),
            "messages": dict(messages),
            "contactRecords": len(call.legs) + 1 if self.contacts else 0,
        }
        if given := asked.plan.get("given"):
            plan["given"] = given
        digests = {digest for each in call.customers for digest in self.digests.of(each, deadline)}
        return replace(
            asked,
            plan=plan,
            customers=asked.customers | digests,
            erased_at_ms=deadline.clock.now_ms(),
        )

    # --- what follows ---

    def _next(self, done: Erasing, clock: Clock) -> None:
        records_left = self._contact_records(done)
        if done.step == ERASED:
            due = done.erased_at_ms + AGAIN_AFTER_MS
            self.records.save(replace(done, step=AGAIN), due)
        elif records_left and clock.now_ms() < done.erased_at_ms + 24 * 3_600_000:
            self.records.save(done, clock.now_ms() + AGAIN_AFTER_MS)  # a contact goes on
        elif done.of:
            self.records.save(replace(done, step=WAITS), None)
        else:
            self.write_receipt(done.erasure, done.asked_at_ms, [done])
            self.records.forget([done.partition])

    def _contact_records(self, done: Erasing) -> int:
        """:returns: How many contacts have not ended yet."""
        if not self.contacts:
            return 0
        return sum(1 for each in sorted(done.ids) if not self.contacts.erase(each))

    def write_receipt(self, erasure: str, asked_at_ms: int, calls: Iterable[Erasing]) -> None:
        every = list(calls)
        gone = [each for each in every if "notErased" not in each.plan]
        lines = self._exported_lines(gone)
        counted = [(each, lines[each.partition]) for each in gone]
        stay = [each for each in every if "notErased" in each.plan]
        self.receipts.put(receipt(erasure, asked_at_ms, counted, stay, self.kept))
        logger.info("an erasure is done", extra={"erasure": erasure, "calls": len(gone)})

    def _exported_lines(self, calls: Iterable[Erasing]) -> dict[str, int]:
        by_day: dict[str, set[str]] = defaultdict(set)
        lines: dict[str, int] = defaultdict(int)
        for call in calls:
            for day in call.days:
                by_day[day].add(call.partition)
        for day, wanted in by_day.items():
            for entry in self.records.entries(day):
                if entry.conversation_id in wanted:
                    lines[entry.conversation_id] += entry.lines
        return lines

    # --- files ---

    @property
    def days_of_files(self) -> DaysOfFiles | None:
        return DaysOfFiles(self.records, self.files, self.columns) if self.files else None


class KeepsChanging(Exception):
    """A conversation has changed during each try."""


def _run_of(each: Erasing) -> FileRun:
    again = AGAIN_AFTER_MS if each.step == AGAIN else 0
    return FileRun(each.days, each.erased_at_ms + again)


def _calls(erasures: Iterable[Erasing]) -> dict[str, str]:
    return {id: each.partition for each in erasures for id in each.ids}


def _leased(clock: Clock) -> int:
    """Until when this run has the lease. If it is killed, another run goes on then."""
    return clock.now_ms() + LEASE_MS
