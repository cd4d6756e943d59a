"""Each change of a conversation's item becomes an event with all that may be told of the call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from publish_utterance import handler as publish_utterance
from shared import table
from shared.calls.conversation import CONNECTED, ENDED, PAUSED, Conversation, Leg
from shared.calls.conversation_table import _leg, _stored
from shared.transcripts.call import agents_of, call_of
from tests.unit.transcripts.test_publish_utterance import (  # noqa: F401
    deployed,
    front,
    image,
    published,
    record,
    service,
)
from tests.unit.transcripts.test_store_transcript import AwsService, body_of

NUMBER = "+15550100199"


def leg(contact_id: str = "c-1", agent: str = "jane", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"contact_id": contact_id, "customer_id": NUMBER, "agent_id": agent}
    given |= {"stream_arn": "arn:stream", "state": CONNECTED, "at_ms": 1_000}
    return _stored(Leg(**(given | changes)))


def conversation(*legs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "conversationId": "c-1",
        "item": "conversation",
        "version": 3,
        "state": "streaming",
        "asapp": "streaming",
        "toldContactId": "c-1",
        "customerId": NUMBER,
        "createdAt": 900,
        "changedAt": 1_100,
        "legs": json.dumps(legs or [leg()]),
    }
    return given | changes


def call(*legs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return call_of(conversation(*legs, **changes))


@pytest.mark.usefixtures("deployed")
def test_a_change_is_an_event_with_these_fields_and_no_others(service: AwsService) -> None:  # noqa: F811
    written = table.attributes(conversation(leg(queue="Billing")))
    publish_utterance.handler({"Records": [record("1", written)]}, None)
    ((sent,),) = [body["Entries"] for body in service.bodies("PutEvents")]
    assert (sent["Source"], sent["DetailType"]) == ("connect-autotranscribe", "Conversation")
    detail = json.loads(sent["Detail"])
    assert detail.pop("id").startswith("c-1/conversation#000003#")
    shown: dict[str, Any] = {
        "contactId": "c-1",
        "agent": "jane",
        "queue": "Billing",
        "state": "connected",
    }
    shown |= {"from": 1_000, "at": 1_000}
    assert detail == {
        "conversationId": "c-1",
        "version": 3,
        "state": "streaming",
        "listening": True,
        "notListening": "",
        "startedAt": 900,
        "changedAt": 1_100,
        "completeness": "",
        "legs": [shown | {"holds": []}],
    }
    assert NUMBER not in sent["Detail"]


@pytest.mark.usefixtures("deployed")
def test_changes_and_utterances_of_a_call_keep_their_order(service: AwsService) -> None:  # noqa: F811
    records = [
        record("1", table.attributes(conversation())),
        record("2", image(body_of(1, "Hello.", externalConversationId="c-1"))),
        record("3", table.attributes(conversation(version=4, state="ended"))),
    ]
    assert publish_utterance.handler({"Records": records}, None) == {"batchItemFailures": []}
    (sent,) = published(service)
    assert [each.get("text") or each["version"] for each in sent] == [3, "Hello.", 4]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"state": "paused", "asapp": "stopped"}, "on_hold"),
        ({"state": "ended", "asapp": "stopped"}, "ended"),
        ({"asapp": "stopped"}, "starting"),
        ({"asapp": "unknown"}, "starting"),
        ({"toldContactId": "c-2"}, "starting"),
        ({"lastStartFailed": 1, "outcomeReason": "400-203"}, "400-203"),
        ({"lastStartFailed": 1, "outcomeStatus": "rejected", "outcomeReason": ""}, "rejected"),
        ({"lastStartFailed": 1}, "unavailable"),
    ],
)
def test_a_call_says_whether_asapp_listens_and_why_not(
    changes: dict[str, Any], reason: str
) -> None:
    made = call(**changes)
    assert (made["listening"], made["notListening"]) == (not reason, reason)


def test_a_hold_that_goes_on_has_no_end_and_one_that_is_over_has() -> None:
    held = Conversation(legs=(Leg("c-1", agent_id="jane", state=PAUSED, at_ms=2_000),))
    resumed = held.with_leg(Leg("c-1", agent_id="jane", state=CONNECTED, at_ms=3_000))
    for known, holds in (
        (held, [{"from": 2_000, "to": None}]),
        (resumed, [{"from": 2_000, "to": 3_000}]),
    ):
        (shown,) = call(*map(_stored, known.legs))["legs"]
        assert shown["holds"] == holds


def test_holds_come_back_from_the_table_as_they_were_written() -> None:
    kept = Leg("c-1", holds=((1, 2), (3, 4)))
    assert _leg(json.loads(json.dumps(_stored(kept)))) == kept


def test_a_hold_ends_with_the_leg_too() -> None:
    held = Conversation(legs=(Leg("c-1", state=PAUSED, at_ms=2_000),))
    assert held.with_leg(Leg("c-1", state=ENDED, at_ms=2_500)).legs[0].holds == ((2_000, 2_500),)


def test_a_leg_keeps_its_last_hundred_holds() -> None:
    known = Conversation(legs=(Leg("c-1"),))
    for at in range(120):
        (was,) = known.legs
        known = known.with_leg(Leg("c-1", state=PAUSED, at_ms=2 * at, holds=was.holds))
        (was,) = known.legs
        known = known.with_leg(Leg("c-1", state=CONNECTED, at_ms=2 * at + 1, holds=was.holds))
    assert known.legs[0].holds == tuple((2 * at, 2 * at + 1) for at in range(20, 120))


def test_the_contacts_id_that_stands_for_an_agent_is_no_agent() -> None:
    item = conversation(leg("c-1", "jane", state=ENDED), leg("c-2", "c-2"), leg("c-3", "omar"))
    assert agents_of(item) == {"jane", "omar"}
    assert [each["agent"] for each in call_of(item)["legs"]] == ["jane", "", "omar"]


def test_a_contact_of_which_only_the_end_was_seen_is_no_leg_to_show() -> None:
    gone = _stored(Leg("c-0", state="over", at_ms=5))
    assert [each["contactId"] for each in call(gone, leg())["legs"]] == ["c-1"]
