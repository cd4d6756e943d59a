"""Makes ASAPP transcribe what it should of a call now.

Every function that observes a call calls :func:`sync`. It writes the observation into the table. If
requests are due, it also claims the conversation: one invocation at a time acts.

* The others write their observations, and wait for the outcome.
* The one with the claim then reads the table again, and acts on what others have written.
* A claim ends after some seconds. If its invocation was killed, the next one cannot know what it
  did. So it stops the stream, then starts it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from shared.asapp.media_gateway import Asapp, Outcome
from shared.aws.api import AwsError
from shared.calls.conversation import (
    FRESH_MS,
    START,
    STOP,
    STREAMING,
    UNKNOWN,
    Conversation,
    Observation,
    Told,
    before_a_start,
    observed,
    start_position,
    steps,
    told_to_start,
    told_to_stop,
)
from shared.calls.conversation_table import Conversations, Request
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

_DONE = {START: "started", STOP: "stopped"}
_FAILED = ("rejected", "unavailable", "disabled")
_LONGEST_SECONDS = 6.5
"""For an event as for a flow's block."""
_CLAIM_SECONDS = 4.5
"""Less than a block waits: the block that comes after a killed invocation has time to act."""
_SECONDS_TO_SETTLE = 0.5
_FIRST_POLL_SECONDS = 0.05
_LAST_POLL_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flow is told.

    :param status: ``started``, ``already_started``, ``stopped``, ``already_stopped``,
        ``no_media_stream``, ``rejected``, ``unavailable`` or ``disabled``.
    :param reason: ASAPP's code or ours, ``""`` if all is well.
    :param is_clear: Whether it is known what ASAPP does now. If not, an event must come again.
    """

    status: str
    conversation_id: str
    reason: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    is_clear: bool = True

    def for_flow(self) -> dict[str, str]:
        """The block's STRING_MAP: flat, every value a string."""
        return {
            "status": self.status,
            "conversationId": self.conversation_id,
            "customerStreamId": self.customer_stream_id,
            "agentStreamId": self.agent_stream_id,
            "reason": self.reason,
        }


