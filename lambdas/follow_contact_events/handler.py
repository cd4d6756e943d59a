"""Follows a call by contact events: no flow runs when the caller hangs up.

Connect may lose them and change their order; the agent events say most of it too.
Source: https://docs.aws.amazon.com/connect/latest/adminguide/contact-events.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared import environment
from shared.calls.asapp_sync import sync
from shared.calls.conversation import FRESH_MS, OVER, Conversation, Leg, Observation, told_before
from shared.moments import moment_ms
from shared.runtime import LambdaContext, trace_id

logger = logging.getLogger(__name__)

_LONGEST_ID = 256


class NotFollowed(Exception):
    """ASAPP or the table did not answer in time; Lambda tries the event again."""


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """:raises NotFollowed: if the same event must come again."""
    # One of Connect's samples writes every field with a capital.
    detail = {key[:1].lower() + key[1:]: value for key, value in event["detail"].items()}
    contact_id = _id(detail, "contactId")
    ours = detail.get("eventType") == "DISCONNECTED"
    if not contact_id or not ours or str(detail.get("channel", "")).upper() != "VOICE":
        return
    deadline = environment.deadline(context)
    conversation_id = environment.conversation_of(
        contact_id,
        _id(detail, "initialContactId"),
        _id(detail, "previousContactId"),
        deadline,
    )
    if conversation_id is None:
        raise NotFollowed("the table cannot be read")
    now_ms = deadline.clock.now_ms()
    at_ms = moment_ms(detail.get("disconnectTimestamp")) or moment_ms(event.get("time")) or now_ms
    answer = sync(
        conversation_id,
        contact_over(contact_id, at_ms),
        environment.conversations(),
        environment.asapp(),
        deadline,
        may_start=now_ms - at_ms <= FRESH_MS,
    )
    logger.info(
        "contact event: disconnected, %s",
        answer.status,
        extra={"contactId": contact_id, "traceId": trace_id(), **answer.for_flow()},
    )
    if not answer.is_clear:
        raise NotFollowed(answer.reason)


def _id(detail: Mapping[str, Any], name: str) -> str:
    """``""`` also for one that no key of the table can hold."""
    value = detail.get(name)
    is_id = isinstance(value, str) and len(value) <= _LONGEST_ID and value.isprintable()
    return str(value) if is_id else ""


def contact_over(contact_id: str, at_ms: int) -> Observation:
    """A contact is disconnected, and stays so: a start that comes later finds it over."""

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None:
            gone = Leg(contact_id, state=OVER, at_ms=at_ms)
            return replace(known, legs=(gone, *known.legs), told=told_before(known))
        if leg.state == OVER:
            return known
        return known.with_leg(replace(leg, state=OVER, at_ms=max(at_ms, leg.at_ms)))

    return observe
