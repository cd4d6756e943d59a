"""The conversations in the table, and the claims on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from shared import table
from shared.asapp.media_gateway import Outcome
from shared.aws import api
from shared.aws.api import AwsError
from shared.calls.conversation import ENDED, START, Conversation, Leg, Told
from shared.runtime import Deadline

_SECONDS_A_DAY = 86_400
_LEG_FIELDS = frozenset(field.name for field in fields(Leg)) - {"others"}
_TOLD = {
    "asapp": "asapp",
    "agent_id": "agentId",
    "customer_id": "customerId",
    "stream_arn": "streamArn",
    "contact_id": "toldContactId",
    "customer_stream_id": "customerStreamId",
    "agent_stream_id": "agentStreamId",
    "started_at_ms": "asappStartedAt",
    "audio_began_at_ms": "audioBeganAt",
    "outcome_status": "outcomeStatus",
    "outcome_reason": "outcomeReason",
}
"""Fields of :class:`Told`, and what they are called in the table."""
_UNKNOWN: table.Condition = (
    "attribute_not_exists(#version) AND attribute_not_exists(#erasedAt)",
    {"#version": "version", "#erasedAt": table.ERASED_AT},
)
_CONDITION_FAILED = "ConditionalCheckFailedException"

Call = Callable[[str, str, Mapping[str, Any], Deadline], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """What ASAPP was asked and has answered, and the audio that it was about, if that is known."""

    action: str
    outcome: Outcome
    contact_id: str
    audio_began_at_ms: int


class Conversations:
    """One item a conversation. Every write of it fails if it has changed since it was read.

    :param retention_seconds: How long after its last change a conversation is kept.
    :param call: Calls DynamoDB, as :func:`shared.aws.api.call` does.
    """

    def __init__(self, table_name: str, retention_seconds: int, call: Call = api.call) -> None:
        self._table = table_name
        self._retention = retention_seconds
        self._call = call

    def read(self, conversation_id: str, deadline: Deadline) -> Conversation:
        request = {
            "TableName": self._table,
            "Key": table.conversation_key(conversation_id),
            "ConsistentRead": True,
        }
        item = self._unexpired(request, deadline)
        return _from_item(item) if item else Conversation()

    def conversation_of(self, contact_id: str, deadline: Deadline) -> str:
        """The conversation whose leg a contact is, if that has another id; else ``""``."""
        request = {"TableName": self._table, "Key": table.contact_key(contact_id)}
        return str(table.values(self._unexpired(request, deadline)).get("legOf", ""))

    def _unexpired(self, request: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        """The item; empty if there is none, or its time is over."""
        answer = self._call("dynamodb", "DynamoDB_20120810.GetItem", request, deadline)
        item: dict[str, Any] = answer.get("Item", {})
        return {} if table.is_expired(table.values(item), deadline.clock.now_ms()) else item

    def write(
        self,
        conversation_id: str,
        seen: Conversation,
        known: Conversation,
        deadline: Deadline,
        attempt: str = "",
        claim: Deadline | None = None,
    ) -> Conversation | None:
        """Write down what is known now.

        :param seen: What the table held when it was read.
        :param attempt: Take the conversation in order to act on it, until ``claim`` is over.
        :returns: None if that is done; what the table holds if it has changed meanwhile.
        """
        now = deadline.clock.now_ms()
        changes: dict[str, Any] = {
            "legs": json.dumps([_stored(leg) for leg in known.legs]),
            "state": known.state,
            "holdNotResumed": int(known.hold_open),
            "unheardTalk": int(known.talk_unheard),
            "version": seen.version + 1,
            "changedAt": now,
            table.EXPIRES_AT: now // 1000 + self._retention,
        }
        if any(leg.stream_arn for leg in known.legs):
            # The index by which the conversations are found whose transcript is to be reconciled.
            waits_for = table.PENDING if known.state == ENDED else table.IN_PROGRESS
            waits = table.reconcile_key(waits_for, conversation_id)
            changes |= {table.RECONCILE: waits, table.RECONCILE_AT: now}
        if known.told.start_failed != seen.told.start_failed:
            changes["lastStartFailed"] = int(known.told.start_failed)
        if attempt and claim:
            changes |= {
                "attempt": attempt,
                "claimedUntil": now + int(claim.remaining() * 1000),
                "unsureFragments": " ".join(sorted(known.told.unsure_fragments)),
            }
        contacts = {leg.contact_id for leg in known.legs}
        request = table.update(
            self._table,
            table.conversation_key(conversation_id),
            changes,
            {"contactIds": contacts} if contacts else {},
            first={"createdAt": now, "asapp": known.told.asapp},
            condition=table.equal({"version": seen.version}) if seen.version else _UNKNOWN,
        )
        return self._update(conversation_id, request, deadline)

    def settle(
        self,
        conversation_id: str,
        known: Conversation,
        requests: Sequence[Request],
        deadline: Deadline,
        *,
        unless_changed: bool,
    ) -> bool:
        """Write down what ASAPP was told, with its streams, and let go of the claim.

        :param unless_changed: Do it only if nothing was written since ``known``.
        :returns: Whether it is done, or the claim has gone to another invocation.
        """
        now, told = deadline.clock.now_ms(), known.told
        expires = now // 1000 + self._retention
        changes = {name: getattr(told, field) for field, name in _TOLD.items()} | {
            "unsureFragments": " ".join(sorted(told.unsure_fragments)),
            "lastStartFailed": int(told.start_failed),
            "claimedUntil": 0,
        }
        if told.started_fragments:
            changes["startedFragments"] = told.started_fragments
        seen = {"attempt": known.attempt} | ({"version": known.version} if unless_changed else {})
        conversation = table.update(
            self._table,
            table.conversation_key(conversation_id),
            changes,
            {"version": 1},
            condition=table.equal(seen),
        )
        streams = self._streams(conversation_id, requests, now, expires)
        contacts = {request.contact_id for request in requests if request.action == START}
        for contact_id in contacts - {conversation_id}:
            pointer = {"legOf": conversation_id, table.EXPIRES_AT: expires}
            streams.append(table.update(self._table, table.contact_key(contact_id), pointer))
        if not streams:
            changed = self._update(conversation_id, conversation, deadline)
        else:
            changed = self._together(conversation_id, [conversation, *streams], deadline)
        if changed is None:
            return True
        if changed.attempt == known.attempt:
            return False
        if streams and changed.version:
            # Another invocation acts by now. The streams are open all the same.
            self._together(conversation_id, streams, deadline)
        return True

    def _update(
        self, conversation_id: str, request: dict[str, Any], deadline: Deadline
    ) -> Conversation | None:
        """:returns: What the table holds if the condition failed."""
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            self._call("dynamodb", "DynamoDB_20120810.UpdateItem", request, deadline)
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
                raise
            return self._changed(conversation_id, error.details.get("Item"), deadline)
        return None

    def _together(
        self, conversation_id: str, writes: Sequence[dict[str, Any]], deadline: Deadline
    ) -> Conversation | None:
        """All writes or none: no conversation is streaming without the items of its streams."""
        for write in writes:
            if "ConditionExpression" in write:
                write["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        request = {"TransactItems": [{"Update": write} for write in writes]}
        try:
            self._call("dynamodb", "DynamoDB_20120810.TransactWriteItems", request, deadline)
        except AwsError as error:
            for reason in error.details.get("CancellationReasons") or ():
                if reason.get("Code") == "ConditionalCheckFailed":
                    return self._changed(conversation_id, reason.get("Item"), deadline)
            raise
        return None

    def _changed(
        self, conversation_id: str, item: Mapping[str, Any] | None, deadline: Deadline
    ) -> Conversation:
        return _from_item(item) if item else self.read(conversation_id, deadline)

    def _streams(
        self, conversation_id: str, requests: Sequence[Request], now: int, expires: int
    ) -> list[dict[str, Any]]:
        """The streams that ASAPP opened, and its count of utterances if it closed them.

        If the answer to a start is lost, the answer to the stop names the streams. One write a
        stream: ASAPP may keep its id across a stop and a start.
        """
        streams: dict[str, dict[str, Any]] = {}
        firsts: dict[str, dict[str, Any]] = {}
        for request in requests:
            outcome = request.outcome
            roles = {outcome.customer_stream_id: "customer", outcome.agent_stream_id: "agent"}
            for stream_id, role in roles.items():
                if not stream_id:
                    continue
                changes = streams.setdefault(stream_id, {})
                kept = expires + _SECONDS_A_DAY  # it outlives each of its utterances
                changes |= {"streamId": stream_id, "role": role, table.EXPIRES_AT: kept}
                if request.contact_id:
                    changes["contactId"] = request.contact_id
                if request.audio_began_at_ms:
                    firsts.setdefault(stream_id, {"startedAt": request.audio_began_at_ms})
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


def _stored(leg: Leg) -> dict[str, Any]:
    values = asdict(leg)
    return {**values.pop("others"), **values}


def _leg(values: Mapping[str, Any]) -> Leg:
    ours = {name: value for name, value in values.items() if name in _LEG_FIELDS}
    ours["holds"] = tuple((begin, end) for begin, end in ours.get("holds", ()))
    others = {name: value for name, value in values.items() if name not in _LEG_FIELDS}
    return Leg(**ours, others=others)


def _from_item(item: Mapping[str, Any]) -> Conversation:
    values = table.values(item)
    return Conversation(
        version=values.get("version", 0),
        legs=tuple(map(_leg, json.loads(values.get("legs", "[]")))),
        told=Told(
            unsure_fragments=frozenset(values.get("unsureFragments", "").split()),
            started_fragments=frozenset(values.get("startedFragments", ())),
            start_failed=bool(values.get("lastStartFailed", 0)),
            **{field: values[name] for field, name in _TOLD.items() if name in values},
        ),
        hold_open=bool(values.get("holdNotResumed", 0)),
        talk_unheard=bool(values.get("unheardTalk", 0)),
        attempt=values.get("attempt", ""),
        claimed_until_ms=values.get("claimedUntil", 0),
        erased=table.ERASED_AT in values,
    )
