"""All calls of a customer are erased together, with one receipt; nobody else's are."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from erase_conversation.receipt import as_text
from erase_conversation.requests import BadRequest, look
from shared.runtime import Deadline
from tests.unit.erasure.fakes import Killed
from tests.unit.erasure.stores import AGAIN, LATER, LEGAL, Call, Stores


def calls(stores: Stores, count: int) -> list[Call]:
    """Of one customer; every second is not in the index of customers yet."""
    made = [Call(number, utterances=2) for number in range(count)]
    for at, call in enumerate(made):
        call.customer = "+15559990000"
        stores.start(call)
        if at % 2:
            stores.look(call)
        stores.post(call.message(0), call.message(1))
    return made


def left(stores: Stores, some: list[Call]) -> list[str]:
    everything = stores.everything()
    return [mark for call in some for mark in call.marks if mark in everything]


def test_every_call_of_the_customer_goes_and_the_receipt_names_all(stores: Stores) -> None:
    some, other = calls(stores, 5), Call(9)
    stores.start(other)
    stores.look(other)
    stores.post(other.message(0))
    stores.export([*some, other])
    stores.stream()
    before = stores.of_call(other)
    event = {"customer": "+15559990000"}
    found = stores.ask(event | {"dryRun": True})
    assert sorted(each["conversationId"] for each in found["calls"]) == [c.id for c in some]
    assert stores.erase(event)["state"] == "erasing"
    assert left(stores, some) == []
    assert stores.of_call(other) == before
    hashes = [hashlib.sha256(call.id.encode()).hexdigest() for call in some]
    receipt = stores.receipt()
    assert [each["sha256OfId"] for each in receipt["calls"]] == sorted(hashes)
    assert len(stores.objects(stores.receipts)) == 2
    assert stores.ask(event) == {
        "state": "erased",
        "erasure": receipt["receipt"],
        "receipt": f"receipts/{receipt['receipt']}.json",
    }
    assert {each["erasure"] for each in stores.bus.of("ConversationErased")} == {receipt["receipt"]}


def test_what_an_old_key_has_hashed_is_found(stores: Stores) -> None:
    (call,) = calls(stores, 1)
    stores.look(call)
    stores.keys = ("n" * 64, "k" * 64)
    stores.erase({"customer": call.customer})
    assert left(stores, [call]) == []
    assert not [i for i in stores.items() if i["item"] == f"call#{call.id}" and "call" not in i]


def looked_at_after(query: int, stores: Stores, call: Call) -> None:
    """After so many queries reconciliation enters the call, and takes it out of the other index."""
    pages, number = stores.dynamodb.query_pages, itertools.count(1)

    def query_pages(**asked: Any) -> Iterator[dict[str, Any]]:
        yield from pages(**asked)
        if next(number) == query:
            stores.look(call)

    stores.dynamodb.query_pages = query_pages


@pytest.mark.parametrize("query", range(1, 29))  # so many it takes to find a customer's calls
def test_a_call_that_reconciliation_enters_meanwhile_is_found(stores: Stores, query: int) -> None:
    (call,) = calls(stores, 1)
    looked_at_after(query, stores, call)
    found = stores.ask({"customer": call.customer, "dryRun": True})
    assert [each["conversationId"] for each in found["calls"]] == [call.id]


def test_a_function_that_lives_for_hours_finds_what_was_entered_under_a_new_key(
    stores: Stores,
) -> None:
    (call,) = calls(stores, 1)
    asked, living = {"customer": call.customer}, stores.erasure()
    assert len(look(asked, living, Deadline(60, stores.clock))["calls"]) == 1
    stores.keys = ("n" * 64, "k" * 64)
    stores.look(call)
    stores.clock.advance(61)
    assert len(look(asked, living, Deadline(60, stores.clock))["calls"]) == 1


def test_a_customer_who_calls_again_can_be_erased_again(stores: Stores) -> None:
    (first,) = calls(stores, 1)
    event = {"customer": first.customer}
    stores.erase(event)
    again = Call(7)
    again.customer = first.customer
    stores.start(again)
    assert stores.erase(event)["state"] == "erasing"
    assert left(stores, [again]) == []
    assert len(stores.objects(stores.receipts)) == 4


def test_other_calls_than_those_that_were_agreed_to_are_not_erased(stores: Stores) -> None:
    first, second = calls(stores, 2)
    event = {"customer": first.customer}
    agreed = {"agreed": stores.ask(event | {"dryRun": True})["agreed"]}
    again = Call(7)
    again.customer = first.customer
    stores.start(again)
    refused = {"state": "refused", "reason": "changed"}
    assert stores.ask(event | agreed) == refused  # one more
    agreed = {"agreed": stores.ask(event | {"dryRun": True})["agreed"]}
    stores.change(second.id, heldBy=LEGAL)
    assert stores.ask(event | agreed) == refused  # one less
    assert all(stores.has(each.id, "version") for each in (first, second, again))
    agreed = {"agreed": stores.ask(event | {"dryRun": True})["agreed"]}
    assert stores.ask(event | agreed)["state"] == "erasing"
    assert [stores.has(each.id, "version") for each in (first, second, again)] == [
        False,
        True,
        False,
    ]


def test_who_sends_nothing_that_was_agreed_to_is_not_asked_for_it(stores: Stores) -> None:
    (call,) = calls(stores, 1)
    stores.ask({"customer": call.customer, "dryRun": True})
    again = Call(7)
    again.customer = call.customer
    stores.start(again)
    assert stores.ask({"customer": call.customer})["state"] == "erasing"
    assert left(stores, [call, again]) == []


def test_to_ask_how_far_it_is_reads_no_call_of_others(stores: Stores) -> None:
    """The command asks three times a minute, and thousands of calls may go on."""
    (call,) = calls(stores, 1)
    for number in range(20, 60):
        stores.start(Call(number))
    stores.ask({"customer": call.customer})
    stores.killer.arm(0, done=False)
    assert stores.ask({"customer": call.customer, "progress": True})["state"] == "erasing"
    assert stores.killer.calls == 1


def test_a_held_call_stays_and_the_receipt_names_it(stores: Stores) -> None:
    some = calls(stores, 3)
    stores.change(some[1].id, heldBy=LEGAL)
    event = {"customer": some[0].customer}
    found = stores.ask(event | {"dryRun": True})["calls"]
    assert [each.get("heldBy") for each in found] == [None, LEGAL, None]
    stores.erase(event)
    everything = stores.everything()
    assert [call.id for call in some if call.texts[0] in everything] == [some[1].id]
    receipt = stores.receipt()
    sha256 = hashlib.sha256(some[1].id.encode()).hexdigest()
    assert receipt["notErased"] == [{"sha256OfId": sha256, "reason": "held"}]
    assert len(receipt["calls"]) == 2
    assert f"{sha256}: held" in as_text(receipt)
    assert stores.ask(event) == {"state": "refused", "reason": "held", "heldBy": LEGAL}


def test_a_held_call_is_found_when_the_index_of_customers_has_forgotten_it(stores: Stores) -> None:
    (call,) = calls(stores, 1)
    stores.look(call)
    stores.change(call.id, heldBy=LEGAL)
    stores.put({"conversationId": "#holds", "item": f"hold#{call.id}", "heldBy": LEGAL})
    for item in stores.items():
        if item["item"] == f"call#{call.id}":
            del stores.dynamodb.items[item["conversationId"], item["item"]]
    event = {"customer": call.customer}
    assert stores.ask(event)["reason"] == "held"
    stores.change(call.id, heldBy=None)
    stores.erase(event)
    assert left(stores, [call]) == []


def test_the_list_of_holds_cannot_be_erased(stores: Stores) -> None:
    stores.put({"conversationId": "#holds", "item": "hold#c-1", "heldBy": LEGAL})
    with pytest.raises(BadRequest, match="no contact"):
        stores.ask({"contact": "#holds"})


def test_one_who_has_called_nobody_is_refused(stores: Stores) -> None:
    calls(stores, 1)
    refused = stores.ask({"customer": "+15550000001"})
    assert refused == {"state": "refused", "reason": "unknown"}


@pytest.mark.parametrize("done", [False, True], ids=["before AWS has done it", "after"])
def test_killed_now_and_then_it_is_the_same_end(done: bool) -> None:
    """At each seventh call, run after run, until it ends by itself."""
    for begin in range(1, 15, 3):
        stores = Stores.in_process()
        some, other = calls(stores, 3), Call(9)
        stores.start(other)
        stores.look(other)
        stores.export([*some, other])
        before = stores.of_call(other)
        event: dict[str, Any] = {"customer": some[0].customer}
        at = begin
        for _ in range(60):
            stores.killer.arm(at, done=done)
            try:
                stores.ask(event)
            except Killed:
                at += 7
            stores.killer.arm(0, done=False)
            stores.sqs.pass_time()
            stores.stream()
            if any(each[1] == "erasing" for each in stores.dynamodb.items):
                event = {}
            stores.clock.advance(LATER)
        assert left(stores, some) == []
        assert stores.of_call(other) == before
        assert len(stores.objects(stores.receipts)) == 2
        assert len(stores.receipt()["calls"]) == 3
        assert stores.erase({"customer": other.customer})["state"] == "erasing"


def test_a_thousand_calls_take_time_that_grows_with_the_calls(stores: Stores) -> None:
    """Counted in calls of AWS: each queue and each file is looked through once for all."""

    def cost(count: int) -> int:
        made = Stores.in_process()
        some = calls(made, count)
        made.export(some)
        made.killer.arm(0, done=False)
        made.ask({"customer": some[0].customer})
        for _ in range(3):
            made.clock.advance(AGAIN)
            made.ask({})
        asked = made.killer.calls
        assert left(made, some) == []
        return asked

    few, many = cost(10), cost(40)
    assert many - few <= 30 * (few - cost(1)) / 9 * 1.05
