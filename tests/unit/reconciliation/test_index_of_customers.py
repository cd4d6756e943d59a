"""Reconciliation enters each call into the index of customers, by which a customer's calls are
found, without a number in it."""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

import boto3
import pytest

from tests.unit.conftest import CUSTOMER_NUMBER, Vendor
from tests.unit.reconciliation.finished_calls import Call, Sent, World, messages_of, texts

KEY, OLD = "k" * 64, "o" * 64
WEEKS_S = 31 * 86_400


@pytest.fixture
def secret(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the secret; there is none yet."""
    name = f"customers-{world.name}"
    monkeypatch.setenv("CUSTOMERS_KEY_SECRET", name)
    return name


def put_key(name: str, value: object = None) -> None:
    value = {"key": KEY, "old": [OLD]} if value is None else value
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))


def ended(world: World, vendor: Vendor, guid: str = "c-1", **changes: Any) -> Call:
    call = Call(guid, texts(3))
    world.end(call, **({"customerId": CUSTOMER_NUMBER} | changes))
    vendor.moods[guid] = messages_of(call)
    return call


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
    assert expires == now // 1000 + WEEKS_S  # as long as the call, and a day
    assert world.conversation("c-1")["enteredAt"] == now
    found = boto3.client("dynamodb").scan(TableName=world.name)["Items"]
    keys = [item["conversationId"]["S"] + item["item"]["S"] for item in found]
    assert [key for key in keys if CUSTOMER_NUMBER.removeprefix("+") in key] == []


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


def test_without_the_setting_nobody_is_entered(world: World, vendor: Vendor) -> None:
    ended(world, vendor)
    world.run()
    assert "enteredAt" not in world.conversation("c-1")
    found = boto3.client("dynamodb").scan(TableName=world.name)["Items"]
    assert [item for item in found if item["conversationId"]["S"].startswith("customer#")] == []
