"""Bringing ASAPP to where a call is.

Whoever sees something of a call (a flow's block, run once or four times, alone or at the same time
as another; an agent event; a contact event) calls :func:`sync`. Where requests are due it claims
the conversation in the table, so that only one invocation acts; the others wait for that one's
outcome and take it as theirs. What became of the requests is written down together with the streams
that ASAPP opened. An invocation that dies in between leaves a claim that lapses, and the next one
repairs what it left through ASAPP's 409-201.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, replace

from shared.asapp import Asapp, Outcome
from shared.aws import AwsError
from shared.conversation import START, STOP, Conversation, Observation, steps
from shared.conversation_table import Conversations
from shared.runtime import Deadline, now_ms

logger = logging.getLogger(__name__)

_DONE = {START: "started", STOP: "stopped"}
_FAILED = ("rejected", "unavailable")
_LONGEST_CLAIM_SECONDS = 6.5
"""As long as a flow waits: an event, which has more time, must not keep a block from acting."""
_SECONDS_TO_SETTLE = 0.5
_FIRST_POLL_SECONDS = 0.05
_LAST_POLL_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flow is told.

    :param status: ``started``, ``already_started``, ``stopped``, ``already_stopped``,
        ``no_media_stream``, ``rejected`` or ``unavailable``.
    :param reason: ASAPP's code or ours, ``""`` where all is well.
    """

    status: str
    conversation_id: str
    reason: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""

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
) -> Answer:
    """Note what was seen, have ASAPP hear what it should hear now, and say how that went.

    Never raises because of ASAPP, the table or the time: those are answers.

    :param asked: What a flow asked for, ``START`` or ``STOP``, to answer in its words. Default: it
        is an event, which asks for nothing; one of a conversation that nobody started does nothing.
    """
    deadline = deadline.at_most(_LONGEST_CLAIM_SECONDS)
    attempt = uuid.uuid4().hex
    waited_for = ""
    pause = _FIRST_POLL_SECONDS
    try:
        # A start is most often the first that is seen of a conversation: no need to read it.
        is_first = asked == START
        seen = Conversation() if is_first else conversations.read(conversation_id, deadline)
        while True:
            if seen.claimed_until_ms > now_ms():
                if deadline.remaining() <= _LAST_POLL_SECONDS:
                    return Answer("unavailable", conversation_id, "busy")
                waited_for = seen.attempt
                time.sleep(pause)
                pause = min(pause * 2, _LAST_POLL_SECONDS)
                seen = conversations.read(conversation_id, deadline)
                continue
            known = observation(seen)
            desired_action = START if known.desired_leg else STOP
            word = _DONE[asked or desired_action]
            if asked == START and desired_action == STOP:
                return Answer("rejected", conversation_id, "contact_ended")
            if known == seen and not seen.version:
                return _as_known(f"already_{word}", conversation_id, seen)
            due = steps(known)
            settled_meanwhile = seen.attempt == waited_for and seen.claimed_until_ms == 0
            failed_meanwhile = settled_meanwhile and seen.outcome_status in _FAILED
            if failed_meanwhile and seen.desired_action == desired_action and known == seen:
                return Answer(seen.outcome_status, conversation_id, seen.outcome_reason)
            if not due and known == seen:
                return _as_known(f"already_{word}", conversation_id, seen)
            changed = conversations.write(
                conversation_id,
                seen,
                known,
                deadline,
                attempt=attempt if due else "",
                desired_action=desired_action,
            )
            # A write that was tried again after its answer was lost meets itself.
            ours = changed is not None and bool(due) and changed.attempt == attempt
            if changed is not None and not ours:
                seen = changed
            elif due:
                return _act(conversation_id, known, attempt, conversations, asapp, deadline, word)
            else:
                return _as_known(f"already_{word}", conversation_id, seen)
    except AwsError as error:
        logger.error(
            "the table cannot be used; nothing was sent to ASAPP",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
        return Answer("unavailable", conversation_id, "table_unavailable")


def _act(
    conversation_id: str,
    known: Conversation,
    attempt: str,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
    word: str,
) -> Answer:
    """Send the requests that are due, the last of which decides the answer."""
    leg = known.desired_leg
    if leg is not None and (leg.fragment_number in known.started_fragments or leg.resumed_at_ms):
        # Audio that ASAPP has heard, or a hold, is not read again: a second start of the same
        # contact (a repeated whisper, a resume) begins where the call is now.
        leg = replace(leg, fragment_number="")
    for_asapp = deadline.earlier(_SECONDS_TO_SETTLE)
    requests: list[tuple[str, Outcome]] = []
    for action in steps(known):
        if action == STOP or leg is None:
            outcome = asapp.stop(conversation_id, for_asapp)
        else:
            outcome = asapp.start(
                conversation_id,
                customer_id=leg.customer_id,
                agent_id=leg.agent_id,
                stream_arn=leg.stream_arn,
                after_fragment_number=leg.fragment_number,
                deadline=for_asapp,
            )
        requests.append((action, outcome))
        if outcome.status == "unavailable":
            break
    answer = _answer(conversation_id, word, requests[-1][1], known)
    try:
        conversations.settle(
            conversation_id, attempt, leg, requests, answer.status, answer.reason, deadline
        )
    except AwsError as error:
        logger.error(
            "ASAPP has answered and the table could not be told; the next request repairs it",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
    return answer


def _answer(conversation_id: str, word: str, outcome: Outcome, known: Conversation) -> Answer:
    if not outcome.succeeded:
        return Answer(outcome.status, conversation_id, outcome.reason)
    if outcome.status == "already":
        return _as_known(f"already_{word}", conversation_id, known, outcome.reason)
    streams = (outcome.customer_stream_id, outcome.agent_stream_id)
    return Answer(word, conversation_id, "", *streams)


def _as_known(status: str, conversation_id: str, known: Conversation, reason: str = "") -> Answer:
    streams = (known.customer_stream_id, known.agent_stream_id)
    return Answer(status, conversation_id, reason, *streams)
