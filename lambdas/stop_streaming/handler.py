"""Stops transcription. A flow's Lambda block calls this before *Stop media streaming*, or alone in
a hold flow, where media streaming blocks are not allowed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from shared import environment, log_events
from shared.asapp.media_gateway import Asapp
from shared.calls.asapp_sync import Answer, sync
from shared.calls.conversation import (
    CONNECTED,
    ENDED,
    PAUSED,
    RETRIES_END_MS,
    STOP,
    Conversation,
    Leg,
    Observation,
)
from shared.calls.conversation_table import Conversations
from shared.connect.flow_event import Contact
from shared.runtime import Deadline, LambdaContext, trace_id

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """:returns: The STRING_MAP of :meth:`shared.calls.asapp_sync.Answer.for_flow`."""
    contact = Contact.from_event(event)
    answer = stop(
        contact,
        contact.conversation_id(environment.conversation_id_source()),
        environment.conversations(),
        environment.asapp(),
        environment.deadline(context),
    )
    logger.info(
        "stop streaming: %s",
        answer.status,
        extra={
            "event": log_events.STOP_STREAMING,
            "contactId": contact.contact_id,
            "traceId": trace_id(),
            **answer.for_flow(),
        },
    )
    return answer.for_flow()


def stop(
    contact: Contact,
    conversation_id: str,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
) -> Answer:
    """Make ASAPP stop transcribing the contact.

    A chat or a task is none of ASAPP's. Its first contact may be a call's that goes on.
    """
    if not contact.is_call:
        return Answer("already_stopped", conversation_id)
    observation = stopped(
        contact.contact_id,
        deadline.clock.now_ms(),
        is_disconnect=contact.initiation_method.upper() == "DISCONNECT",
    )
    return sync(conversation_id, observation, conversations, asapp, deadline, STOP)


def stopped(contact_id: str, at_ms: int, *, is_disconnect: bool = False) -> Observation:
    """A flow has stopped transcription: a hold flow, a transfer flow, or a disconnect flow.

    :param is_disconnect: The contact says ``DISCONNECT`` as its initiation method: it began with a
        disconnect flow, because every agent had left. If another agent has taken it since, it is
        like any other.
    """

    def observe(known: Conversation) -> Conversation:
        if not known.legs:
            state = ENDED if is_disconnect else PAUSED
            return replace(known, legs=(Leg(contact_id, state=state, at_ms=at_ms),))
        own = known.leg_of(contact_id)
        if is_disconnect and not (own and own.stream_arn):
            for leg in known.legs:
                if leg.state in (CONNECTED, PAUSED) and leg.at_ms <= at_ms:
                    known = known.with_leg(replace(leg, state=ENDED, at_ms=at_ms))
            return known
        leg = own or known.legs[-1]  # a transfer flow runs on the next contact
        if leg.state != CONNECTED or leg.at_ms > at_ms:
            return known
        if own and at_ms - leg.resumed_at_ms < RETRIES_END_MS:
            return known  # a late stop of the hold that is over
        known = known.with_leg(replace(leg, state=PAUSED, at_ms=at_ms))
        return replace(known, hold_open=bool(own) and not leg.confirmed)

    return observe
