"""A call that is held is not deleted, and who holds it is known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from hold_conversation.handler import NotApplied, answer, apply_all
from hold_conversation.holds import KEPT, Holds
from shared.runtime import Deadline
from shared.table import HOLDS, attributes, values
from shared.transcripts.transcript import TranscriptReader
from tests.unit.erasure.fakes import DynamoDb, Killer
from tests.unit.held_clock import HeldClock

ADA = "arn:aws:sts::333333333333:assumed-role/Legal/ada"
GRACE = "arn:aws:sts::333333333333:assumed-role/Legal/grace"
DAY_S = 86_400
Item = dict[str, Any]


class World:
    """The table, with one call of two legs and another one; and the function, on a held clock."""

    def __init__(self, name: str, clock: HeldClock, dynamodb: Any) -> None:
        self.name, self.clock, self.dynamodb = name, clock, dynamodb
        self.holds = Holds(self.dynamodb, name, clock)
        self.soon = clock.now_ms() // 1000 + 3_600
        self.late = clock.now_ms() // 1000 + 30 * DAY_S
        self.put("c-1", "conversation", version=3, state="ended", contactIds={"c-1", "leg-2"})
        self.put("c-1", "stream#s-1", streamId="s-1", role="agent", startedAt=1)
        for at in range(3):
            self.say("c-1", at)
        self.put("leg-2", "contact", legOf="c-1")
        self.put("c-2", "conversation", version=1, state="ended")
        self.say("c-2", 0)

    def put(self, conversation_id: str, item: str, expires: int | None = None, **more: Any) -> None:
        key = {"conversationId": conversation_id, "item": item}
        made = key | {"expiresAt": expires or self.late} | more
        self.dynamodb.put_item(TableName=self.name, Item=attributes(made))

    def say(self, conversation_id: str, at: int, expires: int | None = None) -> None:
        said = {"streamId": "s-1", "role": "agent", "senderId": "ada", "startMs": at, "endMs": at}
        said |= {"text": f"words {at}", "source": "webhook", "receivedAt": 1, "storedAt": 1}
        self.put(conversation_id, f"utterance#s-1#{at:010d}#d", expires, **said)

    def items(self, *partitions: str) -> list[Item]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        every = (values(item) for page in pages for item in page["Items"])
        found = [each for each in every if each["conversationId"] in partitions]
        return sorted(found, key=lambda each: (each["conversationId"], each["item"]))

    def expiring(self, *partitions: str) -> set[int | None]:
        return {each.get("expiresAt") for each in self.items(*partitions)}

    def conversation(self, conversation_id: str = "c-1") -> Item:
        (found,) = (e for e in self.items(conversation_id) if e["item"] == "conversation")
        return found

    def ask(self, method: str, contact: str = "c-1", who: str | None = ADA) -> tuple[int, Item]:
        event = {
            "httpMethod": method,
            "pathParameters": {"conversationId": contact},
            "requestContext": {"identity": {"userArn": who}},
        }
        made = answer(event, self.holds, Deadline(25, self.clock))
        return made["statusCode"], json.loads(made["body"])

    def change(self, conversation_id: str, **changes: Any) -> None:
        item = self.conversation(conversation_id) | changes
        self.dynamodb.put_item(TableName=self.name, Item=attributes(item))

    def during_write(self, at: int, do: Callable[[], object]) -> Callable[[], bool]:
        """Do it before so many writes from now; returns whether there were so many."""
        usual, made = self.dynamodb.update_item, [0]

        def update(**request: Any) -> Any:
            made[0] += 1
            if made[0] == at:
                self.dynamodb.update_item = usual
                do()
            return usual(**request)

        def came() -> bool:
            self.dynamodb.update_item = usual
            return made[0] >= at

        self.dynamodb.update_item = update
        return came

    def hold(self, contact: str = "c-1") -> Item:
        status, said = self.ask("PUT", contact)
        assert status == 200
        return said

    def six_hours_later(self) -> Item:
        self.clock.advance(6 * 3_600)
        return apply_all(self.holds, Deadline(290, self.clock))


@pytest.fixture
def world(table_name: str, clock: HeldClock) -> World:
    return World(table_name, clock, boto3.client("dynamodb"))


@pytest.fixture
def world_in_process(clock: HeldClock) -> World:
    """For what is tried at each write."""
    return World("table", clock, DynamoDb(Killer()))


def test_nothing_of_a_call_that_is_held_expires_and_of_another_call_everything(
    world: World,
) -> None:
    before = world.items("c-2")
    said = world.hold()
    assert said == {
        "conversationId": "c-1",
        "heldBy": ADA,
        "heldAt": world.clock.now_ms(),
        "items": 6,
    }
    assert world.expiring("c-1", "leg-2") == {None}
    assert {each[KEPT] for each in world.items("c-1", "leg-2")} == {world.late}
    held = world.conversation()
    assert (held["heldBy"], held["heldAt"]) == (ADA, said["heldAt"])
    assert (held["version"], held["state"]) == (3, "ended")
    assert world.items("c-2") == before


def test_a_call_is_held_by_the_id_of_any_of_its_legs(world: World) -> None:
    assert world.hold("leg-2")["conversationId"] == "c-1"
    assert world.expiring("c-1", "leg-2") == {None}


def test_what_is_written_during_the_hold_is_held_within_six_hours(world: World) -> None:
    world.hold()
    world.say("c-1", 0, world.late + 5)  # the queue delivers it again, and the item has a time
    world.say("c-1", 7, world.late + 6)
    world.put("c-1", "conversation", version=4, contactIds={"c-1", "leg-2", "leg-3"}, heldBy=ADA)
    world.put("leg-3", "contact", legOf="c-1")
    assert world.six_hours_later() == {"holds": 1}
    assert world.expiring("c-1", "leg-2", "leg-3") == {None}
    assert {each[KEPT] for each in world.items("c-1")} == {
        world.late,
        world.late + 5,
        world.late + 6,
    }
    assert "heldAt" in world.conversation()


def test_whoever_holds_first_is_named_and_a_hold_can_be_repeated(world: World) -> None:
    first = world.hold()
    world.clock.advance(60)
    status, again = world.ask("PUT", who=GRACE)
    assert (status, again) == (200, first)


def test_lifted_each_item_expires_when_it_would_have_but_not_within_a_day(world: World) -> None:
    world.say("c-1", 0, world.soon)
    world.hold()
    world.clock.advance(2 * DAY_S)
    status, said = world.ask("DELETE", who=GRACE)
    now = world.clock.now_ms()
    assert (status, said["heldBy"], said["liftedBy"], said["liftedAt"]) == (200, ADA, GRACE, now)
    assert world.expiring("c-1", "leg-2") == {world.late, now // 1000 + DAY_S}
    assert not {"heldBy", "heldAt", KEPT} & set(world.conversation())
    assert not any(KEPT in each for each in world.items("c-1", "leg-2"))
    # Who it was is known for a year.
    (record,) = world.items(HOLDS)
    assert (record["heldBy"], record["liftedBy"]) == (ADA, GRACE)
    assert record["expiresAt"] == now // 1000 + 365 * DAY_S
    assert world.six_hours_later() == {"holds": 0}
    assert None not in world.expiring("c-1", "leg-2")


def test_lifted_twice_the_first_one_counts(world: World) -> None:
    world.hold()
    assert world.ask("DELETE", who=GRACE)[0] == 200
    world.clock.advance(60)
    assert world.ask("DELETE")[1]["liftedBy"] == GRACE


def test_a_call_that_was_lifted_can_be_held_again(world: World) -> None:
    world.hold()
    world.ask("DELETE")
    status, said = world.ask("PUT", who=GRACE)
    assert (status, said["heldBy"], "liftedBy" in said) == (200, GRACE, False)
    assert world.expiring("c-1", "leg-2", HOLDS) == {None}


class Killed(BaseException):
    """Lambda ended the function."""


def killed_after(writes: int, world: World) -> Callable[[], None]:
    """Let the function make so many writes; returns what lets it make all."""
    usual, left = world.dynamodb.update_item, [writes]

    def update(**request: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return usual(**request)

    world.dynamodb.update_item = update
    return lambda: setattr(world.dynamodb, "update_item", usual)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_killed_at_any_write_it_is_finished_by_the_next_run(
    method: str, world_in_process: World
) -> None:
    world = world_in_process
    if method == "DELETE":
        world.hold()
    for writes in range(1, 12):
        let_go = killed_after(writes, world)
        try:
            world.ask(method)
        except Killed:
            let_go()
        else:
            break
        finally:
            let_go()
        assert world.six_hours_later() == {"holds": 1}
        is_held = method == "PUT"
        assert (world.expiring("c-1", "leg-2") == {None}) is is_held
        assert (None in world.expiring("c-1", "leg-2")) is is_held
        assert ("heldBy" in world.conversation()) is is_held
        world.ask("DELETE" if is_held else "PUT")
    assert writes > 6


def test_a_call_of_which_only_words_are_known_is_held(world: World) -> None:
    world.say("c-3", 0)
    world.hold("c-3")
    assert world.expiring("c-3") == {None}
    assert world.conversation("c-3")["heldBy"] == ADA
    assert world.ask("DELETE", "c-3")[0] == 200
    assert None not in world.expiring("c-3")


def test_a_call_that_was_erased_is_not_held(world: World) -> None:
    tombstone = {"erasedAt": 1}
    world.put("c-9", "conversation", **tombstone)
    assert world.ask("PUT", "c-9")[0] == 409
    assert world.items(HOLDS) == []
    assert "heldBy" not in world.conversation("c-9")


def test_a_call_that_is_erased_meanwhile_stays_erased(world: World) -> None:
    """An erasure that was quicker than the hold's mark."""
    hold = world.holds.begin("c-1", ADA)
    world.put("c-1", "conversation", erasedAt=1)
    with pytest.raises(NotApplied):
        apply_all(world.holds, Deadline(290, world.clock))
    assert world.conversation()["expiresAt"] == world.late
    assert hold.held_by == ADA
    (record,) = world.items(HOLDS)
    assert record["liftedBy"] == "erased"


