"""Decides whether a conversation's transcript is complete, and when to look at it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from reconcile_transcript.alignment import Alignment
from reconcile_transcript.alignment.utterances import Held
from reconcile_transcript.record import Record
from reconcile_transcript.transcripts import Known
from shared.table import BATCH, PENDING

COMPLETE, INCOMPLETE, AWAITING = "complete", "incomplete", "awaiting"
NOT_TRANSCRIBED = "not_transcribed"
"""The last start failed: ASAPP did not hear the call, or its rest, and has no words to give."""
HOUR_MS = 3_600_000
DAY_MS, WEEK_MS = 24 * HOUR_MS, 7 * 24 * HOUR_MS
_BACK_OFF_MS = tuple(int(hours * HOUR_MS) for hours in (0.25, 0.5, 1, 2, 4, 8, 12))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at ASAPP's record has shown.

    :param record: None if there was none to be had.
    :param day: The day of the export that the record is from; None: it is from GET messages.
    """

    record: Record | None
    day: date | None = None
    alignment: Alignment = field(default_factory=Alignment)

    def held_by(self, known: Known) -> int:
        """How many utterances are ours now, of those that ASAPP vouches for."""
        posted = len(self.unverified(known))
        added = len(self.alignment.missing) - len(self.alignment.twins)
        return len(known.held) - posted + added

    def unverified(self, known: Known) -> list[Held]:
        """Those that neither a stream of ASAPP's nor its record has."""
        only_ours = set(self.alignment.only_ours)
        return [
            held
            for held in known.held
            if not held.is_verified and (not self.record or held.key in only_ours)
        ]

    def has_no_word(self, known: Known) -> bool:
        """Neither ASAPP nor the table has one, and ASAPP does not say that nothing was said."""
        held = any(held.is_verified for held in known.held)
        nothing = self.record is not None and not self.record.count and not held
        return nothing and known.summary != 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """:param then: ``PENDING`` (another look), ``BATCH`` (the export's turn), ``""`` (finished).
    :param at_ms: When, in milliseconds since 1970.
    """

    completeness: str
    then: str = ""
    at_ms: int = 0


def judge(known: Known, finding: Finding, now: int, *, has_export: bool) -> Verdict:
    """The one place that decides what is complete, and when to look again."""
    age = now - known.changed_at_ms
    if not known.was_heard and finding.record == Record() and not known.held:
        # Once more a day later: a start without a clear answer may have been one.
        later = now + DAY_MS if age < DAY_MS else 0
        return Verdict(NOT_TRANSCRIBED, PENDING if later else "", later)
    verdict = _judge(known, finding, now, age, has_export=has_export)
    if verdict.completeness == COMPLETE and not known.was_heard:
        return Verdict(NOT_TRANSCRIBED, verdict.then, verdict.at_ms)
    return verdict


def _judge(known: Known, finding: Finding, now: int, age: int, *, has_export: bool) -> Verdict:
    """As if ASAPP had heard all of the call."""
    was_complete = known.unchanged and known.completeness in (COMPLETE, NOT_TRANSCRIBED)
    record = finding.record
    if record and _whole(known, finding, record, age):
        # What was late once may be late again; and a call whose end nobody saw may go on.
        again = finding.alignment.missing or not known.ended
        if again and not finding.day and age < WEEK_MS - DAY_MS:
            return Verdict(COMPLETE, PENDING, now + DAY_MS)
        return Verdict(COMPLETE)
    marked_at = known.marked_at_ms or now
    if finding.day:
        waits = INCOMPLETE if known.completeness == INCOMPLETE else AWAITING
        return Verdict(waits, BATCH, marked_at)
    if record and record.at_limit:
        return Verdict(AWAITING, BATCH, marked_at)
    if was_complete and (record == Record() or age >= WEEK_MS):
        return Verdict(COMPLETE)  # ASAPP has forgotten it
    if age >= WEEK_MS:
        return Verdict(INCOMPLETE)
    if age >= DAY_MS and has_export and not was_complete:
        return Verdict(AWAITING, BATCH, marked_at)
    tries = known.tries if known.unchanged else 0
    due = now + _BACK_OFF_MS[min(tries, len(_BACK_OFF_MS) - 1)]
    borders = [known.changed_at_ms + border for border in (DAY_MS, WEEK_MS) if age < border]
    return Verdict(COMPLETE if was_complete else AWAITING, PENDING, min(due, *borders))


def _whole(known: Known, finding: Finding, record: Record, age: int) -> bool:
    if record.unreadable or (known.summary or 0) > finding.held_by(known) + record.refused:
        return False
    if not record.count:
        # Nothing was said: ASAPP's own count tells, or a day in which nothing came after all.
        silent = known.summary == 0 and age >= HOUR_MS
        return not finding.day and not known.held and (silent or age >= DAY_MS)
    # The webhook may know more than the record for a while, and with both redacted and unredacted
    # texts for ever.
    more_is_ours = bool(finding.alignment.only_ours)
    if finding.day:
        ended = datetime.fromtimestamp(known.changed_at_ms / 1000, UTC).date()
        enough = record.count >= known.from_messages and finding.day >= ended
        return enough and (not more_is_ours or finding.day > ended)
    if record.at_limit:
        # By ASAPP's own count, if it is of every stream.
        is_counted = known.summary is not None and not finding.unverified(known)
        return is_counted and not finding.alignment.missing
    return not more_is_ours or age >= DAY_MS
