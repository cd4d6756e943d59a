"""The conversations in the table, and the claims on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from shared import table
from shared.asapp import Outcome
from shared.aws import AwsError, call
from shared.conversation import ENDED, START, STOPPED, STREAMING, UNKNOWN, Conversation, Leg
from shared.runtime import Deadline, now_ms

_LONGEST_SILENCE_MS = 4 * 3_600_000
"""A call of which nothing is seen for so long is taken to be over."""


class Conversations:
    """One item a conversation; every write of it fails where it has changed since it was read.

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
        return _from_item(item) if item else Conversation()

    def conversation_of(self, contact_id: str, deadline: Deadline) -> str:
        """The conversation whose leg a contact is, where that has another id; ``""`` for none."""
        request = {"TableName": self._table, "Key": table.contact_key(contact_id)}
        answer = call("dynamodb", "DynamoDB_20120810.GetItem", request, deadline)
        return str(table.values(answer.get("Item", {})).get("legOf", ""))

    def write(
        self,
        conversation_id: str,
        seen: Conversation,
        known: Conversation,
        deadline: Deadline,
        *,
        attempt: str = "",
        desired_action: str = "",
    ) -> Conversation | None:
        """Write down what is known now, and with ``attempt`` take the conversation to act on it.

        :param seen: What the table held when it was read.
        :returns: None where that is done; what the table holds where it has changed meanwhile.
        """
        now = now_ms()
        changes: dict[str, Any] = {
            "legs": json.dumps([asdict(leg) for leg in known.legs]),
            "state": known.state,
            "version": seen.version + 1,
            "changedAt": now,
            "expiresAt": now // 1000 + self._retention,
        }
        if any(leg.stream_arn for leg in known.legs):
            # The index by which the conversations are found whose transcript is to be reconciled.
            due = now if known.state == ENDED else now + _LONGEST_SILENCE_MS
            waits = table.reconcile_key(table.PENDING, conversation_id)
            changes |= {"reconcile": waits, "reconcileAt": due}
        if attempt:
            changes |= {
                "attempt": attempt,
                "desired_action": desired_action,
                "desiredAgentId": known.desired_leg.agent_id if known.desired_leg else "",
                "claimedUntil": now + int(deadline.remaining() * 1000),
            }
        contacts = {leg.contact_id for leg in known.legs}
        request = table.update(
            self._table,
            table.conversation_key(conversation_id),
            changes,
            {"contactIds": contacts} if contacts else {},
            first={"createdAt": now, "asapp": known.asapp},
            condition=table.equals("version", seen.version) if seen.version else table.NEW,
        )
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            call("dynamodb", "DynamoDB_20120810.UpdateItem", request, deadline)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            item = error.details.get("Item")
            return _from_item(item) if item else self.read(conversation_id, deadline)
        return None

    def settle(
        self,
        conversation_id: str,
        attempt: str,
        leg: Leg | None,
        requests: Sequence[tuple[str, Outcome]],
        status: str,
        reason: str,
        deadline: Deadline,
    ) -> None:
        """Write down what became of the requests, and let go of the claim.

        :param leg: The leg that was to be heard.
        :param requests: Each request with its outcome; the last one decides what ASAPP does now.
        """
        now = now_ms()
        action, outcome = requests[-1]
        sure = outcome.succeeded
        changes: dict[str, Any] = {
            "asapp": (STREAMING if action == START else STOPPED) if sure else UNKNOWN,
            "claimedUntil": 0,
            "outcomeStatus": status,
            "outcomeReason": reason,
        }
        additions: dict[str, Any] = {}
        if leg is not None and action == START:
            changes |= {
                "agentId": leg.agent_id,
                "customerId": leg.customer_id,
                "streamArn": leg.stream_arn,
            }
            if sure and leg.fragment_number:
                additions["startedFragments"] = {leg.fragment_number}
            if outcome.customer_stream_id:
                changes["customerStreamId"] = outcome.customer_stream_id
            if outcome.agent_stream_id:
                changes["agentStreamId"] = outcome.agent_stream_id
        writes = [
            table.update(
                self._table,
                table.conversation_key(conversation_id),
                changes,
                additions,
                condition=table.equals("attempt", attempt),
            )
        ]
        if leg is not None and leg.contact_id != conversation_id:
            key = table.contact_key(leg.contact_id)
            expires = now // 1000 + self._retention
            pointer = {"legOf": conversation_id, "expiresAt": expires}
            writes.append(table.update(self._table, key, pointer))
        writes += self._streams(conversation_id, leg, requests, now)
        request = {"TransactItems": [{"Update": write} for write in writes]}
        call("dynamodb", "DynamoDB_20120810.TransactWriteItems", request, deadline)

    def _streams(
        self,
        conversation_id: str,
        leg: Leg | None,
        requests: Sequence[tuple[str, Outcome]],
        now: int,
    ) -> list[dict[str, Any]]:
        """The streams that ASAPP opened, and its count of utterances where it closed them; one
        write a stream, because ASAPP may keep its id across a stop and a start."""
        expires = now // 1000 + self._retention
        streams: dict[str, dict[str, Any]] = {}
        firsts: dict[str, dict[str, Any]] = {}
        for action, outcome in requests:
            roles = {outcome.customer_stream_id: "customer", outcome.agent_stream_id: "agent"}
            for stream_id, role in roles.items():
                if not stream_id:
                    continue
                changes = streams.setdefault(stream_id, {})
                changes |= {"streamId": stream_id, "role": role, "expiresAt": expires}
                if action == START and leg is not None:
                    began = leg.began_at_ms if leg.fragment_number else 0
                    firsts[stream_id] = {"startedAt": began or now}
                    changes["contactId"] = leg.contact_id
                if stream_id in outcome.transcripts:
                    changes["transcripts"] = outcome.transcripts[stream_id]
        return [
            table.update(
                self._table,
                table.stream_key(conversation_id, stream_id),
                changes,
                first=firsts.get(stream_id),
            )
            for stream_id, changes in streams.items()
        ]


def _from_item(item: Mapping[str, Any]) -> Conversation:
    values = table.values(item)
    return Conversation(
        version=values.get("version", 0),
        legs=tuple(Leg(**leg) for leg in json.loads(values.get("legs", "[]"))),
        asapp=values.get("asapp", UNKNOWN),
        agent_id=values.get("agentId", ""),
        stream_arn=values.get("streamArn", ""),
        customer_stream_id=values.get("customerStreamId", ""),
        agent_stream_id=values.get("agentStreamId", ""),
        started_fragments=frozenset(values.get("startedFragments", ())),
        attempt=values.get("attempt", ""),
        claimed_until_ms=values.get("claimedUntil", 0),
        desired_action=values.get("desired_action", ""),
        desired_agent_id=values.get("desiredAgentId", ""),
        outcome_status=values.get("outcomeStatus", ""),
        outcome_reason=values.get("outcomeReason", ""),
    )
