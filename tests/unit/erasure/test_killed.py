"""An erasure that is killed anywhere ends as any other, with one receipt."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.erasure.fakes import Killed
from tests.unit.erasure.stores import AGAIN, LATER, Call, Stores, contact_event


def prepare(stores: Stores) -> tuple[Call, Call]:
    """A call that is in every store, and another one beside it."""
    call, other = Call(1, utterances=2), Call(2, utterances=2)
    for each in (call, other):
        stores.start(each)
        stores.look(each)
        stores.post(each.message(0))
        stores.recover(each, 1)
        stores.dead("DeadLetters", each.message(1))
        stores.dead("ContactEventDeadLetters", contact_event(each.leg, each.id))
    stores.export([call, other])
    stores.stream()
    return call, other


def end(stores: Stores, call: Call, other: Call, before: Any) -> dict[str, Any]:
    """What the end must be; the receipt without its id and times."""
    left = stores.everything()
    assert [mark for mark in call.marks if mark in left] == []
    assert stores.of_call(other) == before
    assert [item["item"] for item in stores.items(call.id)] == ["conversation"]
    assert [item["item"] for item in stores.items(call.leg)] == ["conversation"]
    assert len(stores.objects(stores.receipts)) == 2
    assert len({each["erasure"] for each in stores.bus.of("ConversationErased")}) == 1
    receipt = stores.receipt()
    assert receipt["receipt"] == stores.bus.of("ConversationErased")[0]["erasure"]
    return {"calls": receipt["calls"], "notErased": receipt["notErased"]}


def killed(stores: Stores, at: int, *, done: bool, event: dict[str, Any]) -> bool:
    """Run until the n-th call of AWS.

    :returns: Whether the run was killed, and did not end before.
    """
    stores.killer.arm(at, done=done)
    try:
        stores.ask(event)
    except Killed:
        return True
    finally:
        stores.killer.arm(0, done=False)
        stores.sqs.pass_time()
        stores.stream()
    return False


@pytest.mark.parametrize("done", [False, True], ids=["before AWS has done it", "after"])
@pytest.mark.parametrize("run", ["the first", "the look after 20 minutes"])
def test_killed_at_every_call_and_run_again_it_is_the_same_end_with_one_receipt(
    run: str, done: bool
) -> None:
    ends: list[dict[str, Any]] = []
    at, was_killed = 1, True
    while was_killed:
        stores = Stores.in_process()
        call, other = prepare(stores)
        before = stores.of_call(other)
        event: dict[str, Any] = {"contact": call.id}
        if run != "the first":
            stores.ask(event)
            stores.clock.advance(AGAIN)
            event = {}
        was_killed = killed(stores, at, done=done, event=event)
        if event and not stores.dynamodb.items.get((call.id, "erasing")):
            stores.ask({"contact": call.id})  # nothing was written down yet: asked again
        for _ in range(5):
            stores.minute(LATER)
        ends.append(end(stores, call, other, before))
        at += 1
    assert at > 25
    assert [each for each in ends if each != ends[-1]] == []


def repeated(stores: Stores, at: int) -> Iterator[int]:
    """The answer to the n-th write is lost, and the client sends it again, as boto3 does.

    :returns: The numbers of the next writes.
    """
    number = itertools.count(1)

    def again(write: Callable[..., Any]) -> Callable[..., Any]:
        def written(**asked: Any) -> Any:
            answer = write(**asked)
            return write(**asked) if next(number) == at else answer

        return written

    stores.dynamodb.put_item = again(stores.dynamodb.put_item)
    stores.dynamodb.update_item = again(stores.dynamodb.update_item)
    stores.s3.put_object = again(stores.s3.put_object)
    return number


def test_each_write_may_be_repeated_because_its_answer_was_lost() -> None:
    """A condition that the first one has made false does not mislead: it is the same end."""
    ends: list[dict[str, Any]] = []
    at, was_repeated = 1, True
    while was_repeated:
        stores = Stores.in_process()
        call, other = prepare(stores)
        before = stores.of_call(other)
        number = repeated(stores, at)
        stores.ask({"contact": call.id})
        for _ in range(5):
            stores.minute(LATER)
        was_repeated = next(number) > at
        ends.append(end(stores, call, other, before))
        at += 1
    assert at > 15
    assert [each for each in ends if each != ends[-1]] == []
