"""Starts transcription. A flow's Lambda block calls this after *Start media streaming*."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

from shared import environment, log_events
from shared.asapp.media_gateway import Asapp
from shared.calls.asapp_sync import Answer, sync
from shared.calls.conversation import (
    CONNECTED,
    OVER,
    RETRIES_END_MS,
    START,
    Conversation,
    Leg,
    Observation,
    told_before,
)
from shared.calls.conversation_table import Conversations
from shared.connect.flow_event import Contact
from shared.runtime import Deadline, LambdaContext, trace_id

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """:returns: The STRING_MAP of :meth:`shared.calls.asapp_sync.Answer.for_flow`."""
    contact = Contact.from_event(event)
    answer = start(
        contact,
        contact.conversation_id(environment.conversation_id_source()),
        os.environ["START_SELECTOR"] == "FRAGMENT_NUMBER",
        environment.conversations(),
        environment.asapp(),
        environment.deadline(context),
    )
    logger.info(
        "start streaming: %s",
        answer.status,
        extra={
            "event": log_events.START_STREAMING,
            "contactId": contact.contact_id,
            "traceId": trace_id(),
            **answer.for_flow(),
        },
    )
    return answer.for_flow()


def start(
    contact: Contact,
    conversation_id: str,
    at_fragment: bool,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
) -> Answer:
    """Make ASAPP transcribe the contact's audio.

    :param at_fragment: From its first fragment; else from now.
    """
    if not contact.stream_arn:
        return Answer("no_media_stream", conversation_id, "media_streaming_not_started")
    leg = Leg(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        agent_id=contact.agent_id,
        agent_arn=contact.agent_arn,
        queue=contact.queue,
        stream_arn=contact.stream_arn,
        fragment_number=contact.start_fragment_number if at_fragment else "",
        began_at_ms=contact.stream_started_at_ms,
        at_ms=deadline.clock.now_ms(),
    )
    return sync(conversation_id, started(leg), conversations, asapp, deadline, START)


def started(leg: Leg) -> Observation:
    """A flow streams a contact's audio now, for an agent who takes the call."""

    def observe(known: Conversation) -> Conversation:
        before = known.leg_of(leg.contact_id)
        if before is not None:
            if before.state == OVER or before.at_ms > leg.at_ms:
                return known
            same = (before.agent_id, before.stream_arn) == (leg.agent_id, leg.stream_arn)
            if same and before.state == CONNECTED and known.legs[-1] == before:
                if leg.at_ms - before.agent_at_ms < RETRIES_END_MS:
                    return known
                # No retry: the call is offered to the agent again. Earlier events do not count.
                return known.with_leg(replace(before, agent_at_ms=leg.at_ms))
        others = (other for other in known.legs if other.contact_id != leg.contact_id)
        legs = (*others, replace(leg, agent_at_ms=leg.at_ms))
        return replace(known, legs=legs, told=told_before(known), hold_open=False)

    return observe
