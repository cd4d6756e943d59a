"""Stops transcription. A flow's Lambda block calls this before *Stop media streaming*, or alone in
a hold flow, where media streaming blocks are not allowed."""

from __future__ import annotations

import logging
from typing import Any

from shared import environment, log_events
from shared.asapp import Asapp
from shared.asapp_sync import Answer, sync
from shared.connect import Contact
from shared.conversation import STOP, stopped
from shared.conversation_table import Conversations
from shared.runtime import Deadline, LambdaContext

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """:returns: The STRING_MAP of :meth:`shared.asapp_sync.Answer.for_flow`."""
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
    """Make ASAPP stop hearing the contact."""
    observation = stopped(
        contact.contact_id,
        deadline.clock.now_ms(),
        is_disconnect=contact.initiation_method.upper() == "DISCONNECT",
    )
    return sync(conversation_id, observation, conversations, asapp, deadline, STOP)
