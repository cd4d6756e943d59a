"""Compares conversations with ASAPP's record, and stores what they lack."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import date
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reconcile_transcript.alignment import align
from reconcile_transcript.alignment.budget import until
from reconcile_transcript.completeness import (
    AWAITING,
    COMPLETE,
    DAY_MS,
    INCOMPLETE,
    NOT_TRANSCRIBED,
    WEEK_MS,
    Finding,
    Verdict,
    judge,
)
from reconcile_transcript.messages import Messages, NoRecord
from reconcile_transcript.record import Record, Undecided
from reconcile_transcript.transcripts import WAITS_FOR_KEY, Known, Transcripts, Try
from shared import log_events
from shared.asapp.requests import BadCredentials
from shared.aws.batch_write import NoCapacity
from shared.calls.customers import BadKey, CustomerDigests
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline
from shared.table import BATCH, PENDING, QUARANTINED, UTTERANCE

logger = logging.getLogger(__name__)

MESSAGES, EXPORT = "messages", "export"
Screen = Callable[[str, Record, str], Record]
"""Of a conversation's id, its record, and where that is from."""
_MOST_UNFINISHED = 3
_SECONDS_TO_READ_A_KEY = 5.0
_MS_UNTIL_THE_KEY = 3_600_000
"""A call that could not be entered, because the key was not to be read, is tried again then."""
_SECONDS_TO_COMPARE = 20.0
"""A call of three hours takes a few hundred milliseconds."""


