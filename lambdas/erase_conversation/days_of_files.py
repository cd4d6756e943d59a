"""Erased calls are taken out of the exported files of their days, file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from erase_conversation.exported_files import ExportedFiles
from erase_conversation.lines import Erased
from erase_conversation.records import DayEntry, Reached, Records
from erase_conversation.time_check import OutOfTime, check_time
from shared.asapp.feeds import STATE, UTTERANCES
from shared.runtime import Deadline

_SCAN, _CLEAR = "scan", "clear"
"""The files are read twice: for the ids of the calls' messages, and to take the calls out."""


@dataclass(frozen=True, slots=True)
class FileRun:
    """:param since_ms: What was done after this moment is not done again."""

    days: tuple[str, ...]
    since_ms: int


Runs = Mapping[str, FileRun]
"""By call."""


@dataclass(frozen=True)
class DaysOfFiles:
    """:param columns: By field, what ASAPP calls it in this account's files, if that is known."""

    records: Records
    files: ExportedFiles
    columns: Mapping[str, str]

    def take_out(self, runs: Runs, deadline: Deadline) -> None:
        """Take the calls out of the files of their days. What an earlier run has done since the
        moment is not read again: so it comes to an end, however many files there are.
        """
        for day, entries in self._entries(runs, lambda entry: entry.scanned_ms).items():
            keys = self.files.keys(day, UTTERANCES)

            def scan(key: str, some: Sequence[DayEntry]) -> Mapping[str, int]:
                found = self.files.scan(key, self._erased(some), deadline)
                for entry in some:
                    check_time(deadline)
                    call = entry.conversation_id
                    if new := found.messages.get(call, set()) - entry.messages:
                        self.records.enter_days(call, entry.days, new)
                return found.lines

            lines = self._each_file(_SCAN, day, keys, entries, runs, scan, deadline)
            for entry in entries:
                check_time(deadline)
                call = entry.conversation_id
                self.records.scanned(entry, lines[call], runs[call].since_ms)
        # Read again, with the messages' ids.
        for day, entries in self._entries(runs, lambda entry: entry.cleared_ms).items():
            # The state feed first: only the ids in the other feed may tell whose its lines are.
            keys = self.files.keys(day, STATE, UTTERANCES)

            def clear(key: str, some: Sequence[DayEntry]) -> Mapping[str, int]:
                self.files.take_out(key, self._erased(some), deadline)
                return {}

            self._each_file(_CLEAR, day, keys, entries, runs, clear, deadline)
            for entry in entries:
                check_time(deadline)
                self.records.cleared(entry, runs[entry.conversation_id].since_ms)
        self.files.delete_results()

    def look_through(self, day: str, announced_ms: int, deadline: Deadline) -> None:
        """Take erased calls out of a day of which new files came."""
        runs = {
            entry.conversation_id: FileRun(entry.days, announced_ms)
            for entry in self.records.entries(day)
        }
        if runs:
            self.take_out(runs, deadline)

    def _each_file(
        self,
        why: str,
        day: str,
        keys: Sequence[str],
        entries: Sequence[DayEntry],
        runs: Runs,
        look: Callable[[str, Sequence[DayEntry]], Mapping[str, int]],
        deadline: Deadline,
    ) -> Counter[str]:
        """Look into each file, for those calls for which no earlier run has done so.

        :param look: Returns how many lines of each call a file has.
        :returns: The lines of each call in all files, with those that earlier runs have counted.
        """
        reached = self.records.reached(day, why)
        begin: dict[str, int] = {}
        lines: Counter[str] = Counter()
        for call in (entry.conversation_id for entry in entries):
            before = reached.get(call)
            if before and before.since_ms == runs[call].since_ms and before.key in keys:
                begin[call] = keys.index(before.key) + 1
                lines[call] = before.lines
        at = 0
        try:
            for at, key in enumerate(keys):
                check_time(deadline)
                some = [each for each in entries if begin.get(each.conversation_id, 0) <= at]
                if some:
                    lines.update(look(key, some))
        except OutOfTime:
            done = {e.conversation_id: max(at, begin.get(e.conversation_id, 0)) for e in entries}
            self.records.keep_reached(
                day,
                why,
                {
                    call: Reached(runs[call].since_ms, keys[count - 1], lines[call])
                    for call, count in done.items()
                    if count
                },
            )
            raise
        return lines

    def _entries(self, runs: Runs, done_ms: Callable[[DayEntry], int]) -> dict[str, list[DayEntry]]:
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
