"""Keep a conversation from being deleted, until somebody lifts the hold. IAM decides who may.

``PUT`` and ``DELETE /conversations/{conversationId}/hold``. Every six hours it applies all holds
again: what was written since would expire, and a run that was killed must be finished.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hold_conversation.holds import Erased, Holds, NotDone
from shared.aws.botocore_errors import error_code
from shared.proxy_answer import LONGEST_ID, json_answer, problem_answer
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext
from shared.table import HOLDS

logger = logging.getLogger(__name__)

_SECONDS_TO_ANSWER = 25.0
"""API Gateway waits for 29."""
_SECONDS_TO_END = 5.0


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:param event: Of a REST API's proxy integration, or of the schedule.
    :raises NotApplied: if a hold could not be applied again.
    """
    left = context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_END
    deadline = Deadline(left, SYSTEM_CLOCK)
    if "httpMethod" not in event:
        return apply_all(_holds(), deadline)
    return answer(event, _holds(), deadline.at_most(_SECONDS_TO_ANSWER))


class NotApplied(Exception):
    """Says how many holds could not be applied, and why."""


def apply_all(holds: Holds, deadline: Deadline) -> dict[str, Any]:
    """Apply each hold again. What is stored lives for a day at least, so four runs may fail."""
    failed: list[Exception] = []
    done = 0
    for hold in holds.all():
        try:
            holds.apply(hold, deadline)
            done += 1
        except (ClientError, BotoCoreError, Erased, NotDone) as problem:
            failed.append(problem)
            logger.error(
                "a hold could not be applied",
                extra={"conversationId": hold.conversation_id, "problem": error_code(problem)},
            )
    if failed:
        raise NotApplied(f"{len(failed)} holds: {error_code(failed[0])}")
    return {"holds": done}


def answer(event: Mapping[str, Any], holds: Holds, deadline: Deadline) -> dict[str, Any]:
    """:returns: What the proxy integration takes: 200, 400, 404, 409, or 503 to ask again."""
    wanted = unquote((event.get("pathParameters") or {}).get("conversationId") or "")
    if not 1 <= len(wanted) <= LONGEST_ID or wanted == HOLDS:
        return problem_answer(400, f"the conversation's id has 1 to {LONGEST_ID} characters")
    who = str(((event.get("requestContext") or {}).get("identity") or {}).get("userArn") or "")
    if not who:
        return problem_answer(400, "the request names no identity of IAM")
    is_lifted = event["httpMethod"] == "DELETE"
    try:
        conversation_id = holds.conversation_of(wanted)
        change = holds.lift if is_lifted else holds.begin
        hold = change(conversation_id, who) if conversation_id else None
        if hold is None:
            return problem_answer(
                404, "it is not held" if is_lifted else "no conversation has this id"
            )
        items = holds.apply(hold, deadline)
    except Erased:
        return problem_answer(409, "the conversation was erased")
    except NotDone:
        return problem_answer(
            503, "it is begun and not finished; ask again, or it is done in six hours"
        )
    except (ClientError, BotoCoreError) as problem:
        logger.error("the table cannot be used", extra={"code": error_code(problem)})
        return problem_answer(503, "the table cannot be used now; ask again")
    logger.info(
        "a hold was lifted" if is_lifted else "a conversation is held",
        extra={"conversationId": hold.conversation_id, "items": items},
    )
    return json_answer(200, hold.to_json() | {"items": items})


@cache
def _holds(clock: Clock = SYSTEM_CLOCK) -> Holds:
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    client = boto3.client("dynamodb", config=config)
    return Holds(client, os.environ["TRANSCRIPT_TABLE"], clock)