def test_a_long_call_is_finished_by_asking_again(world: World) -> None:
    usual = world.dynamodb.update_item

    def slow(**request: Any) -> Any:
        world.clock.advance(10)
        return usual(**request)

    world.dynamodb.update_item = slow
    statuses = [world.ask("PUT")[0]]
    while statuses[-1] == 503:
        statuses.append(world.ask("PUT")[0])
    assert statuses[0] == 503
    assert statuses[-1] == 200
    assert world.expiring("c-1", "leg-2") == {None}


def test_what_is_unknown_or_was_never_held_is_404(world: World) -> None:
    assert world.ask("PUT", "nobody")[0] == 404
    assert world.ask("DELETE")[0] == 404
    assert world.items(HOLDS, "nobody") == []


@pytest.mark.parametrize(("contact", "who"), [("", ADA), ("c" * 257, ADA), ("c-1", None)])
def test_a_request_without_an_id_or_a_person_changes_nothing(
    contact: str, who: str | None, world: World
) -> None:
    before = world.items("c-1", HOLDS)
    assert world.ask("PUT", contact, who)[0] == 400
    assert world.items("c-1", HOLDS) == before


def test_words_that_somebody_posts_among_the_holds_are_no_hold(world: World) -> None:
    world.say(HOLDS, 0)
    world.put(HOLDS, "conversation", version=1)
    world.hold()
    assert world.six_hours_later() == {"holds": 1}


