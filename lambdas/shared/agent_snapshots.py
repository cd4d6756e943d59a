"""What Amazon Connect says of an agent: the agent event stream.

Each event has two snapshots of the agent's contacts, before and after; what has changed between
them is what happened.
Source: https://docs.aws.amazon.com/connect/latest/adminguide/agent-event-stream-model.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.conversation import CONNECTED, ENDED, PAUSED

_STATES = {
    "CONNECTED": CONNECTED,
    "CONNECTED_ONHOLD": PAUSED,
    "ENDED": ENDED,
    "ERROR": ENDED,
    "MISSED": ENDED,
    "REJECTED": ENDED,
}
"""``INCOMING``, ``PENDING`` and ``CONNECTING`` say nothing yet; ``PAUSED`` is for tasks."""


class NotAnAgentEvent(ValueError):
    """The record is no agent event; says which field is wrong."""


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A call that an agent sees otherwise than before.

    :param state: ``CONNECTED``, ``PAUSED`` or ``ENDED``.
    :param at_ms: When, in milliseconds since 1970.
    """

    contact_id: str
    initial_contact_id: str
    agent_arn: str
    state: str
    at_ms: int


def contact_changes(event: object, initiation_methods: Collection[str]) -> list[ContactChange]:
    """The calls whose state has changed; none for a heartbeat, a login, a change of status.

    :param initiation_methods: The ways in which a call begins that are followed.
    :raises NotAnAgentEvent: where the event has no agent or no time.
    """
    agent_arn = event.get("AgentARN") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(agent_arn, str) or not agent_arn:
        raise NotAnAgentEvent("it has no AgentARN")
    try:
        at_ms = int(datetime.fromisoformat(event["EventTimestamp"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise NotAnAgentEvent("it has no EventTimestamp") from None
    before = _contacts(event.get("PreviousAgentSnapshot"), initiation_methods)
    after = _contacts(event.get("CurrentAgentSnapshot"), initiation_methods)
    changes = []
    for contact_id, contact in {**before, **after}.items():
        was = _state(before, contact_id)
        now = _state(after, contact_id) if contact_id in after else ENDED
        if now and now != was:
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


def _contacts(
    snapshot: object, initiation_methods: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    contacts = snapshot.get("Contacts") if isinstance(snapshot, Mapping) else None
    return {
        contact["ContactId"]: contact
        for contact in (contacts if isinstance(contacts, list) else ())
        if isinstance(contact, Mapping)
        and _text(contact, "ContactId")
        and _text(contact, "Channel").upper() == "VOICE"
        and (_text(contact, "InitiationMethod") or "INBOUND") in initiation_methods
    }


def _state(contacts: Mapping[str, Mapping[str, Any]], contact_id: str) -> str | None:
    return _STATES.get(str(contacts.get(contact_id, {}).get("State")))


def _text(contact: Mapping[str, Any], key: str) -> str:
    value = contact.get(key)
    return value if isinstance(value, str) else ""
