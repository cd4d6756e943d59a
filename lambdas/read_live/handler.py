"""Read running calls and one call's transcript, for a person who has signed in.

``GET /calls`` for supervisors, ``GET /conversations/{conversationId}`` for them and for the call's
agents. A call that is not the caller's looks like one that nobody knows. Each reading is a line of
the record of who looked at what.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from read_live.running_calls import Listed, running_calls
from shared import log_events
from shared.aws.batch_read import NotRead
from shared.aws.botocore_errors import error_code
from shared.live.viewer import Viewer, Viewers, viewers
from shared.proxy_answer import LONGEST_ID, json_answer, problem_answer
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext
from shared.tokens.signing_keys import NoKeys
from shared.transcripts.call import call_of
from shared.transcripts.transcript import Spoken, TooLong, Transcript, TranscriptReader

logger = logging.getLogger(__name__)

_UTTERANCES_OF_A_PAGE = 1_000
_BYTES_OF_A_PAGE = 2_000_000
"""Of text, as Lambda sends it: JSON inside JSON. Lambda answers with 6 MB at most, in which a
character may take seven bytes."""
_AGAIN_MS = 10_000
"""What was stored in the last seconds is given once more: the writers' clocks differ."""
_CURSOR = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?", re.ASCII)
_UNKNOWN = "no conversation is known by this id, or it is not yours"


class Table:
    """:param dynamodb: A boto3 DynamoDB client."""

    def __init__(self, name: str, dynamodb: Any, clock: Clock) -> None:
        self._name, self._dynamodb, self._clock = name, dynamodb, clock

    def transcript(self, conversation_id: str) -> Transcript | None:
        return TranscriptReader(self._name, self._dynamodb, self._clock).read(conversation_id)

    def running(self) -> Listed:
        return running_calls(self._dynamodb, self._name, self._clock.now_ms())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:param event: Of a REST API's proxy integration."""
    made = answer(event, viewers(), _table(), Deadline.of(context))
    made["headers"]["Access-Control-Allow-Origin"] = os.environ["PAGE_ORIGIN"]
    return made


def answer(
    event: Mapping[str, Any], known: Viewers, calls: Table, deadline: Deadline
) -> dict[str, Any]:
    """:returns: What the proxy integration takes: 200, 400, 401, 403, 404, or 503 to ask again."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    try:
        viewer = known.of(headers.get("authorization") or "", deadline)
        if viewer is None:
            return problem_answer(401, "sign in")
        if event.get("resource") == "/calls":
            return _list(viewer, calls, deadline)
        parameters = event.get("pathParameters") or {}
        wanted = unquote(parameters.get("conversationId") or "")
        after = (event.get("queryStringParameters") or {}).get("after") or ""
        return _one(viewer, wanted, after, calls)
    except NoKeys:
        logger.error("the keys of the user pool cannot be fetched")
    except (ClientError, BotoCoreError, NotRead) as problem:
        logger.error("the table cannot be read", extra={"code": error_code(problem)})
    return problem_answer(503, "this cannot be read now; try again")


def _list(viewer: Viewer, calls: Table, deadline: Deadline) -> dict[str, Any]:
    _record(viewer, "", allowed=viewer.is_supervisor)
    if not viewer.is_supervisor:
        return problem_answer(403, "only supervisors see the list")
    listed = calls.running()
    body = {"at": deadline.clock.now_ms(), "more": listed.more, "calls": listed.calls}
    return json_answer(200, body)


def _one(viewer: Viewer, wanted: str, after: str, calls: Table) -> dict[str, Any]:
    cursor = _CURSOR.fullmatch(after or "0")
    if not cursor or not 1 <= len(wanted) <= LONGEST_ID:
        return problem_answer(
            400, f"after is a number of ours, and an id has 1 to {LONGEST_ID} letters"
        )
    try:
        transcript = calls.transcript(wanted)
    except TooLong:
        return problem_answer(413, "the conversation has too much text for the page")
    allowed = transcript is not None and viewer.may_see(transcript.conversation)
    # What a stranger asks for may be anything; an id that is known is one of ours.
    _record(viewer, transcript.conversation_id if transcript else "", allowed=allowed)
    if transcript is None or not allowed:
        return problem_answer(404, _UNKNOWN)
    return json_answer(200, page(transcript, int(cursor[1]), int(cursor[2] or 0)))


def page(transcript: Transcript, after_ms: int, passed: int) -> dict[str, Any]:
    """What was stored at this moment or later.

    :param passed: How many of those that were stored at exactly this moment the caller has already.
    """
    stored = sorted(transcript.utterances, key=lambda said: (said.stored_at_ms, said.id))
    ahead = [said for said in stored if said.stored_at_ms >= after_ms]
    given: list[Spoken] = []
    size = 0
    for said in ahead[passed:]:
        size += len(json.dumps(json.dumps(said.text, ensure_ascii=False)))
        if given and (len(given) == _UTTERANCES_OF_A_PAGE or size > _BYTES_OF_A_PAGE):
            break
        given.append(said)
    more = passed + len(given) < len(ahead)
    if more:
        last = given[-1].stored_at_ms
        count = sum(said.stored_at_ms == last for said in ahead[: passed + len(given)])
        following = f"{last}.{count}"
    else:
        newest = stored[-1].stored_at_ms if stored else 0
        following = str(max(newest - _AGAIN_MS, 0))
    call = {"conversationId": transcript.conversation_id, **transcript.conversation}
    return {
        "conversation": call_of(call) | {"completeness": transcript.completeness},
        "counts": dict(transcript.counts),
        "utterances": [_shown(said) for said in given],
        "more": more,
        "next": following,
    }


def _shown(said: Spoken) -> dict[str, Any]:
    made = {
        "id": said.id,
        "role": said.role,
        "at": said.at_ms,
        "endAt": said.end_ms,
        "text": said.text,
        "source": said.source,
        "verified": said.is_verified,
        "storedAt": said.stored_at_ms,
    }
    made |= {"streamId": said.stream_id} if said.stream_id else {}
    return made | ({"malformed": list(said.malformed)} if said.malformed else {})


def _record(viewer: Viewer, conversation_id: str, *, allowed: bool) -> None:
    logger.info(
        "reading %s",
        "allowed" if allowed else "refused",
        extra={
            "event": log_events.LIVE_READ,
            "viewer": viewer.subject,
            "supervisor": viewer.is_supervisor,
            "conversationId": conversation_id,
            "allowed": allowed,
        },
    )


@cache
def _table() -> Table:
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    client = boto3.client("dynamodb", config=config)
    return Table(os.environ["TRANSCRIPT_TABLE"], client, SYSTEM_CLOCK)