class Reconciler:
    """:param has_export: Whether what GET messages does not give comes by File Exporter.
    :param after_ms: What the index holds is due so long after its time.
    :param screen: Asks the customer's function, if there is one: the record is compared as that
        function lets it through, so that nothing comes back that was refused before.
    :param digests: Of customers, for the index of their calls; None for no index.
    """

    def __init__(
        self,
        transcripts: Transcripts,
        messages: Messages,
        *,
        has_export: bool,
        after_ms: int,
        digests: CustomerDigests | None = None,
        clock: Clock = SYSTEM_CLOCK,
        screen: Screen | None = None,
    ) -> None:
        self._transcripts = transcripts
        self._messages = messages
        self._has_export = has_export
        self._after_ms = after_ms
        self._digests = digests
        self._clock = clock
        self._screen = screen

    def look(
        self, conversation_id: str, deadline: Deadline, *, by_hand: bool = False
    ) -> dict[str, Any] | None:
        """Compare a conversation with ASAPP's GET messages.

        :param by_hand: Somebody asks for it: also if it is in quarantine, or ASAPP should have
            forgotten it.
        :returns: What is logged of it; None for one that is not in the table.
        :raises BadCredentials: if the credentials cannot be read.
        :raises TooMuchWork: if it cannot be compared in time.
        """
        return self._counted(
            conversation_id, lambda: self._look(conversation_id, deadline, by_hand), by_hand
        )

    def _look(
        self, conversation_id: str, deadline: Deadline, by_hand: bool
    ) -> dict[str, Any] | None:
        known = self._transcripts.read(conversation_id)
        if known is None:
            return None
        if known.only_to_enter and not by_hand:
            return self._enter_at_last(known)
        age = self._clock.now_ms() - known.changed_at_ms
        if known.completeness and age >= WEEK_MS + DAY_MS and not by_hand:
            return self._settle(known, Finding(None))  # ASAPP has forgotten it
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
        """Compare a conversation with the export, which has it up to ``day``.

        :raises TooMuchWork: if it cannot be compared in time.
        """

        def compare() -> dict[str, Any] | None:
            known = self._transcripts.read(conversation_id)
            return self._compare(known, record, day) if known else None

        return self._counted(conversation_id, compare)

    def _counted(
        self,
        conversation_id: str,
        compare: Callable[[], dict[str, Any] | None],
        by_hand: bool = False,
    ) -> dict[str, Any] | None:
        """Count the try first: the work may end the process, and must not do so for ever."""
        begun = self._transcripts.begin(conversation_id)
        if begun.unfinished >= _MOST_UNFINISHED and not by_hand:
            return self._quarantine(conversation_id, begun)
        try:
            return compare()
        except (ClientError, BotoCoreError, NoCapacity, BadCredentials, Undecided):
            with suppress(ClientError, BotoCoreError):
                self._transcripts.uncount(conversation_id)
            raise

    def _quarantine(self, conversation_id: str, begun: Try) -> dict[str, Any]:
        """Stop comparing a conversation. Its customer is still entered: that needs no words."""
        entered = self._entered(conversation_id, begun.customers)
        stays = self._waits_for_key(begun.customers) and not entered
        self._transcripts.quarantine(
            conversation_id,
            {"enteredAt": self._clock.now_ms()} if entered else {},
            self._again_at_ms() if stays else None,
        )
        done = {"conversationId": conversation_id, "completeness": QUARANTINED}
        if begun.completeness != QUARANTINED:
            logger.error(
                "a conversation cannot be compared; nobody looks at it until it is asked for",
                extra=done | {"event": log_events.CONVERSATION_INCOMPLETE},
            )
        return done

    def give_up(self, conversation_id: str) -> None:
        """The export has not completed it in time: say so and wait on, or end the second time."""
        known = self._transcripts.read(conversation_id)
        if known is None:
            return
        later = self._clock.now_ms() + WEEK_MS // 2
        then = "" if known.completeness == INCOMPLETE else BATCH
        self._write(known, Finding(None), Verdict(INCOMPLETE, then, later))

    def _compare(self, known: Known, record: Record, day: date | None = None) -> dict[str, Any]:
        if self._screen:
            record = self._screen(known.conversation_id, record, EXPORT if day else MESSAGES)
        # The feed has whole seconds: what was placed by GET messages is placed better.
        placed = f"{UTTERANCE}{MESSAGES}#"
        settled = {held.key for held in known.held if day and held.key.startswith(placed)}
        check = until(Deadline(_SECONDS_TO_COMPARE, self._clock))
        alignment = align(record.said, known.held, settled, check)
        self._transcripts.write(known, alignment, EXPORT if day else MESSAGES)
        finding = Finding(record, day, alignment)
        still = {held.key for held in finding.unverified(known)}
        posted = [held.key for held in known.held if not held.is_verified]
        self._transcripts.confirm(known, (key for key in posted if key not in still))
        return self._settle(known, finding)

    def _settle(self, known: Known, finding: Finding) -> dict[str, Any]:
        verdict = judge(known, finding, self._clock.now_ms(), has_export=self._has_export)
        return self._write(known, finding, verdict)

    def _write(self, known: Known, finding: Finding, verdict: Verdict) -> dict[str, Any]:
        now, alignment = self._clock.now_ms(), finding.alignment
        recovered = known.recovered + len(alignment.missing) - len(alignment.twins)
        changes: dict[str, Any] = {
            "completeness": verdict.completeness,
            "fromWebhook": len(known.held) - known.recovered,
            "recovered": recovered,
            "unverified": len(finding.unverified(known)),
            "reconcileTries": (known.tries if known.unchanged else 0) + 1,
            "reconciledAt": now,
        }
        if known.summary is not None:
            changes["fromSummary"] = known.summary
        if finding.record:
            changes["fromExport" if finding.day else "fromMessages"] = finding.record.count
            changes["onlyOurs"] = len(alignment.only_ours)
            changes |= {"refused": finding.record.refused} if self._screen else {}
        overdue = now - known.changed_at_ms >= DAY_MS or verdict.completeness == INCOMPLETE
        waits_for_export = verdict.then == BATCH and verdict.completeness == AWAITING
        at_limit = bool(finding.record and finding.record.at_limit)
        report = (
            overdue
            and verdict.completeness not in (COMPLETE, NOT_TRANSCRIBED)
            and not known.reported
            and not (waits_for_export and (at_limit or finding.day))
        )
        if report:
            changes["reportedAt"] = now
        entered = self._entered(known.conversation_id, known.customers)
        if entered:
            changes["enteredAt"] = now
        if not known.no_transcript and (not known.was_heard or finding.has_no_word(known)):
            changes["noTranscriptAt"] = now
        then = verdict.then
        at_ms = verdict.at_ms - self._after_ms if then == PENDING else verdict.at_ms
        if not then and not entered and self._waits_for_key(known.customers):
            changes[WAITS_FOR_KEY] = 1
            then, at_ms = PENDING, self._again_at_ms()
        if not self._transcripts.settle(known, changes, then, at_ms):
            logger.info("the call goes on", extra={"conversationId": known.conversation_id})
        else:
            self._log(known, finding, changes)
        return {"conversationId": known.conversation_id, **changes}

    def _enter_at_last(self, known: Known) -> dict[str, Any]:
        """Its last verdict stays, and is not told again: ASAPP may have forgotten it by now."""
        changes: dict[str, Any] = {"completeness": known.completeness}
        if known.summary is not None:
            changes["fromSummary"] = known.summary
        if self._entered(known.conversation_id, known.customers):
            changes["enteredAt"] = self._clock.now_ms()
            self._transcripts.settle(known, changes, "", 0)
        else:
            changes[WAITS_FOR_KEY] = 1
            self._transcripts.settle(known, changes, PENDING, self._again_at_ms())
        return {"conversationId": known.conversation_id, **changes}

    def _waits_for_key(self, customers: Collection[str]) -> bool:
        """Whether a call that is not entered now stays in the index until it is."""
        return bool(self._digests and customers)

    def _again_at_ms(self) -> int:
        return self._clock.now_ms() + _MS_UNTIL_THE_KEY - self._after_ms

    def _entered(self, conversation_id: str, customers: Collection[str]) -> bool:
        """Enter the call into the index of customers. If there is no key, the call is compared all
        the same, and entered at its next look, or an hour later."""
        if not self._digests or not customers:
            return False
        deadline = Deadline(_SECONDS_TO_READ_A_KEY, self._clock)
        try:
            for customer in sorted(customers):
                digest, *_ = self._digests.of(customer, deadline)
                self._transcripts.enter(conversation_id, digest)
        except BadKey as problem:
            logger.error("a call is not in the index of customers", extra={"code": str(problem)})
            return False
        return True

    def _log(
        self,
        known: Known,
        finding: Finding,
        changes: dict[str, Any],
    ) -> None:
        # Of what was recovered, the table has all and the log, which is added up, the new.
        told = changes | {
            "conversationId": known.conversation_id,
            "recovered": len(finding.alignment.missing),
        }
        logger.info("reconciled", extra=told | {"event": log_events.CONVERSATION_RECONCILED})
        if "noTranscriptAt" in changes:
            logger.error(
                "a call was answered and has no transcript, or not to its end",
                extra=told | {"event": log_events.CALL_NOT_TRANSCRIBED},
            )
        if "reportedAt" in changes:
            logger.error(
                "a conversation stays incomplete",
                extra=told | {"event": log_events.CONVERSATION_INCOMPLETE},
            )
