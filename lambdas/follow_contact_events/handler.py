"""Follow the call where no flow runs: the caller hangs up, from Connect's contact events.

They are best effort and unordered; the agent events say most of it too.
Source: https://docs.aws.amazon.com/connect/latest/adminguide/contact-events.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared import environment
from shared.asapp_sync import sync
from shared.conversation import contact_over
from shared.runtime import LambdaContext, now_ms

logger = logging.getLogger(__name__)


class NotFollowed(Exception):
    """ASAPP or the table did not answer in time; Lambda tries the event again."""


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """:raises NotFollowed: where the same event must come again."""
    # One of Connect's samples writes every field with a capital.
    detail = {key[:1].lower() + key[1:]: value for key, value in event["detail"].items()}
    contact_id = detail.get("contactId")
    ours = detail.get("eventType") == "DISCONNECTED" and isinstance(contact_id, str)
    if not contact_id or not ours or str(detail.get("channel", "")).upper() != "VOICE":
        return
    deadline = environment.deadline(context)
    conversation_id = environment.conversation_of(
        str(contact_id),
        str(detail.get("initialContactId") or ""),
        str(detail.get("previousContactId") or ""),
        deadline,
    )
    if conversation_id is None:
        raise NotFollowed("the table cannot be read")
    over = contact_over(str(contact_id), _at_ms(detail))
    answer = sync(conversation_id, over, environment.conversations(), environment.asapp(), deadline)
    logger.info(
        "contact event: disconnected, %s",
        answer.status,
        extra={"contactId": contact_id, **answer.for_flow()},
    )
    if answer.status == "unavailable":
        raise NotFollowed(answer.reason)


def _at_ms(detail: Mapping[str, Any]) -> int:
    """When it was; a moment of 1970 means none."""
    try:
        at = int(datetime.fromisoformat(detail["disconnectTimestamp"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError, OverflowError):
        return now_ms()
    return at if at > 0 else now_ms()