def sync(
    conversation_id: str,
    observation: Observation,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
    asked: str = "",
    *,
    may_start: bool = True,
) -> Answer:
    """Store the observation, send ASAPP the requests that are due, and return the outcome.

    Never raises because of ASAPP, the table or the time: these are answers.

    :param asked: What a flow asked for, ``START`` or ``STOP``; ``""`` for an event. An event of an
        unknown conversation changes nothing.
    :param may_start: False for an old event.
    """
    whole, deadline = deadline, deadline.at_most(_LONGEST_SECONDS)
    clock = deadline.clock
    attempt = os.urandom(16).hex()
    awaited = uninformed = ""
    answer: Answer | None = None
    pause = _FIRST_POLL_SECONDS
    try:
        # A start is most often the first observation of a conversation: no need to read it.
        seen = Conversation() if asked == START else conversations.read(conversation_id, deadline)
        while True:
            if seen.erased:
                return _of_an_erased_call(conversation_id, asked)
            now = clock.now_ms()
            known = observed(seen, observation)
            leg = known.desired_leg
            word = _DONE[asked or (START if leg else STOP)]
            if asked == START and leg is None and answer is None:
                return Answer("rejected", conversation_id, "contact_ended")
            if known == seen and not seen.version:
                return _as_known(f"already_{word}", conversation_id, seen.told)
            if answer and may_start:  # what others have written meanwhile may be old news
                may_start = leg is not None and now - leg.at_ms <= FRESH_MS
            is_busy = seen.claimed_until_ms > now
            due = () if is_busy else steps(known, now, may_start=may_start)
            if not may_start and not is_busy and known.is_unheard:
                known = replace(known, told=replace(known.told, start_failed=True))
            if known == seen and not is_busy:
                if failure := _failure_of(awaited, conversation_id, seen):
                    return failure
                if not due:
                    return answer or _as_known(f"already_{word}", conversation_id, seen.told)
            if known != seen or due:
                claim = deadline.at_most(_CLAIM_SECONDS)
                changed = conversations.write(
                    conversation_id,
                    seen,
                    before_a_start(known) if START in due else known,
                    deadline,
                    attempt if due else "",
                    claim,
                )
                # A write that was repeated after its answer was lost finds its own claim.
                is_ours = changed is not None and bool(due) and changed.attempt == attempt
                if changed is not None and not is_ours:
                    seen = changed
                    continue
                known = replace(known, version=seen.version + 1)
                if due:
                    known = replace(known, attempt=attempt)
                    latest, has_changed = _act(
                        conversation_id, known, due, word, conversations, asapp, claim, whole
                    )
                    # A flow hears what came of its own request; an event comes again if any failed.
                    answer = answer if answer and asked else latest
                    if not has_changed or latest.status in _FAILED:
                        return answer
                    attempt = os.urandom(16).hex()
                    seen = conversations.read(conversation_id, deadline)
                    continue
                if not is_busy:
                    return answer or _as_known(f"already_{word}", conversation_id, seen.told)
                seen, uninformed = known, known.attempt
            # Another invocation acts. If it succeeds, it acts on what we wrote; if not, we do.
            if answer and asked:
                return answer
            if deadline.remaining() <= _LAST_POLL_SECONDS:
                return Answer("unavailable", conversation_id, "busy", is_clear=False)
            awaited = "" if seen.attempt == uninformed else seen.attempt
            deadline.pause(pause)
            pause = min(pause * 2, _LAST_POLL_SECONDS)
            seen = conversations.read(conversation_id, deadline)
    except AwsError as error:
        logger.error(
            "the table cannot be used; nothing was sent to ASAPP",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
        return answer or Answer("unavailable", conversation_id, "table_unavailable", is_clear=False)


def _of_an_erased_call(conversation_id: str, asked: str) -> Answer:
    if asked == START:
        return Answer("rejected", conversation_id, "erased")
    return Answer("already_stopped", conversation_id)


def _failure_of(attempt: str, conversation_id: str, seen: Conversation) -> Answer | None:
    """What came of an invocation that others have waited for, if it failed: they share it."""
    told = seen.told
    if attempt != seen.attempt or seen.claimed_until_ms or told.outcome_status not in _FAILED:
        return None
    is_clear = told.asapp != UNKNOWN
    return Answer(told.outcome_status, conversation_id, told.outcome_reason, is_clear=is_clear)


def _act(
    conversation_id: str,
    known: Conversation,
    due: Sequence[str],
    word: str,
    conversations: Conversations,
    asapp: Asapp,
    claim: Deadline,
    deadline: Deadline,
) -> tuple[Answer, bool]:
    """Send the requests that are due, store their outcome, and release the claim.

    :param deadline: Until when that can be written down: an event has more time.
    :returns: The answer, and whether others have written something meanwhile.
    """
    told, requests = _send(conversation_id, known, due, asapp, claim.earlier(_SECONDS_TO_SETTLE))
    answer = _answer(conversation_id, word, requests[-1].outcome, told)
    told = replace(told, outcome_status=answer.status, outcome_reason=answer.reason)
    known = replace(known, told=told, claimed_until_ms=0)
    settle = partial(conversations.settle, conversation_id, known, requests, deadline)
    try:
        has_changed = not settle(unless_changed=True)
        if has_changed:
            settle(unless_changed=False)
    except AwsError as error:
        logger.error(
            "ASAPP has answered and the table could not be told; the next request repairs it",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
        return answer, False
    return answer, has_changed


def _send(
    conversation_id: str,
    known: Conversation,
    due: Sequence[str],
    asapp: Asapp,
    deadline: Deadline,
) -> tuple[Told, list[Request]]:
    """Send requests until one fails.

    :returns: What ASAPP was told by all of them, and each request with its outcome.
    """
    told, leg = known.told, known.desired_leg
    if known.claimed_until_ms:  # what a killed invocation told ASAPP is not known
        told = replace(told, asapp=UNKNOWN, contact_id="", audio_began_at_ms=0)
    requests: list[Request] = []
    for action in due:
        now = deadline.clock.now_ms()
        if action == STOP or leg is None:
            outcome = asapp.stop(conversation_id, deadline)
            requests.append(Request(STOP, outcome, told.contact_id, told.audio_began_at_ms))
            told = told_to_stop(told, outcome)
        else:
            position = start_position(told, leg)
            outcome = asapp.start(
                conversation_id,
                customer_id=leg.customer_id,
                agent_id=leg.agent_id,
                stream_arn=leg.stream_arn,
                after_fragment_number=position,
                deadline=deadline,
            )
            told = told_to_start(told, leg, position, outcome, now)
            requests.append(Request(START, outcome, leg.contact_id, told.audio_began_at_ms))
        if not outcome.succeeded:
            break
    if START in due:
        told = replace(told, start_failed=told.asapp != STREAMING)
    return told, requests


def _answer(conversation_id: str, word: str, outcome: Outcome, told: Told) -> Answer:
    if not outcome.succeeded:
        clear = outcome.is_certain
        return Answer(outcome.status, conversation_id, outcome.reason, is_clear=clear)
    if outcome.status == "already":
        return _as_known(f"already_{word}", conversation_id, told, outcome.reason)
    streams = (outcome.customer_stream_id, outcome.agent_stream_id)
    reason = ""
    if any(streams) and not all(streams):
        reason = "only_customer" if streams[0] else "only_agent"
        logger.warning(
            "ASAPP hears one side of the call only; does Start media streaming stream both?",
            extra={"conversationId": conversation_id, "reason": reason},
        )
    return Answer(word, conversation_id, reason, *streams)


def _as_known(status: str, conversation_id: str, told: Told, reason: str = "") -> Answer:
    streams = (told.customer_stream_id, told.agent_stream_id)
    return Answer(status, conversation_id, reason, *streams)