def test_one_hold_that_fails_keeps_no_other_from_being_applied(world: World) -> None:
    world.hold("c-1")
    world.hold("c-2")
    world.put("c-1", "conversation", erasedAt=1)
    world.say("c-2", 0)
    with pytest.raises(NotApplied, match=r"^1 holds: Erased$"):
        world.six_hours_later()
    assert world.expiring("c-2") == {None}
    assert world.six_hours_later() == {"holds": 1}  # it rings once


def test_a_held_call_is_read_as_ever(world: World) -> None:
    world.say("c-1", 0, int(time.time()) - 60)  # its time is over, and it is there yet
    world.hold()
    transcript = TranscriptReader(world.name, world.dynamodb).read("c-1")
    assert transcript
    assert [said.text for said in transcript.utterances] == ["words 0", "words 1", "words 2"]


def test_a_call_that_goes_on_is_held_with_what_is_still_said_and_with_its_new_legs(
    world: World,
) -> None:
    world.put("c-5", "conversation", version=1, state="streaming", contactIds={"c-5"})
    world.hold("c-5")
    legs = json.dumps([{"contact_id": "leg-6", "customer_id": "+15550100199"}])
    world.change("c-5", version=2, legs=legs, expiresAt=world.late + 1)
    world.put("leg-6", "contact", legOf="c-5")
    world.say("c-5", 1)
    world.six_hours_later()
    assert world.expiring("c-5", "leg-6") == {None}
    assert world.conversation("c-5")["heldBy"] == ADA


@pytest.mark.parametrize("first", ["PUT", "DELETE"])
def test_of_two_who_hold_and_lift_at_once_the_last_one_counts(
    first: str, world_in_process: World
) -> None:
    """Whoever asks second is done before the first one is: at each of its writes."""
    world = world_in_process
    second = "DELETE" if first == "PUT" else "PUT"
    is_held = second == "PUT"
    for at in range(2, 12):
        if first == "PUT":
            world.ask("DELETE")
        else:
            world.hold()
        world.clock.advance(1)
        came = world.during_write(at, lambda: world.ask(second, who=GRACE))
        world.ask(first)
        if not came():
            break
        world.six_hours_later()
        assert ("heldBy" in world.conversation()) is is_held, at
        assert (world.expiring("c-1", "leg-2") == {None}) is is_held, at
        assert (None in world.expiring("c-1", "leg-2")) is is_held, at
        assert (world.expiring(HOLDS) == {None}) is is_held, at
    assert at > 6


def test_the_list_of_holds_is_no_call(world: World) -> None:
    world.hold()
    assert world.ask("PUT", HOLDS)[0] == 400
    assert world.ask("DELETE", "%23holds")[0] == 400
    assert world.expiring(HOLDS) == {None}


def test_no_log_says_who_holds(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world.hold()
    world.six_hours_later()
    world.ask("DELETE", who=GRACE)
    said = [vars(each) for each in caplog.records]
    assert [each["conversationId"] for each in said] == ["c-1", "c-1"]
    assert "Legal" not in str(said)


def test_whoever_lifts_late_never_takes_the_mark_of_the_next_hold(world: World) -> None:
    """Not even for the moment until it looks again: an erasure could begin then."""
    first = world.holds.begin("c-1", ADA)
    world.ask("DELETE")
    world.clock.advance(1)
    world.ask("PUT", who=GRACE)
    world.holds._unmark(first)
    assert world.conversation()["heldBy"] == GRACE
