"""Reconciliation enters each call into the index of customers, by which a customer's calls are
found, without a number in it."""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

import boto3
import pytest

from shared.table import PENDING
from tests.unit.conftest import CUSTOMER_NUMBER, Vendor
from tests.unit.reconciliation.finished_calls import (
    DAY_MS,
    HOUR_MS,
    Call,
    Sent,
    World,
    messages_of,
    now_ms,
    texts,
    waits_for,
)

KEY, OLD = "k" * 64, "o" * 64
KEPT_S = 30 * 86_400
RECOVERED_S = 15 * 86_400
HOUR_S = 3_600


@pytest.fixture
def secret(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the secret; there is none yet."""
    name = f"customers-{world.name}"
    monkeypatch.setenv("CUSTOMERS_KEY_SECRET", name)
    return name


def put_key(name: str, value: object = None) -> None:
    value = {"key": KEY, "old": [OLD]} if value is None else value
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))


def ended(
    world: World, vendor: Vendor, guid: str = "c-1", ago_ms: int = HOUR_MS, **changes: Any
) -> Call:
    call = Call(guid, texts(3), ago_ms)
    world.end(call, **({"customerId": CUSTOMER_NUMBER} | changes))
    vendor.moods[guid] = messages_of(call)
    return call


def told(log: Sent) -> list[tuple[str, str]]:
    """What is counted of conversations, and rings alarms."""
    lines = [vars(each) for each in log.records if "event" in vars(each)]
    return [(each["event"], each["conversationId"]) for each in lines if "conversationId" in each]


def entries(world: World, customer: str = CUSTOMER_NUMBER) -> list[dict[str, Any]]:
    digest = hmac.digest(KEY.encode(), customer.encode(), "sha256").hex()
    return world.items(f"customer#{digest}")


def test_a_call_is_entered_by_the_keyed_hash_of_its_customer(
    world: World, vendor: Vendor, secret: str
) -> None:
    put_key(secret)
    ended(world, vendor)
    now = world.clock.now_ms()
    assert world.run() == {"conversations": 1}
    (entry,) = entries(world)
    expires = entry.pop("expiresAt")
    assert entry == {"conversationId": entry["conversationId"], "item": "call#c-1"}
    # It outlives what may be recovered of the call days after this look.
    assert expires == now // 1000 + KEPT_S + RECOVERED_S + 86_400
    assert world.conversation("c-1")["enteredAt"] == now
    found = boto3.client("dynamodb").scan(TableName=world.name)["Items"]
    keys = [item["conversationId"]["S"] + item["item"]["S"] for item in found]
    assert [key for key in keys if CUSTOMER_NUMBER.removeprefix("+") in key] == []


def test_a_key_that_was_changed_is_used_after_a_minute(
    world: World, vendor: Vendor, secret: str
) -> None:
    """Until then calls are entered under one of the old keys."""
    put_key(secret, {"key": OLD})
    ended(world, vendor, "c-1")
    world.run()
    value = json.dumps({"key": KEY, "old": [OLD]})
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)
    world.clock.advance(59)
    ended(world, vendor, "c-2")
    world.run()
    assert entries(world) == []
    world.clock.advance(2)
    ended(world, vendor, "c-3")
    world.run()
    assert [entry["item"] for entry in entries(world)] == ["call#c-3"]


def test_every_customer_of_its_legs_is_entered_and_no_contact_is_one(
    world: World, vendor: Vendor, secret: str
) -> None:
    put_key(secret)
    legs = [
        {"contact_id": "c-1", "customer_id": CUSTOMER_NUMBER},
        {"contact_id": "c-2", "customer_id": "+15550100142"},
        {"contact_id": "c-3", "customer_id": "c-3"},  # the flow named none
        {"contact_id": "c-4"},
    ]
    ended(world, vendor, customerId="c-1", legs=json.dumps(legs))
    world.run()
    assert [len(entries(world, each)) for each in (CUSTOMER_NUMBER, "+15550100142")] == [1, 1]
    assert [entries(world, each) for each in ("c-1", "c-3", "")] == [[], [], []]


@pytest.mark.parametrize("value", [None, "no object", {"key": "short"}, {"old": [KEY]}])
def test_without_a_key_the_call_is_compared_all_the_same_and_entered_at_its_next_look(
    value: object, world: World, vendor: Vendor, secret: str, log: Sent
) -> None:
    if value is not None:
        put_key(secret, value)
    call = ended(world, vendor)
    assert world.run() == {"conversations": 1}
    assert world.transcript("c-1") == call.said
    assert "enteredAt" not in world.conversation("c-1")
    assert entries(world) == []
    problems = [record for record in log.records if record.levelno == logging.ERROR]
    assert [each.getMessage() for each in problems] == ["a call is not in the index of customers"]
    assert CUSTOMER_NUMBER not in str([vars(each) for each in problems])
    if value is None:
        put_key(secret)
    else:
        boto3.client("secretsmanager").put_secret_value(
            SecretId=secret, SecretString=json.dumps({"key": KEY})
        )
    world.ask("c-1")
    assert [entry["item"] for entry in entries(world)] == ["call#c-1"]


def test_a_call_whose_last_look_finds_no_key_stays_in_the_index_until_it_is_entered(
    world: World, vendor: Vendor, secret: str, log: Sent
) -> None:
    """By the index an erasure of the customer finds it. Nothing is compared or told twice."""
    ended(world, vendor, ago_ms=8 * DAY_MS)
    # The export has not completed it in time, for the second time.
    due = now_ms() - 4 * DAY_MS
    world.change("c-1", completeness="incomplete", reconcile="batch", reconcileAt=due)
    assert world.run() == {"conversations": 1}
    last = world.conversation("c-1")
    assert (last["completeness"], waits_for(last), entries(world)) == ("incomplete", PENDING, [])
    before = told(log)
    for _ in range(3):
        world.clock.advance(HOUR_S - 61)
        assert world.run() == {"conversations": 0}
        world.clock.advance(62)
        assert world.run() == {"conversations": 1}
    put_key(secret)
    world.clock.advance(HOUR_S + 1)
    assert world.run() == {"conversations": 1}
    assert [entry["item"] for entry in entries(world)] == ["call#c-1"]
    entered = world.conversation("c-1")
    assert waits_for(entered) == ""
    same = ("completeness", "reportedAt", "noTranscriptAt", "reconciledAt", "fromWebhook")
    assert [entered.get(each) for each in same] == [last.get(each) for each in same]
    assert told(log) == before
    assert vendor.requests == []


def test_words_that_come_while_it_waits_for_the_key_are_compared(
    world: World, vendor: Vendor, secret: str
) -> None:
    call = ended(world, vendor)
    world.post(call, range(3))
    world.run()
    assert waits_for(world.conversation("c-1")) == PENDING
    longer = Call("c-1", texts(5))
    vendor.moods["c-1"] = messages_of(longer)
    world.post(longer, [3])
    world.clock.advance(HOUR_S + 1)
    world.run()
    assert len(world.utterances("c-1")) == 5


def test_a_call_that_is_quarantined_is_entered_from_its_item_alone(
    world: World, vendor: Vendor, secret: str, log: Sent
) -> None:
    ended(world, vendor, unfinished=3)
    for _ in range(3):
        assert world.run() == {"conversations": 1}
        conversation = world.conversation("c-1")
        assert conversation["completeness"] == "quarantined"
        assert waits_for(conversation) == PENDING
        world.clock.advance(HOUR_S + 1)
    put_key(secret)
    world.run()
    assert [entry["item"] for entry in entries(world)] == ["call#c-1"]
    assert waits_for(world.conversation("c-1")) == ""
    assert vendor.requests == []
    assert told(log) == [("conversation_incomplete", "c-1")]


def test_without_the_setting_nobody_is_entered(world: World, vendor: Vendor) -> None:
    ended(world, vendor)
    world.run()
    assert "enteredAt" not in world.conversation("c-1")
    found = boto3.client("dynamodb").scan(TableName=world.name)["Items"]
    assert [item for item in found if item["conversationId"]["S"].startswith("customer#")] == []
