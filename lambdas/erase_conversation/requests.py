"""What somebody asks for: what would go, or that it goes."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from erase_conversation.customer import MOST_CALLS, calls_of_customer
from erase_conversation.erasure import Erasure
from erase_conversation.found_call import FoundCall, days_around
from erase_conversation.receipt import key_of
from erase_conversation.records import WAITS, Erasing
from shared import table
from shared.asapp.feeds import STATE, UTTERANCES
from shared.runtime import Deadline

RUNNING = ("refuse", "stop", "ended")

Answer = dict[str, Any]


class BadRequest(ValueError):
    """The event asks for nothing that there is; the message says what to write."""


def look(event: Mapping[str, Any], erasure: Erasure, deadline: Deadline) -> Answer:
    """What would go, and where; or how far it is. Nothing is changed.

    :param event: ``{"contact": "…"}`` or ``{"customer": "…"}``.
    """
    state = _under_way(event, erasure, deadline)
    if state and state["state"] == "erased":
        return state
    calls, _ = _calls(event, erasure, deadline)
    given = _named_days(event)
    days = sorted({day for call in calls for day in call.days} | set(given))
    ids = {id: call.conversation_id for call in calls for id in (call.conversation_id, *call.legs)}
    counted = erasure.messages.count(ids, deadline) if ids else {}
    now = deadline.clock.now_ms()
    found: Answer = {
        "state": "found",
        "agreed": _fingerprint(calls),
        "calls": [_shown(call, now) for call in calls],
        "messages": {name: sum(of.values()) for name, of in counted.items()},
    }
    if erasure.files:
        sizes = [
            size
            for day in days
            for feed in (UTTERANCES, STATE)
            for size in erasure.files.of_day(feed, day).values()
        ]
        found["files"] = {"days": days, "count": len(sizes), "bytes": sum(sizes)}
        found["results"] = len(erasure.files.results())
    return found | (state or {})


def progress(event: Mapping[str, Any], erasure: Erasure, deadline: Deadline) -> Answer:
    """How far an erasure is; ``{"state": "none"}`` if there is none."""
    return _under_way(event, erasure, deadline) or {"state": "none"}


def ask(event: Mapping[str, Any], erasure: Erasure, deadline: Deadline) -> Answer:
    """Write the erasure down, if nothing speaks against it; it goes on by itself from then on.

    :param event: As for :func:`look`, with ``running``: what becomes of a call that goes on. And
        ``agreed``, if somebody has agreed to what :func:`look` found, with what it says there: if
        these are other calls by now, nothing is erased.
    """
    running = event.get("running", "refuse")
    if running not in RUNNING:
        raise BadRequest(f"running is one of {', '.join(RUNNING)}")
    if state := _under_way(event, erasure, deadline):
        return state
    calls, digests = _calls(event, erasure, deadline)
    now = deadline.clock.now_ms()
    free = [call for call in calls if not call.held_by]
    given = _named_days(event)
    if not calls or (not given and not any(c.items or c.conversation for c in calls)):
        return {"state": "refused", "reason": "unknown"}
    if not free:
        return {"state": "refused", "reason": "held", "heldBy": calls[0].held_by}
    if (agreed := event.get("agreed")) and agreed != _fingerprint(calls):
        return {"state": "refused", "reason": "changed"}
    if running == "refuse" and (going := [c for c in free if c.is_running(now)]):
        return {"state": "refused", "reason": "running", "running": len(going)}
    erasing = Erasing(
        partition=table.customer_partition(digests[0]) if digests else free[0].conversation_id,
        erasure=uuid.uuid4().hex,
        asked_at_ms=now,
        running=str(running),
    )
    if digests:
        ids = [call.conversation_id for call in calls][:MOST_CALLS]
        erasing = replace(erasing, plan={"calls": ids}, customers=frozenset(digests))
        if (before := erasure.records.erasing(erasing.partition)) and before.step == WAITS:
            erasure.records.forget([erasing.partition])  # its receipt is written
    elif given:
        erasing = replace(erasing, plan={"given": given})
    return _state(erasure.records.ask(erasing))


def _under_way(event: Mapping[str, Any], erasure: Erasure, deadline: Deadline) -> Answer | None:
    """How far an erasure is; None if there is none, or for a customer who has calls again."""
    if contact := _contact(event):
        conversation_id = erasure.records.conversation_of(contact)
        if under_way := erasure.records.erasing(conversation_id):
            return _state(under_way)
        call = erasure.records.call(conversation_id)
        if call.is_erased and call.erasure:
            return _erased(call.erasure)
        return None
    customer = _customer(event)
    for digest in erasure.digests.of(customer, deadline):
        under_way = erasure.records.erasing(table.customer_partition(digest))
        if under_way and under_way.step != WAITS:
            return _state(under_way)
        # Last, because looking for new calls means reading all calls that go on.
        if under_way and not calls_of_customer(customer, erasure, deadline)[0]:
            return _state(under_way)
    return None


def _calls(
    event: Mapping[str, Any], erasure: Erasure, deadline: Deadline
) -> tuple[list[FoundCall], list[str]]:
    """The calls that are asked for; and, if these are a customer's, the customer's digests."""
    if contact := _contact(event):
        return [erasure.records.call(erasure.records.conversation_of(contact))], []
    ids, digests = calls_of_customer(_customer(event), erasure, deadline)
    found = [erasure.records.call(each) for each in ids]
    return [call for call in found if not call.is_erased], digests


def _fingerprint(calls: Iterable[FoundCall]) -> str:
    """A hash of the ids of the calls that would go: those that are not held."""
    ids = sorted(call.conversation_id for call in calls if not call.held_by)
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def _contact(event: Mapping[str, Any]) -> str:
    if event.get("contact") == table.HOLDS:
        raise BadRequest("This is the list of holds, and no contact")
    return str(event.get("contact") or "")


def _customer(event: Mapping[str, Any]) -> str:
    customer = event.get("customer")
    if not isinstance(customer, str) or not customer:
        raise BadRequest(
            'The event is {}, {"exported": "…"}, {"contact": "…"} or {"customer": "…"}'
        )
    return customer


def _named_days(event: Mapping[str, Any]) -> list[str]:
    """The days around the day that the event names, for a call that the table has forgotten."""
    if not (day := event.get("day")):
        return []
    at = day_of(day)
    return list(days_around(at, at))


def day_of(text: object) -> date:
    """:raises BadRequest: if it is none."""
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise BadRequest("a day is written like 2026-11-23") from None


def _state(erasing: Erasing) -> Answer:
    is_customer = erasing.partition.startswith(table.customer_partition(""))
    if is_customer and erasing.step == WAITS:
        return _erased(erasing.erasure)
    return {
        "state": "erasing",
        "step": erasing.step,
        "erasure": erasing.erasure,
        "receipt": key_of(erasing.erasure),
        "running": erasing.running,
    }


def _erased(erasure: str) -> Answer:
    return {"state": "erased", "erasure": erasure, "receipt": key_of(erasure)}


def _shown(call: FoundCall, now_ms: int) -> Answer:
    shown = {
        "conversationId": call.conversation_id,
        "legs": sorted(call.legs),
        "state": "held" if call.held_by else "running" if call.is_running(now_ms) else "ended",
        "items": call.items,
        "utterances": call.utterances,
        "streams": call.streams,
        "days": list(call.days),
    }
    return shown | ({"heldBy": call.held_by} if call.held_by else {})
