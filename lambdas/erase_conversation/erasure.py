"""Erases calls, in steps of which each may be repeated, and the next begins when one is done.

``docs/decisions/0037-how-a-call-is-erased-and-stays-erased.md`` has the order and its reasons. The
calls that are due together go together: each queue and each day's files are looked through once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from erase_conversation.connect_contacts import ContactRecords, NotStopped, StopFunction
from erase_conversation.exported_files import ExportedFiles
from erase_conversation.found_call import FoundCall
from erase_conversation.lines import Erased
from erase_conversation.receipt import Kept, Receipts, receipt
from erase_conversation.records import (
    AGAIN,
    ASKED,
    ERASED,
    LEASE_MS,
    WAITS,
    DayEntry,
    Erasing,
    Records,
)
from erase_conversation.waiting_messages import OutOfTime, WaitingMessages
from shared.asapp.feeds import STATE, UTTERANCES
from shared.calls.customers import CustomerDigests
from shared.runtime import Clock, Deadline

logger = logging.getLogger(__name__)

AGAIN_AFTER_MS = 20 * 60_000
"""A comparison has a lease of 15 minutes, and may have begun before the tombstone."""
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
            *self._buried(asked, deadline),
            *(e for e in erasures if e.step in (ERASED, AGAIN)),
        ]
        if not ready:
            return
        for each in ready:
            _in_time(deadline)
            self.records.empty(each)
        self.messages.take_out(_calls(ready), deadline)
        self.take_out_of_files({e.partition: _run_of(e) for e in ready}, deadline)
        for each in ready:
            self._next(each, deadline.clock)

    # --- from a call to its tombstone ---

    def _buried(self, asked: Sequence[Erasing], deadline: Deadline) -> list[Erasing]:
        """Those whose tombstone is there now. Each has its plan before."""
        found = [(each, self.records.call(each.partition)) for each in asked]
        ready: list[Erasing] = []
        fresh: list[tuple[Erasing, FoundCall]] = []
        for each, call in found:
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
                messages = {name: of[each.partition] for name, of in counted.items()}
                if buried := self._bury(each, call, messages, deadline):
                    ready.append(buried)
        for at, each in enumerate(ready):
            self.records.bury_legs(each)
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
        if call.held:
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

    def _bury(
        self, asked: Erasing, call: FoundCall, messages: Mapping[str, int], deadline: Deadline
    ) -> Erasing | None:
        for _ in range(_TRIES):
            made = self._planned(asked, call, messages, deadline)
            self.records.save(made, _leased(deadline.clock))
            # Before anything is deleted: the messages' ids are in what is.
            self.records.enter_days(call.conversation_id, made.days, call.messages)
            if self.records.bury(call, made):
                return made
            call = self.records.call(asked.partition)
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
        stay = len(every) - len(gone)
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

    def take_out_of_files(self, runs: Mapping[str, FileRun], deadline: Deadline) -> None:
        """Take calls out of the exported files of their days.

        A day that was done after the moment is not looked through again: so a run that is ended
        by its time is gone on with.

        :param runs: By call.
        """
        if not self.files:
            return
        ahead = self._entries(runs, lambda entry: entry.scanned_ms)
        for day, entries in ahead.items():
            found = self.files.scan(UTTERANCES, day, self._erased(entries), deadline)
            for entry in entries:
                call = entry.conversation_id
                if new := found.messages.get(call, set()) - entry.messages:
                    self.records.enter_days(call, entry.days, new)
                self.records.scanned(entry, found.lines[call], runs[call].since_ms)
        # Read again, with the messages' ids.
        for day, entries in self._entries(runs, lambda entry: entry.cleared_ms).items():
            erased = self._erased(entries)
            # Who spoke comes first: those lines may be told by ids alone, which the other feed has.
            for feed in (STATE, UTTERANCES):
                self.files.take_out(feed, day, erased, deadline)
            for entry in entries:
                self.records.cleared(entry, runs[entry.conversation_id].since_ms)
        self.files.delete_results()

    def _entries(
        self, runs: Mapping[str, FileRun], done_ms: Callable[[DayEntry], int]
    ) -> dict[str, list[DayEntry]]:
        """By day, the entries of these calls that are not done yet."""
        days = sorted({day for run in runs.values() for day in run.days})
        found = {
            day: [
                entry
                for entry in self.records.entries(day)
                if entry.conversation_id in runs
                and done_ms(entry) < runs[entry.conversation_id].since_ms
            ]
            for day in days
        }
        return {day: entries for day, entries in found.items() if entries}

    def _erased(self, entries: Iterable[DayEntry]) -> Erased:
        every = list(entries)
        messages = {id: each.conversation_id for each in every for id in each.messages}
        return Erased({e.conversation_id: e.conversation_id for e in every}, messages, self.columns)

    def look_through(self, day: str, announced_ms: int, deadline: Deadline) -> None:
        """New files of a day came: take the erased calls out that they may have."""
        runs = {
            entry.conversation_id: FileRun(entry.days, announced_ms)
            for entry in self.records.entries(day)
        }
        if runs:
            self.take_out_of_files(runs, deadline)


@dataclass(frozen=True, slots=True)
class FileRun:
    """:param since_ms: What was done after this moment is not done again."""

    days: tuple[str, ...]
    since_ms: int


class KeepsChanging(Exception):
    """A conversation was another one at each try."""


def _run_of(each: Erasing) -> FileRun:
    again = AGAIN_AFTER_MS if each.step == AGAIN else 0
    return FileRun(each.days, each.erased_at_ms + again)


def _calls(erasures: Iterable[Erasing]) -> dict[str, str]:
    return {id: each.partition for each in erasures for id in each.ids}


def _leased(clock: Clock) -> int:
    """The run that has it goes on with it; if it is killed, another one does."""
    return clock.now_ms() + LEASE_MS


def _in_time(deadline: Deadline) -> None:
    if not deadline.remaining():
        raise OutOfTime
