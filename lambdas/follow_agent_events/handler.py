"""Follow the call where no flow runs: hold, resume and the agent's end, from agent events."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

from shared import environment
from shared.agent_snapshots import ContactChange, NotAnAgentEvent, contact_changes
from shared.asapp_sync import sync
from shared.conversation import agent_saw
from shared.runtime import Deadline, LambdaContext

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:returns: The first record that is to be delivered again, with all that follow it: a shard
    holds each agent's events in order, and a hold must not overtake its resume."""
    deadline = environment.deadline(context)
    for record in event["Records"]:
        number = record["kinesis"]["sequenceNumber"]
        try:
            changes = contact_changes(
                json.loads(base64.b64decode(record["kinesis"]["data"])),
                environment.initiation_methods(),
            )
        except (NotAnAgentEvent, ValueError, RecursionError) as problem:
            # It would be no event the next time either, and would hold back every other agent.
            reason = str(problem) if isinstance(problem, NotAnAgentEvent) else "it is not JSON"
            logger.error("no agent event", extra={"sequenceNumber": number, "reason": reason})
            continue
        if not all(follow(change, deadline) for change in changes):
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def follow(change: ContactChange, deadline: Deadline) -> bool:
    """Have ASAPP hear what it should hear after this; whether that is done, or refused for good."""
    conversation_id = environment.conversation_of(
        change.contact_id, change.initial_contact_id, "", deadline
    )
    if conversation_id is None:
        return False
    seen = agent_saw(change.contact_id, change.agent_arn, change.state, change.at_ms)
    answer = sync(conversation_id, seen, environment.conversations(), environment.asapp(), deadline)
    logger.info(
        "agent event: %s, %s",
        change.state,
        answer.status,
        extra={"contactId": change.contact_id, **answer.for_flow()},
    )
    return answer.status != "unavailable"
