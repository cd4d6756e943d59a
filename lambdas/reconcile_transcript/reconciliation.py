"""Whether a conversation's transcript is whole, and what is done where it is not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from reconcile_transcript.alignment import Alignment, align
from reconcile_transcript.messages import Messages, NoRecord, Record
from reconcile_transcript.transcripts import Known, Transcripts
from shared import log_events
from shared.runtime import Deadline, now_ms
from shared.table import BATCH, PENDING
from shared.utterance import PREFIX

logger = logging.getLogger(__name__)

COMPLETE, INCOMPLETE, AWAITING = "complete", "incomplete", "awaiting"
MESSAGES, EXPORT = "messages", "export"
_HOUR_MS = 3_600_000
_DAY_MS, _WEEK_MS = 24 * _HOUR_MS, 7 * 24 * _HOUR_MS
_BACK_OFF_MS = tuple(int(hours * _HOUR_MS) for hours in (0.25, 0.5, 1, 2, 4, 8, 12))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at ASAPP's record has shown.

    :param record: None where there was none to be had.
    :param day: The day of the export that the record is from; None: it is from GET messages.
    """

    record: Record | None
    day: date | None = None
    alignment: Alignment = field(default_factory=Alignment)

    def held_by(self, known: Known) -> int:
        """How many utterances are ours now."""
        return len(known.held) + len(self.alignment.missing) - len(self.alignment.twins)


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
    was_complete = known.unchanged and known.completeness == COMPLETE
    record = finding.record
    if record and _whole(known, finding, record, age):
        # What was late once may be late again; and a call whose end nobody saw may go on.
        again = finding.alignment.missing or not known.ended
        if again and not finding.day and age < _WEEK_MS - _DAY_MS:
            return Verdict(COMPLETE, PENDING, now + _DAY_MS)
        return Verdict(COMPLETE)
    marked_at = known.marked_at_ms or now
    if finding.day:
        waits = INCOMPLETE if known.completeness == INCOMPLETE else AWAITING
        return Verdict(waits, BATCH, marked_at)
    if record and record.at_limit:
        return Verdict(AWAITING, BATCH, marked_at)
    if was_complete and (record == Record() or age >= _WEEK_MS):
        return Verdict(COMPLETE)  # ASAPP has forgotten it
    if age >= _WEEK_MS:
        return Verdict(INCOMPLETE)
    if age >= _DAY_MS and has_export and not was_complete:
        return Verdict(AWAITING, BATCH, marked_at)
    tries = known.tries if known.unchanged else 0
    due = now + _BACK_OFF_MS[min(tries, len(_BACK_OFF_MS) - 1)]
    borders = [known.changed_at_ms + border for border in (_DAY_MS, _WEEK_MS) if age < border]
    return Verdict(COMPLETE if was_complete else AWAITING, PENDING, min(due, *borders))


def _whole(known: Known, finding: Finding, record: Record, age: int) -> bool:
    if record.unreadable or (known.summary or 0) > finding.held_by(known):
        return False
    if not record.count:
        # Nothing was said: ASAPP's own count tells, or a day in which nothing came after all.
        silent = known.summary == 0 and age >= _HOUR_MS
        return not finding.day and not known.held and (silent or age >= _DAY_MS)
    # The webhook may know more than the record for a while, and with both redacted and unredacted
    # texts for ever.
    more_is_ours = bool(finding.alignment.only_ours)
    if finding.day:
        ended = datetime.fromtimestamp(known.changed_at_ms / 1000, UTC).date()
        enough = record.count >= known.from_messages and finding.day >= ended
        return enough and (not more_is_ours or finding.day > ended)
    if record.at_limit:
        return known.summary is not None and not finding.alignment.missing  # by ASAPP's own count
    return not more_is_ours or age >= _DAY_MS


