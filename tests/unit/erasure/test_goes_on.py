"""An erasure that takes longer than a function may run ends before its time, and goes on from
there in the next minute's run: it is done at last, however slow each step is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from erase_conversation.due import NotErased
from erase_conversation.records import AGAIN_AFTER_MS, LEASE_MS, Due, Erasing
from shared.asapp.feeds import STATE, UTTERANCES
from tests.unit.erasure.fakes import Killed, refused
from tests.unit.erasure.stores import LATER, Call, Stores

RUN_SECONDS = 600.0
A_FILE_SECONDS = 290.0
"""Two fit into a run. It ends between lines; one that is read here is read to its end."""
FILES = [f"file{number}.json" for number in range(6)]


def run(stores: Stores, event: dict[str, Any], more: float) -> None:
    """One invocation.

    :param more: So many seconds it may take to end.
    """
    began = stores.clock.seconds
    stores.ask(event, RUN_SECONDS)
    assert stores.clock.seconds - began <= RUN_SECONDS + more
    stores.clock.advance(61)


def slow_files(stores: Stores) -> Counter[str]:
    """:returns: How often each is read."""
    get, read = stores.s3.get_object, Counter[str]()

    def get_object(Bucket: str, Key: str) -> Any:
        if Bucket == stores.bucket:
            read[Key] += 1
            stores.clock.advance(A_FILE_SECONDS)
        return get(Bucket=Bucket, Key=Key)

    stores.s3.get_object = get_object
    return read


def left_of(stores: Stores, call: Call) -> list[str]:
    return [mark for mark in call.marks if mark in stores.everything()]


def test_a_day_whose_files_take_longer_than_a_run_is_done_file_by_file(stores: Stores) -> None:
    call, other = Call(1), Call(2)
    for each in (call, other):
        stores.start(each)
    for name in FILES:  # each has both calls
        day = stores.export([call, other], name, by_id_only=True)
    kept = {
        (feed, name): b"".join(other.lines(feed, by_id_only=True))
        for feed in (STATE, UTTERANCES)
        for name in FILES
    }
    read = slow_files(stores)
    event: dict[str, Any] = {"contact": call.id}
    runs = 0
    while not stores.objects(stores.receipts):
        run(stores, event, A_FILE_SECONDS)
        runs, event = runs + 1, {}
        assert runs < 60, "it does not get on"
    assert runs > 15
    get = type(stores.s3).get_object
    stores.s3.get_object = get.__get__(stores.s3)
    assert left_of(stores, call) == []
    assert {place: stores.file(place[0], day, place[1])[0] for place in kept} == kept
    counts = stores.receipt()["calls"][0]["counts"]
    assert counts["exportedLines"] == len(FILES) * len(call.texts)
    # A later look at the day does not go on where an earlier one was.
    stores.put_file(UTTERANCES, day, FILES[0], b"".join(call.lines(UTTERANCES)))
    stores.ask({"exported": day}, 1e9)
    assert left_of(stores, call) == []
    # Twice for the ids, and three times to take the call out; and what a run began and did not end.
    assert sum(read.values()) <= len(FILES) * (2 + 2 * 3) + 2 * runs


def test_who_joins_a_run_that_was_ended_by_its_time_is_taken_out_of_every_file(
    stores: Stores,
) -> None:
    """What one erasure has done of a day is not done for another one."""
    first, second = Call(1), Call(2)
    for each in (first, second):
        stores.start(each)
    for name in FILES:
        stores.export([first, second], name)
    slow_files(stores)
    for event in ({"contact": first.id}, {}, {"contact": second.id}, *[{}] * 60):
        run(stores, event, A_FILE_SECONDS)
    stores.s3.get_object = type(stores.s3).get_object.__get__(stores.s3)
    assert left_of(stores, first) + left_of(stores, second) == []
    assert len(stores.objects(stores.receipts)) == 4


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_a_customer_whose_calls_take_longer_than_a_run_is_erased_over_several(
    stores: Stores, seconds: float
) -> None:
    """Each call of AWS takes so long; one run has time for a part."""
    some, other = [Call(number, utterances=2) for number in range(10, 20)], Call(1)
    for call in some:
        call.customer = "+15559990000"
        stores.start(call)
        stores.look(call)
        stores.post(call.message(0), call.message(1))
    stores.start(other)
    stores.export([*some, other])
    stores.stream()
    before = stores.of_call(other)
    called = stores.killer.before

    def slow() -> None:
        called()
        stores.clock.advance(seconds)

    event: dict[str, Any] = {"customer": some[0].customer}
    for _ in range(60):
        stores.killer.before = slow  # type: ignore[method-assign]
        run(stores, event, seconds * (len(some) + 10))  # what it gives back, and a little
        stores.killer.before = called  # type: ignore[method-assign]
        event = {}
    assert [mark for call in some for mark in left_of(stores, call)] == []
    assert stores.of_call(other) == before
    assert len(stores.objects(stores.receipts)) == 2
    assert len(stores.receipt()["calls"]) == len(some)


def test_a_call_that_fails_does_not_bring_the_second_look_of_the_others_forward(
    stores: Stores,
) -> None:
    calls = [Call(number) for number in range(3)]
    for call in calls:
        stores.start(call)
    records = stores.erasure().records
    for call in calls:
        records.ask(Erasing(call.id, f"e-{call.id}", stores.clock.now_ms()))
    write = stores.dynamodb.batch_write_item

    def batch_write_item(RequestItems: Any) -> Any:
        if '"c-1"' in str(RequestItems).replace("'", '"'):
            raise refused("InternalServerError")
        return write(RequestItems)

    stores.dynamodb.batch_write_item = batch_write_item
    with pytest.raises(NotErased):
        stores.ask({})
    due = {i["conversationId"]: i for i in stores.items() if i["item"] == "erasing"}
    looks = {id: item["reconcileAt"] - item["erasedAtMs"] for id, item in due.items()}
    assert looks == {"c-0": AGAIN_AFTER_MS, "c-1": 60_000, "c-2": AGAIN_AFTER_MS}


def test_a_run_that_fails_gives_back_what_it_has_and_not_what_another_run_has(
    stores: Stores,
) -> None:
    for number in range(2):
        stores.start(Call(number))
        stores.erasure().records.ask(Erasing(f"c-{number}", f"e-{number}", stores.clock.now_ms()))
    due = Due("c-1", "erasing", stores.clock.now_ms())
    update = stores.dynamodb.update_item

    def update_item(**asked: Any) -> Any:
        stores.dynamodb.update_item = update
        assert stores.erasure().records.claim(due)  # the other run was faster
        return update(**asked)

    def receive_message(**_: Any) -> Any:
        raise refused("AccessDenied")

    stores.dynamodb.update_item = update_item
    stores.sqs.receive_message = receive_message
    began = stores.clock.now_ms()
    with pytest.raises(NotErased):
        stores.ask({})
    leases = {i["conversationId"]: i["reconcileAt"] for i in stores.items() if "askedAt" in i}
    assert {id: at - began for id, at in leases.items()} == {"c-0": 60_000, "c-1": LEASE_MS}


def test_killed_while_it_notes_how_far_it_has_come_it_ends_the_same(stores: Stores) -> None:
    call = Call(1)
    stores.start(call)
    for name in FILES:
        stores.export([call], name)
    slow_files(stores)
    write = stores.dynamodb.batch_write_item
    kills = [1]

    def batch_write_item(RequestItems: Any) -> Any:
        if kills and "'key'" in str(RequestItems):
            kills.pop()
            raise Killed
        return write(RequestItems)

    stores.dynamodb.batch_write_item = batch_write_item
    with pytest.raises(Killed):
        stores.ask({"contact": call.id}, RUN_SECONDS)
    stores.clock.advance(LATER)
    for _ in range(60):
        run(stores, {}, A_FILE_SECONDS)
    stores.s3.get_object = type(stores.s3).get_object.__get__(stores.s3)
    assert left_of(stores, call) == []
    assert len(stores.objects(stores.receipts)) == 2
