"""The one place that decides what to tell ASAPP, and remembers what it was told.

Whoever wants something of a conversation (a flow's block, run once or four times, alone or at the
same moment as another) calls :func:`pursue`. It claims the conversation in the table, so that only
one invocation acts; the others wait for that one's outcome and take it as theirs. What became of
the request is written down together with the streams that ASAPP opened. An invocation that dies in
between leaves a claim that lapses, and the next one repairs what it left through ASAPP's 409-201.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared import table
from shared.asapp import Asapp, Outcome
from shared.aws import AwsError, call
from shared.http import Deadline

logger = logging.getLogger(__name__)

START = "start"
STOP = "stop"
_DONE = {START: "started", STOP: "stopped"}
FAILED = ("rejected", "unavailable")

STREAMING = "streaming"
STOPPED = "stopped"
UNKNOWN = "unknown"
"""ASAPP may or may not be streaming: a request had no clear end, or there was none yet."""

_SECONDS_TO_SETTLE = 0.5
_FIRST_POLL_SECONDS = 0.05
_LAST_POLL_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flow is told.

    :param status: ``started``, ``already_started``, ``stopped``, ``already_stopped``,
        ``no_media_stream``, ``rejected`` or ``unavailable``.
    :param reason: ASAPP's code or ours, ``""`` where all is well.
    """

    status: str
    conversation_id: str
    reason: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""

    def for_flow(self) -> dict[str, str]:
        """The block's STRING_MAP: flat, every value a string."""
        return {
            "status": self.status,
            "conversationId": self.conversation_id,
            "customerStreamId": self.customer_stream_id,
            "agentStreamId": self.agent_stream_id,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of a conversation that one agent has on one video stream.

    :param fragment_number: Where its audio begins in the stream, ``""`` for now.
    :param began_at_ms: When that was, in milliseconds since 1970, 0 where unknown.
    """

    contact_id: str
    customer_id: str
    agent_id: str
    stream_arn: str
    fragment_number: str = ""
    began_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the table knows of a conversation.

    :param version: Counts the claims, so that of two claims on the same knowledge one fails.
    :param claimed_until_ms: Until when the invocation ``attempt`` may act on it; 0 once it has.
    :param wish: What that invocation wants: ``START`` or ``STOP``.
    :param heard_from: The fragment numbers at which ASAPP has started to read.
    """

    version: int = 0
    state: str = UNKNOWN
    attempt: str = ""
    wish: str = ""
    claimed_until_ms: int = 0
    agent_id: str = ""
    stream_arn: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    heard_from: frozenset[str] = frozenset()
    outcome_status: str = ""
    outcome_reason: str = ""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Conversation:
        values = table.values(item)
        return cls(
            version=values.get("version", 0),
            state=values.get("state", UNKNOWN),
            attempt=values.get("attempt", ""),
            wish=values.get("wish", ""),
            claimed_until_ms=values.get("claimedUntil", 0),
            agent_id=values.get("agentId", ""),
            stream_arn=values.get("streamArn", ""),
            customer_stream_id=values.get("customerStreamId", ""),
            agent_stream_id=values.get("agentStreamId", ""),
            heard_from=frozenset(values.get("heardFrom", ())),
            outcome_status=values.get("outcomeStatus", ""),
            outcome_reason=values.get("outcomeReason", ""),
        )


def steps(known: Conversation, leg: Leg | None) -> tuple[str, ...]:
    """The requests that bring ASAPP from what is known to what is wanted.

    :param leg: The leg to hear, or None to hear nothing.
    :returns: ``START`` and ``STOP`` in order; empty where nothing is to be done.
    """
    if leg is None:
        return () if known.state == STOPPED else (STOP,)
    same_leg = (known.agent_id, known.stream_arn) == (leg.agent_id, leg.stream_arn)
    if known.state == STREAMING and same_leg:
        return ()
    perhaps_another_leg = known.state != STOPPED and bool(known.agent_id) and not same_leg
    return (STOP, START) if perhaps_another_leg else (START,)


class Conversations:
    """The conversations in the table, and the claims on them.

    :param retention_seconds: How long after its last change a conversation is kept.
    """

    def __init__(self, table_name: str, retention_seconds: int) -> None:
        self._table = table_name
        self._retention = retention_seconds

    def read(self, conversation_id: str, deadline: Deadline) -> Conversation:
        request = {
            "TableName": self._table,
            "Key": table.conversation_key(conversation_id),
            "ConsistentRead": True,
        }
        answer = call("dynamodb", "DynamoDB_20120810.GetItem", request, deadline)
        item = answer.get("Item")
        return Conversation.from_item(item) if item else Conversation()

    def claim(
        self,
        conversation_id: str,
        seen: Conversation,
        attempt: str,
        wish: str,
        deadline: Deadline,
    ) -> Conversation | None:
        """Take the conversation for this invocation.

        :returns: None where it is ours; what the table holds where it is not as it was ``seen``.
        """
        now = _now_ms()
        request = table.update(
            self._table,
            table.conversation_key(conversation_id),
            {
                "attempt": attempt,
                "wish": wish,
                "claimedUntil": now + int(deadline.remaining() * 1000),
                "version": seen.version + 1,
                "expiresAt": now // 1000 + self._retention,
            },
            first={"createdAt": now, "state": UNKNOWN},
            condition=table.equals("version", seen.version) if seen.version else table.NEW,
        )
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            call("dynamodb", "DynamoDB_20120810.UpdateItem", request, deadline)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            item = error.details.get("Item")
            return Conversation.from_item(item) if item else self.read(conversation_id, deadline)
        return None

    def settle(
        self,
        conversation_id: str,
        attempt: str,
        action: str,
        leg: Leg | None,
        outcome: Outcome,
        answer: Answer,
        deadline: Deadline,
    ) -> None:
        """Write down what became of the last request, and let go of the claim."""
        now = _now_ms()
        sure = outcome.succeeded
        state = (STREAMING if action == START else STOPPED) if sure else UNKNOWN
        changes: dict[str, Any] = {
            "state": state,
            "claimedUntil": 0,
            "outcomeStatus": answer.status,
            "outcomeReason": answer.reason,
            "changedAt": now,
        }
        additions: dict[str, Any] = {}
        if leg is not None and action == START:
            changes |= {
                "agentId": leg.agent_id,
                "customerId": leg.customer_id,
                "streamArn": leg.stream_arn,
            }
            additions["contactIds"] = {leg.contact_id}
            if sure and leg.fragment_number:
                additions["heardFrom"] = {leg.fragment_number}
            if outcome.customer_stream_id:
                changes["customerStreamId"] = outcome.customer_stream_id
            if outcome.agent_stream_id:
                changes["agentStreamId"] = outcome.agent_stream_id
        conversation = table.update(
            self._table,
            table.conversation_key(conversation_id),
            changes,
            additions,
            condition=table.equals("attempt", attempt),
        )
        streams = self._streams(conversation_id, action, leg, outcome, now)
        request = {"TransactItems": [{"Update": write} for write in (conversation, *streams)]}
        call("dynamodb", "DynamoDB_20120810.TransactWriteItems", request, deadline)

    def _streams(
        self, conversation_id: str, action: str, leg: Leg | None, outcome: Outcome, now: int
    ) -> list[dict[str, Any]]:
        """A stream that ASAPP opened, or its count of utterances when it closed it."""
        expires = now // 1000 + self._retention
        roles = {outcome.customer_stream_id: "customer", outcome.agent_stream_id: "agent"}
        writes = []
        for stream_id, role in roles.items():
            if not stream_id:
                continue
            changes: dict[str, Any] = {"streamId": stream_id, "role": role, "expiresAt": expires}
            first: dict[str, Any] = {}
            if action == START and leg is not None:
                began = leg.began_at_ms if leg.fragment_number and leg.began_at_ms else now
                first["startedAt"] = began
                changes["contactId"] = leg.contact_id
            if stream_id in outcome.transcripts:
                changes["transcripts"] = outcome.transcripts[stream_id]
            key = table.stream_key(conversation_id, stream_id)
            writes.append(table.update(self._table, key, changes, first=first))
        return writes


def pursue(
    conversation_id: str,
    leg: Leg | None,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
) -> Answer:
    """Have ASAPP hear ``leg``, or nothing where it is None, and say how that went.

    Never raises because of ASAPP, the table or the time: those are answers.
    """
    attempt = uuid.uuid4().hex
    wish = STOP if leg is None else START
    waited_for = ""
    pause = _FIRST_POLL_SECONDS
    seen = Conversation()
    try:
        while True:
            if seen.claimed_until_ms > _now_ms():
                if deadline.remaining() <= _LAST_POLL_SECONDS:
                    return Answer("unavailable", conversation_id, "busy")
                waited_for = seen.attempt
                time.sleep(pause)
                pause = min(pause * 2, _LAST_POLL_SECONDS)
                seen = conversations.read(conversation_id, deadline)
                continue
            settled_meanwhile = seen.attempt == waited_for and seen.claimed_until_ms == 0
            if settled_meanwhile and seen.wish == wish and seen.outcome_status in FAILED:
                return Answer(seen.outcome_status, conversation_id, seen.outcome_reason)
            if not steps(seen, leg):
                return _as_known(f"already_{_DONE[wish]}", conversation_id, seen)
            changed = conversations.claim(conversation_id, seen, attempt, wish, deadline)
            if changed is None:
                return _act(conversation_id, leg, seen, attempt, conversations, asapp, deadline)
            seen = changed
    except AwsError as error:
        logger.error(
            "the table cannot be used; nothing was sent to ASAPP",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
        return Answer("unavailable", conversation_id, "table_unavailable")


def _act(
    conversation_id: str,
    leg: Leg | None,
    seen: Conversation,
    attempt: str,
    conversations: Conversations,
    asapp: Asapp,
    deadline: Deadline,
) -> Answer:
    """Send the requests that are due, the last of which decides the answer."""
    if leg is not None and leg.fragment_number in seen.heard_from:
        # Audio that ASAPP has heard once is not read again: a second start of the same contact
        # (a repeated whisper, a resume after a hold) begins where the call is now.
        leg = replace(leg, fragment_number="")
    for_asapp = deadline.earlier(_SECONDS_TO_SETTLE)
    outcome, action = Outcome("unavailable", "timeout"), STOP
    for action in steps(seen, leg):
        if action == STOP or leg is None:
            outcome = asapp.stop(conversation_id, for_asapp)
        else:
            outcome = asapp.start(
                conversation_id,
                customer_id=leg.customer_id,
                agent_id=leg.agent_id,
                stream_arn=leg.stream_arn,
                after_fragment_number=leg.fragment_number,
                deadline=for_asapp,
            )
        if outcome.status == "unavailable":
            break
    answer = _answer(conversation_id, action, outcome, seen)
    try:
        conversations.settle(conversation_id, attempt, action, leg, outcome, answer, deadline)
    except AwsError as error:
        logger.error(
            "ASAPP has answered and the table could not be told; the next request repairs it",
            extra={"conversationId": conversation_id, "problem": str(error)},
        )
    return answer


def _answer(conversation_id: str, action: str, outcome: Outcome, seen: Conversation) -> Answer:
    if not outcome.succeeded:
        return Answer(outcome.status, conversation_id, outcome.reason)
    if outcome.status == "already":
        return _as_known(f"already_{_DONE[action]}", conversation_id, seen, outcome.reason)
    streams = (outcome.customer_stream_id, outcome.agent_stream_id)
    return Answer(_DONE[action], conversation_id, "", *streams)


def _as_known(status: str, conversation_id: str, known: Conversation, reason: str = "") -> Answer:
    streams = (known.customer_stream_id, known.agent_stream_id)
    return Answer(status, conversation_id, reason, *streams)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
