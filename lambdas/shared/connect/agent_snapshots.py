"""Reads Amazon Connect's agent event stream.

Each event has two snapshots of the agent's contacts, before and after. The difference between them
is what happened.
Source: https://docs.aws.amazon.com/connect/latest/adminguide/agent-event-stream-model.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.calls.conversation import CONNECTED, ENDED, LONGEST_STREAM_MS, PAUSED
from shared.moments import moment_ms

_STATES = {
    "CONNECTED": CONNECTED,
    "CONNECTED_ONHOLD": PAUSED,
    "ENDED": ENDED,
    "ERROR": ENDED,
    "MISSED": ENDED,
    "REJECTED": ENDED,
}
"""``INCOMING``, ``PENDING`` and ``CONNECTING`` say nothing yet; ``PAUSED`` is for tasks."""


_LONGEST_ID = 256
"""A key of the table may not hold a longer one, nor half a surrogate pair."""


class NotAnAgentEvent(ValueError):
    """The record is no agent event. The message says which field is wrong."""


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A call that came into a state for an agent, and when, in milliseconds since 1970."""

    contact_id: str
    initial_contact_id: str
    agent_arn: str
    state: str
    at_ms: int


def agent_of(event: object) -> str:
    """The agent's ARN; ``""`` if the record is no agent event."""
    arn = event.get("AgentARN") if isinstance(event, Mapping) else None
    return arn if isinstance(arn, str) else ""


def is_contact_record(event: object) -> bool:
    """Whether the record is a contact record: one data stream may carry both kinds."""
    return (
        isinstance(event, Mapping)
        and "AWSContactTraceRecordFormatVersion" in event
        and not agent_of(event)
    )


def contact_changes(event: object) -> list[ContactChange]:
    """The calls whose state has changed. None for a heartbeat, a login, a change of status.

    A call that is nearly three hours long is named at each event: its stream may need a restart.

    :raises NotAnAgentEvent: if the event has no agent or no time.
    """
    agent_arn = agent_of(event)
    if not isinstance(event, Mapping) or not agent_arn:
        raise NotAnAgentEvent("it has no AgentARN")
    at_ms = moment_ms(event.get("EventTimestamp"))
    if not at_ms:
        raise NotAnAgentEvent("it has no EventTimestamp")
    before = _contacts(event.get("PreviousAgentSnapshot"))
    after = _contacts(event.get("CurrentAgentSnapshot"))
    changes = []
    for contact_id, contact in {**before, **after}.items():
        was = _state(before, contact_id)
        now = _state(after, contact_id) if contact_id in after else ENDED
        connected_at_ms = moment_ms(contact.get("ConnectedToAgentTimestamp"))
        is_long = now == CONNECTED and 0 < connected_at_ms < at_ms - LONGEST_STREAM_MS
        if now and (now != was or is_long):
            changes.append(
                ContactChange(
                    contact_id=contact_id,
                    initial_contact_id=_text(contact, "InitialContactId") or contact_id,
                    agent_arn=agent_arn,
                    state=now,
                    at_ms=at_ms,
                )
            )
    return changes


def _contacts(snapshot: object) -> dict[str, Mapping[str, Any]]:
    contacts = snapshot.get("Contacts") if isinstance(snapshot, Mapping) else None
    return {
        contact["ContactId"]: contact
        for contact in (contacts if isinstance(contacts, list) else ())
        if isinstance(contact, Mapping)
        and _text(contact, "ContactId")
        and all(_is_id(_text(contact, name)) for name in ("ContactId", "InitialContactId"))
        and _text(contact, "Channel").upper() == "VOICE"
    }


def _is_id(text: str) -> bool:
    return len(text) <= _LONGEST_ID and text.isprintable()


def _state(contacts: Mapping[str, Mapping[str, Any]], contact_id: str) -> str | None:
    return _STATES.get(str(contacts.get(contact_id, {}).get("State")))


def _text(contact: Mapping[str, Any], key: str) -> str:
    value = contact.get(key)
    return value if isinstance(value, str) else ""
