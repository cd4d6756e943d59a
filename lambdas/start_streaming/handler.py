"""Starts transcription. A flow's Lambda block calls this after *Start media streaming*."""

from __future__ import annotations

import logging
from typing import Any

from shared import environment, log_events
from shared.asapp import Asapp
from shared.asapp_sync import Answer, sync
from shared.connect import Contact
from shared.conversation import START, Leg, started
from shared.conversation_table import Conversations
from shared.runtime import Deadline, LambdaContext

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """:returns: The STRING_MAP of :meth:`shared.asapp_sync.Answer.for_flow`."""
    contact = Contact.from_event(event)
    answer = start(
        contact,
        contact.conversation_id(environment.conversation_id_source()),
        environment.starts_at_fragment(),
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
    """Make ASAPP hear the contact's audio.

    :param at_fragment: From its first fragment; else from now.
    """
    if not contact.stream_arn:
        return Answer("no_media_stream", conversation_id, "media_streaming_not_started")
    leg = Leg(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        agent_id=contact.agent_id,
        agent_arn=contact.agent_arn,
        stream_arn=contact.stream_arn,
        fragment_number=contact.start_fragment_number if at_fragment else "",
        began_at_ms=contact.stream_started_at_ms,
        at_ms=deadline.clock.now_ms(),
    )
    return sync(conversation_id, started(leg), conversations, asapp, deadline, START)