class Reconciler:
    """:param has_export: Whether what GET messages does not give comes by File Exporter.
    :param after_ms: What the index holds is due so long after its time.
    """

    def __init__(
        self,
        transcripts: Transcripts,
        messages: Messages,
        *,
        has_export: bool,
        after_ms: int,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._transcripts = transcripts
        self._messages = messages
        self._has_export = has_export
        self._after_ms = after_ms
        self._now = clock

    def look(self, conversation_id: str, deadline: Deadline) -> dict[str, Any] | None:
        """Hold a conversation against ASAPP's GET messages.

        :returns: What is logged of it; None for one that is not in the table.
        :raises BadCredentials: as :meth:`Messages.of` does.
        """
        known = self._transcripts.read(conversation_id)
        if known is None:
            return None
        try:
            record = self._messages.of(conversation_id, deadline)
        except NoRecord as problem:
            logger.warning(
                "ASAPP gave no messages; it is asked again",
                extra={"conversationId": conversation_id, "code": str(problem)},
            )
            return self._settle(known, Finding(None))
        return self._compare(known, record)

    def complete(self, conversation_id: str, record: Record, day: date) -> dict[str, Any] | None:
        """Hold a conversation against the export, which holds it as far as ``day``."""
        known = self._transcripts.read(conversation_id)
        return self._compare(known, record, day) if known else None

    def give_up(self, conversation_id: str) -> None:
        """The export has not completed it in time: say so, and wait on; the second time, end."""
        known = self._transcripts.read(conversation_id)
        if known is None:
            return
        later = self._now() + _WEEK_MS // 2
        then = "" if known.completeness == INCOMPLETE else BATCH
        self._write(known, Finding(None), Verdict(INCOMPLETE, then, later))

    def _compare(self, known: Known, record: Record, day: date | None = None) -> dict[str, Any]:
        # The feed tells whole seconds: what the messages placed is placed better.
        placed = f"{PREFIX}{MESSAGES}#"
        settled = {held.key for held in known.held if day and held.key.startswith(placed)}
        alignment = align(record.said, known.held, known.streams, settled)
        self._transcripts.write(known, alignment, EXPORT if day else MESSAGES)
        return self._settle(known, Finding(record, day, alignment))

    def _settle(self, known: Known, finding: Finding) -> dict[str, Any]:
        verdict = judge(known, finding, self._now(), has_export=self._has_export)
        return self._write(known, finding, verdict)

    def _write(self, known: Known, finding: Finding, verdict: Verdict) -> dict[str, Any]:
        now, alignment = self._now(), finding.alignment
        recovered = known.recovered + len(alignment.missing) - len(alignment.twins)
        changes: dict[str, Any] = {
            "completeness": verdict.completeness,
            "fromWebhook": len(known.held) - known.recovered,
            "recovered": recovered,
            "reconcileTries": (known.tries if known.unchanged else 0) + 1,
            "reconciledAt": now,
        }
        if known.summary is not None:
            changes["fromSummary"] = known.summary
        if finding.record:
            changes["fromExport" if finding.day else "fromMessages"] = finding.record.count
            changes["onlyOurs"] = len(alignment.only_ours)
        overdue = now - known.changed_at_ms >= _DAY_MS or verdict.completeness == INCOMPLETE
        waits_for_export = verdict.then == BATCH and verdict.completeness == AWAITING
        at_limit = bool(finding.record and finding.record.at_limit)
        report = (
            overdue
            and verdict.completeness != COMPLETE
            and not known.reported
            and not (waits_for_export and (at_limit or finding.day))
        )
        if report:
            changes["reportedAt"] = now
        at_ms = verdict.at_ms - self._after_ms if verdict.then == PENDING else verdict.at_ms
        if not self._transcripts.settle(known, changes, verdict.then, at_ms):
            logger.info("the call goes on", extra={"conversationId": known.conversation_id})
        else:
            # Of what was recovered, the table has all and the log, which is added up, the new.
            told = changes | {
                "conversationId": known.conversation_id,
                "recovered": len(alignment.missing),
            }
            logger.info("reconciled", extra=told | {"event": log_events.CONVERSATION_RECONCILED})
            if report:
                logger.error(
                    "a conversation stays incomplete",
                    extra=told | {"event": log_events.CONVERSATION_INCOMPLETE},
                )
        return {"conversationId": known.conversation_id, **changes}
