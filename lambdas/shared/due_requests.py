"""Sends the requests that are due to ASAPP, and keeps account of what it was told.

Only the invocation that has claimed a conversation calls :func:`send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.asapp import Asapp, Outcome
from shared.conversation import START, STOP, STOPPED, STREAMING, UNKNOWN, Conversation, Leg, Told
from shared.conversation_table import Request
from shared.runtime import Deadline


def send(
    conversation_id: str,
    known: Conversation,
    due: Sequence[str],
    asapp: Asapp,
    deadline: Deadline,
) -> tuple[Told, list[Request]]:
    """Send requests until one fails.

    :param due: ``START`` and ``STOP``, at least one.
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
            told = _told_to_stop(told, outcome)
        else:
            position = _start_position(told, leg)
            outcome = asapp.start(
                conversation_id,
                customer_id=leg.customer_id,
                agent_id=leg.agent_id,
                stream_arn=leg.stream_arn,
                after_fragment_number=position,
                deadline=deadline,
            )
            told = _told_to_start(told, leg, position, outcome, now)
            requests.append(Request(START, outcome, leg.contact_id, told.audio_began_at_ms))
        if not outcome.succeeded:
            break
    if START in due:
        told = replace(told, start_failed=told.asapp != STREAMING)
    return told, requests


def before_a_start(known: Conversation) -> Conversation:
    """Names the audio that ASAPP may have read if this invocation is killed."""
    told, leg = known.told, known.desired_leg
    position = _start_position(told, leg) if leg else ""
    unsure = told.unsure_fragments | {position} - {""}
    return replace(known, told=replace(told, unsure_fragments=unsure))


def _start_position(told: Told, leg: Leg) -> str:
    """Where ASAPP begins to read: at the leg's first fragment, or, with ``""``, where the call is
    now. Audio that ASAPP has heard is not read again, and a hold is never read."""
    is_read = leg.fragment_number in told.started_fragments
    return "" if is_read or leg.resumed_at_ms else leg.fragment_number


def _told_to_stop(told: Told, outcome: Outcome) -> Told:
    if not outcome.succeeded:
        return replace(told, asapp=UNKNOWN)
    # If ASAPP had something to stop, an earlier start without a clear end has taken place.
    read = told.unsure_fragments if outcome.status == "done" else frozenset()
    return replace(
        told,
        asapp=STOPPED,
        started_fragments=told.started_fragments | read,
        unsure_fragments=frozenset(),
    )


def _told_to_start(told: Told, leg: Leg, position: str, outcome: Outcome, now_ms: int) -> Told:
    if not outcome.succeeded and outcome.is_certain:
        return replace(told, asapp=STOPPED, unsure_fragments=told.unsure_fragments - {position})
    fragment = frozenset((position,)) - {""}
    told = replace(
        told,
        agent_id=leg.agent_id,
        customer_id=leg.customer_id,
        stream_arn=leg.stream_arn,
        contact_id=leg.contact_id,
        customer_stream_id=outcome.customer_stream_id,
        agent_stream_id=outcome.agent_stream_id,
        started_at_ms=now_ms,
        audio_began_at_ms=(leg.began_at_ms if position else 0) or now_ms,
    )
    if not outcome.succeeded:
        return replace(told, asapp=UNKNOWN, unsure_fragments=told.unsure_fragments | fragment)
    return replace(
        told,
        asapp=STREAMING,
        started_fragments=told.started_fragments | fragment,
        unsure_fragments=frozenset(),
    )
