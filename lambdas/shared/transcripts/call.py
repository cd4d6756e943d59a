"""What may be told of a call: its state, its legs with their agents and holds, whether ASAPP
listens. Never who the customer is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared import table

READ = (
    *("version", "state", "legs", "asapp", "toldContactId", "lastStartFailed", "outcomeStatus"),
    *("outcomeReason", "createdAt", "changedAt", "completeness", table.EXPIRES_AT),
)
"""The attributes that :func:`call_of` needs of a conversation's item."""
_LEG_STATES = {"connected": "connected", "paused": "paused"}
"""Every other state is an end."""


def call_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """All that there is to tell, from a conversation's item.

    :param item: As :func:`shared.table.values` gives it.
    :raises KeyError, ValueError: if it is no item of a conversation.
    """
    legs = list(_legs(item))
    not_listening = _not_listening(item, legs)
    return {
        table.CONVERSATION_ID: item[table.CONVERSATION_ID],
        "version": item.get("version", 0),
        "state": item.get("state", ""),
        "listening": not not_listening,
        "notListening": not_listening,
        "startedAt": item.get("createdAt", 0),
        "changedAt": item.get("changedAt", 0),
        "completeness": item.get("completeness", ""),
        "legs": [_shown(leg) for leg in legs],
    }


def snapshot_id(call: Mapping[str, Any]) -> str:
    """The id of a call's event: the same for the same content of the same version."""
    digest = hashlib.sha256(json.dumps(call, sort_keys=True).encode()).hexdigest()[:12]
    return f"{call[table.CONVERSATION_ID]}/{table.CONVERSATION}#{call['version']:06d}#{digest}"


def contacts_of(item: Mapping[str, Any]) -> set[str]:
    """The ids of all contacts of a call.

    :param item: As :func:`shared.table.values` gives it.
    """
    legs = json.loads(item.get("legs", "[]"))
    named = {leg["contact_id"] for leg in legs} | {item.get("toldContactId", "")}
    return (named | set(item.get("contactIds", ()))) - {""}


def agents_of(item: Mapping[str, Any]) -> set[str]:
    """The names of the agents who are or were on the call, as its flows gave them."""
    return {name for leg in _legs(item) if (name := _agent(leg))}


def _legs(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those that somebody was on. One without agent and audio stands for a contact of which only
    the end was seen."""
    for leg in json.loads(item.get("legs", "[]")):
        if _agent(leg) or leg.get("stream_arn"):
            yield leg


def _agent(leg: Mapping[str, Any]) -> str:
    """The contact's id stands for an agent that the flow did not name: it is nobody's name."""
    agent: str = leg.get("agent_id", "")
    return "" if agent == leg["contact_id"] else agent


def _shown(leg: Mapping[str, Any]) -> dict[str, Any]:
    state, at = _LEG_STATES.get(leg.get("state", ""), "ended"), leg.get("at_ms", 0)
    holds = [{"from": begin, "to": end} for begin, end in leg.get("holds", ())]
    return {
        "contactId": leg["contact_id"],
        "agent": _agent(leg),
        "queue": leg.get("queue", ""),
        "state": state,
        "from": leg.get("began_at_ms") or at,
        "at": at,
        "holds": holds + ([{"from": at, "to": None}] if state == "paused" else []),
    }


def _not_listening(item: Mapping[str, Any], legs: list[Mapping[str, Any]]) -> str:
    """Why ASAPP does not hear what it should, ``""`` if it does."""
    state = item.get("state", "")
    if state != "streaming":
        return "on_hold" if state == "paused" else "ended"
    if item.get("lastStartFailed"):
        return item.get("outcomeReason") or item.get("outcomeStatus") or "unavailable"
    connected = {leg["contact_id"] for leg in legs if leg.get("state") == "connected"}
    hears = item.get("asapp") == "streaming" and item.get("toldContactId") in connected
    return "" if hears else "starting"
