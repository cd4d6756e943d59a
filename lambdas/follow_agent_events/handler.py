"""Follows a call by agent events: no flow runs at a resume, or when the agent leaves."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from typing import Any

from shared import environment, log_events
from shared.calls.asapp_sync import sync
from shared.calls.conversation import (
    CONNECTED,
    ENDED,
    FRESH_MS,
    OVER,
    PAUSED,
    Conversation,
    Observation,
)
from shared.connect.agent_snapshots import (
    ContactChange,
    NotAnAgentEvent,
    agent_of,
    contact_changes,
    is_contact_record,
)
from shared.runtime import Deadline, LambdaContext, trace_id

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Follow each agent's events in order: a hold must not overtake its resume.

    After a failure the agent's later records are passed over; other agents' are followed.

    :returns: The first record that failed. Lambda delivers it again, with all that follow it.
    """
    deadline = environment.deadline(context)
    failures: dict[str, str] = {}
    for record in event["Records"]:
        number = record["kinesis"]["sequenceNumber"]
        try:
            agent_event = json.loads(base64.b64decode(record["kinesis"]["data"]))
            if is_contact_record(agent_event) or agent_of(agent_event) in failures:
                continue
            changes = contact_changes(agent_event)
        except (NotAnAgentEvent, ValueError, RecursionError) as problem:
            # It would be no event the next time either, and would hold back every other agent.
            reason = str(problem) if isinstance(problem, NotAnAgentEvent) else "it is not JSON"
            logger.error("no agent event", extra={"sequenceNumber": number, "reason": reason})
            continue
        if not all(follow(change, deadline) for change in changes):
            failures[agent_of(agent_event)] = number
    first = list(failures.values())[:1]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in first]}


def follow(change: ContactChange, deadline: Deadline) -> bool:
    """Send ASAPP the requests that are due after this change.

    :returns: False if the event must come again.
    """
    conversation_id = environment.conversation_of(
        change.contact_id, change.initial_contact_id, "", deadline
    )
    if conversation_id is None:
        return False
    answer = sync(
        conversation_id,
        agent_saw(change.contact_id, change.agent_arn, change.state, change.at_ms),
        environment.conversations(),
        environment.asapp(),
        deadline,
        may_start=deadline.clock.now_ms() - change.at_ms <= FRESH_MS,
    )
    logger.info(
        "agent event: %s, %s",
        change.state,
        answer.status,
        extra={
            "event": log_events.AGENT_EVENT,
            "contactId": change.contact_id,
            "state": change.state,
            "traceId": trace_id(),
            **answer.for_flow(),
        },
    )
    return answer.is_clear


def agent_saw(contact_id: str, agent_arn: str, state: str, at_ms: int) -> Observation:
    """An agent event shows a contact ``CONNECTED``, ``PAUSED`` for a hold, or ``ENDED``."""

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None or leg.state in (ENDED, OVER) or at_ms <= leg.agent_at_ms:
            return known
        if (leg.agent_arn or state == ENDED) and leg.agent_arn != agent_arn:
            return known  # another agent, to whom the contact was offered before
        known = replace(known, hold_open=False)
        seen = replace(leg, agent_at_ms=at_ms, agent_arn=agent_arn)
        if state == CONNECTED:
            seen = replace(seen, confirmed=True)
        if leg.state == state == PAUSED:
            # The hold flow ran first, later than the hold itself. The agent's time is the right
            # one: otherwise a quick resume would look older than its hold.
            return known.with_leg(replace(seen, at_ms=min(leg.at_ms, at_ms)))
        if state == CONNECTED and leg.state == PAUSED:
            if at_ms <= leg.at_ms:
                return known.with_leg(seen)  # the beginning of the talk, told after the hold flow
            seen = replace(seen, resumed_at_ms=at_ms)
        return known.with_leg(replace(seen, state=state, at_ms=at_ms))

    return observe
