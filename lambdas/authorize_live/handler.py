"""Decides who may subscribe to what. AppSync Events asks at each connection and subscription.

Nobody publishes by this authorizer: that takes IAM. Each decision about a channel is a line of the
record of who looked at what.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from shared import log_events, table
from shared.aws import api
from shared.aws.api import AwsError
from shared.live.channels import CALLS, conversation_of
from shared.live.viewer import Viewer, Viewers, viewers
from shared.runtime import Deadline, LambdaContext
from shared.tokens.signing_keys import NoKeys

logger = logging.getLogger(__name__)

Read = Callable[[str, Deadline], Mapping[str, Any]]


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:returns: No time to live: an answer is good for one channel at one moment."""
    deadline = Deadline.of(context)
    return {"isAuthorized": allows(event, viewers(), read, deadline), "ttlOverride": 0}


def allows(event: Mapping[str, Any], known: Viewers, read: Read, deadline: Deadline) -> bool:
    """:param read: The item of a conversation, empty if there is none."""
    asked = event.get("requestContext") or {}
    operation, channel = asked.get("operation"), asked.get("channel") or ""
    try:
        viewer = known.of(event.get("authorizationToken") or "", deadline)
    except NoKeys:
        logger.error("the keys of the user pool cannot be fetched")
        return False
    if viewer is None or operation != "EVENT_SUBSCRIBE":
        return viewer is not None and operation == "EVENT_CONNECT"
    conversation_id = conversation_of(channel)
    if conversation_id is None:
        allowed = channel == CALLS and viewer.is_supervisor
    else:
        item = _item(conversation_id, read, deadline)
        allowed = _may_follow(viewer, item, deadline)
        if item and table.ERASED_AT in item:
            # Hashed, as in its receipt: the id would lead to what Connect still has of the call.
            conversation_id = f"sha256:{hashlib.sha256(conversation_id.encode()).hexdigest()}"
    logger.info(
        "subscription %s",
        "allowed" if allowed else "refused",
        extra={
            "event": log_events.LIVE_SUBSCRIBED,
            "viewer": viewer.subject,
            "supervisor": viewer.is_supervisor,
            "conversationId": conversation_id or "",
            "allowed": allowed,
        },
    )
    return allowed


def _may_follow(viewer: Viewer, item: Mapping[str, Any] | None, deadline: Deadline) -> bool:
    """Whether a call is shown. A supervisor may also follow a call of which nothing is known yet.

    :param item: None if it cannot be read.
    """
    if item is None:
        return viewer.is_supervisor
    if table.ERASED_AT in item:
        return False
    is_over = table.is_expired(item, deadline.clock.now_ms())
    return viewer.is_supervisor or (not is_over and viewer.may_see(item))


def _item(conversation_id: str, read: Read, deadline: Deadline) -> Mapping[str, Any] | None:
    try:
        return read(conversation_id, deadline)
    except AwsError as problem:
        logger.error("the table cannot be read", extra={"code": problem.code})
        return None


def read(conversation_id: str, deadline: Deadline) -> Mapping[str, Any]:
    request = {
        "TableName": os.environ["TRANSCRIPT_TABLE"],
        "Key": table.conversation_key(conversation_id),
        "ProjectionExpression": f"legs, {table.EXPIRES_AT}, {table.ERASED_AT}",
        "ConsistentRead": True,
    }
    answer = api.call("dynamodb", "DynamoDB_20120810.GetItem", request, deadline)
    return table.values(answer.get("Item") or {})
