"""The progress of a run, and its problems."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from export_utterances.file_exporter import NOT_ENABLED

logger = logging.getLogger(__name__)

_PROBLEMS_TOLD = 5


@dataclass(slots=True)
class Progress:
    """:param missing: Days that must have files, and are not whole.
    :param days: Those of this run.
    :param whole: Of them, those whose every listed file of utterances is stored.
    :param unknown: Of them, those that ASAPP answered with 404. Of one day that may mean no files.
    :param not_listed: Of them, those that there was no time to list.
    :param without_state: Of them, those with utterances of which nothing says who spoke.
    :param files: New ones, of both feeds, and their ``bytes``.
    :param files_left: Those that there was no time to copy.
    """

    missing: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    not_listed: set[str] = field(default_factory=set)
    without_state: set[str] = field(default_factory=set)
    files: int = 0
    bytes: int = 0
    files_left: int = 0
    problems: list[str] = field(default_factory=list)

    def failed(self, feed: str, day: str, problem: str) -> None:
        self.problems.append(f"{feed} of {day}: {problem}")
        logger.warning("not exported", extra={"feed": feed, "day": day, "problem": problem})

    @property
    def figures(self) -> dict[str, int]:
        return {
            "daysMissing": len(self.missing | (self.days - self.whole)),
            "files": self.files,
            "bytes": self.bytes,
            "daysWithoutState": len(self.without_state),
        }

    @property
    def summary(self) -> str:
        """What a later run may fetch, in a few words; ``""`` if nothing is missing."""
        problems = list(self.problems)
        if self.files_left or self.not_listed:
            left = f"{self.files_left} files left and {len(self.not_listed)} days not listed yet"
            problems.insert(0, f"not finished: {left}; the next run goes on")
        if self.unknown == self.days and not self.days <= self.missing:
            problems.append(f"listfeedfiles: 404 for every day; {NOT_ENABLED}")
        more = len(problems) - _PROBLEMS_TOLD
        return "; ".join(problems[:_PROBLEMS_TOLD] + ([f"and {more} more"] if more > 0 else []))
