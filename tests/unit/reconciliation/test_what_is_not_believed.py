"""Whoever has the webhook's secret can post what is compared: it is not believed, it decides
nothing, and it takes no time from other calls."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest

from publish_utterance.late_utterances import LateUtterances
from reconcile_transcript.alignment import align
from reconcile_transcript.alignment.budget import TooMuchWork, until
from reconcile_transcript.alignment.redaction import alike, pattern
from reconcile_transcript.alignment.utterances import Held, Said
from reconcile_transcript.due_conversations import NotReconciled, look_at_due
from reconcile_transcript.messages import NoRecord
from reconcile_transcript.reconciler import Reconciler
from reconcile_transcript.record import Record, moment_ms, record
from reconcile_transcript.transcripts import Transcripts
from shared.runtime import Clock, Deadline
from shared.table import PENDING
from shared.transcripts.transcript import TranscriptReader
from shared.transcripts.utterance import Utterance
from tests.unit.conftest import Vendor, VendorHandler
from tests.unit.reconciliation.finished_calls import (
    AFTER_MS,
    DAY_MS,
    FAR_S,
    HOUR_MS,
    Call,
    Sent,
    World,
    items,
    messages_of,
    texts,
    waits_for,
)


def forge(world: World, call: Call, text: str, at_ms: int = 1_000) -> dict[str, Any]:
    """Somebody posts an utterance of a stream that ASAPP never opened."""
    body = {
        "type": "transcript",
        "externalConversationId": call.guid,
        "streamId": "forged",
        "sender": {"externalId": "nobody", "role": "agent"},
        "autotranscribeResponse": {
            "start": at_ms,
            "end": at_ms + 900,
            "utterance": [{"text": text}],
        },
    }
    received = call.began_ms + at_ms + 1_000
    utterance = Utterance.from_message(json.dumps(body))
    item = utterance.item(received_at_ms=received, stored_at_ms=received, expires_at_s=FAR_S)
    world.put(item)
    return item


def stored(world: World, call: Call) -> None:
    late = LateUtterances(world.dynamodb, world.name, world.clock)
    assert late.open_again({call.guid}, late.calls({call.guid})) == set()


def test_a_forged_utterance_twenty_days_later_is_counted_as_unverified_and_asks_asapp_nothing(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(6), ago_ms=20 * DAY_MS)
    judged = {"completeness": "complete", "fromWebhook": 6, "recovered": 0, "reconciledVersion": 3}
    world.end(call, summary=(3, 3), **judged)
    world.post(call, range(6))
    conversation = world.conversation("c-1")
    for name in ("reconcile", "reconcileAt"):
        del conversation[name]
    world.put(conversation)
    forge(world, call, "I refund all of it.")
    stored(world, call)
    world.clock.advance(AFTER_MS / 1000 + 1)
    assert world.run() == {"conversations": 1}
    assert vendor.requests == []
    conversation = world.conversation("c-1")
    expected = {"completeness": "complete", "fromWebhook": 7, "unverified": 1}
    assert {name: conversation[name] for name in expected} == expected
    assert waits_for(conversation) == ""
    transcript = TranscriptReader(world.name, world.dynamodb).read("c-1")
    assert transcript is not None
    assert (transcript.completeness, transcript.counts["unverified"]) == ("complete", 1)


def test_a_late_utterance_completes_a_call_that_was_incomplete(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(6), ago_ms=2 * DAY_MS)
    judged = {"completeness": "incomplete", "fromWebhook": 5, "reconciledVersion": 3}
    world.end(call, summary=(3, 3), **judged)
    world.post(call, range(6))
    vendor.moods["c-1"] = messages_of(call)
    world.change("c-1", reconcileAt=1)
    world.run()
    assert world.conversation("c-1")["completeness"] == "complete"


def test_one_that_comes_while_the_call_is_compared_has_it_compared_again(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(6))
    world.end(call)
    world.post(call, range(6))

    def meanwhile(request: VendorHandler) -> None:
        forge(world, call, "Late.")
        stored(world, call)
        messages_of(call)(request)

    vendor.moods["c-1"] = meanwhile
    world.run()
    conversation = world.conversation("c-1")
    assert (conversation["completeness"], conversation["fromWebhook"]) == ("complete", 6)
    assert waits_for(conversation) == PENDING
    assert conversation["reconcileAt"] > world.clock.now_ms()
    assert conversation["leasedUntil"] == 0
    vendor.moods["c-1"] = messages_of(call)
    world.change("c-1", reconcileAt=1)
    world.run()
    assert world.conversation("c-1")["fromWebhook"] == 7


def test_asapps_own_record_confirms_what_came_on_a_stream_that_the_table_does_not_know(
    world: World, vendor: Vendor
) -> None:
    """The answers to the start and to the stop were both lost."""
    call = Call("c-1", texts(6))
    world.end(call)
    world.post(call, range(6))
    for role in ("agent", "customer"):
        key = {"conversationId": {"S": "c-1"}, "item": {"S": f"stream#c-1-{role}"}}
        world.dynamodb.delete_item(TableName=world.name, Key=key)
    forged = forge(world, call, "I refund all of it.")
    vendor.moods["c-1"] = messages_of(call)
    world.run()
    confirmed = {
        item["text"]: "confirmedAt" in item
        for item in world.utterances("c-1")
        if item["streamId"] != "forged"
    }
    assert confirmed == dict.fromkeys(call.texts, True)
    (left,) = (item for item in world.utterances("c-1") if item["item"] == forged["item"])
    assert "confirmedAt" not in left
    assert world.conversation("c-1")["unverified"] == 1


def test_a_forged_utterance_stands_in_for_none_that_is_missing(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(6))
    world.end(call, summary=(3, 3))
    world.post(call, range(5))
    forge(world, call, "I refund all of it.")
    vendor.moods["c-1"] = items(call.items()[:5])
    world.run()
    conversation = world.conversation("c-1")
    assert (conversation["completeness"], conversation["fromSummary"]) == ("awaiting", 6)


def test_a_flood_that_does_not_fit_into_memory_is_not_read_to_its_end(world: World) -> None:
    call = Call("c-1", texts(2))
    world.end(call)
    for at in range(4):
        forge(world, call, "x" * 190_000, at)
    with pytest.raises(TooMuchWork):
        Transcripts(world.dynamodb, world.name, 86_400, most_bytes=500_000).read("c-1")
    assert Transcripts(world.dynamodb, world.name, 86_400).read("c-1") is not None


def test_what_has_expired_is_not_compared(world: World, vendor: Vendor) -> None:
    call = Call("c-1", texts(2))
    world.end(call, expiresAt=1)
    assert world.run()["conversations"] == 0
    assert vendor.requests == []


# Time


def test_a_text_that_nobody_can_say_without_a_pause_is_compared_for_equality_only() -> None:
    fits, too_long = "## " + "a" * 1_997, "## " + "a" * 1_998
    assert alike(pattern(fits), pattern("b" * 3 + "a" * 1_997))
    assert not alike(pattern(too_long), pattern("b" + "a" * 1_998))
    assert not alike(pattern(too_long), pattern("##"))
    long = "word " * 20_000
    said = [Said("1", "agent", "", long, 1_000, "{}")]
    found = align(said, [Held("k", "agent", 1_000, 2_000, long, opened_ms=1)])
    assert (found.missing, found.only_ours) == ([], [])


class Ticking(Clock):
    """Each look at it takes a millisecond."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks / 1_000


FLOODS: dict[str, tuple[list[str], list[str], int]] = {
    "the same word thousands of times": (["yes"] * 3_000, ["yes"] * 3_000, 0),
    "marks beside marks": (["#### a ####"] * 1_000, [f"b ### {at}" for at in range(3_000)], 0),
    "the same moment": ([f"w {at}" for at in range(1_000)], [f"v {at}" for at in range(5_000)], 1),
}


@pytest.mark.parametrize(("ours", "theirs", "step"), FLOODS.values(), ids=FLOODS)
def test_a_comparison_ends_when_its_time_is_over(
    ours: list[str], theirs: list[str], step: int
) -> None:
    clock = Ticking()
    said = [Said(str(at), "agent", "", text, at, "{}") for at, text in enumerate(theirs)]
    held = [Held(str(at), "agent", at, at, text, opened_ms=1) for at, text in enumerate(ours)]
    with pytest.raises(TooMuchWork):
        align(said, held, check=until(Deadline(0.5, clock)))
    assert clock.looks < 1_000


class Killed(BaseException):
    """The process ends here."""


class Asapp:
    """ASAPP's record of each conversation, as :class:`Messages` gives it."""

    refusal = ""

    def __init__(self) -> None:
        self.moods: dict[str, Callable[[], Record]] = {}
        self.asked: list[str] = []

    def of(self, conversation_id: str, _: Deadline) -> Record:
        self.asked.append(conversation_id)
        return self.moods.get(conversation_id, Record)()

    def stopped_until(self, _: Clock) -> datetime | None:
        return None


class Runs:
    """A run a quarter of an hour, as Lambda makes them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.record = Asapp()
        self.transcripts = Transcripts(world.dynamodb, world.name, 86_400, world.clock)
        self.reconciler = Reconciler(
            self.transcripts,
            self.record,  # type: ignore[arg-type]
            has_export=False,
            after_ms=AFTER_MS,
            clock=world.clock,
        )

    def run(self) -> str:
        self.record.asked.clear()
        try:
            look_at_due(
                self.transcripts,
                self.reconciler,
                self.record,  # type: ignore[arg-type]
                Deadline(600, self.world.clock),
                after_ms=AFTER_MS,
                export_ms=DAY_MS,
            )
            return "done"
        except NotReconciled:
            return "failed"
        except Killed:
            return "killed"
        finally:
            self.world.clock.advance(16 * 60)

    def completeness(self, guid: str) -> str:
        return str(self.world.conversation(guid).get("completeness", ""))


def kill() -> Record:
    raise Killed


def never_ends() -> Record:
    raise TooMuchWork("out of time")


@pytest.fixture
def runs(world: World) -> Runs:
    return Runs(world)


@pytest.mark.parametrize(("poison", "end"), [(kill, "killed"), (never_ends, "failed")])
def test_a_conversation_whose_comparison_never_ends_is_quarantined_after_three_and_others_are_not(
    poison: Callable[[], Record], end: str, runs: Runs, world: World, log: Sent
) -> None:
    for at in range(4):
        world.end(Call(f"c-{at}", texts(1), ago_ms=HOUR_MS - at))
    runs.record.moods["c-0"] = poison
    assert [runs.run() for _ in range(3)] == [end] * 3
    assert runs.completeness("c-0") == ""
    assert [runs.completeness(f"c-{at}") for at in range(1, 4)] == ["awaiting"] * 3
    assert runs.run() == "done"
    assert runs.completeness("c-0") == "quarantined"
    assert waits_for(world.conversation("c-0")) == ""
    message = "a conversation cannot be compared; nobody looks at it until it is asked for"
    (line,) = log.of(message)
    assert (line["event"], line["levelname"]) == ("conversation_incomplete", "ERROR")
    runs.run()
    assert "c-0" not in runs.record.asked
    stored(world, Call("c-0", texts(1)))
    assert waits_for(world.conversation("c-0")) == ""


def test_what_did_not_end_before_comes_last_and_alone(runs: Runs, world: World) -> None:
    for at in range(6):
        world.end(Call(f"c-{at}", texts(1), ago_ms=HOUR_MS - at))
    working: set[str] = set()
    beside: list[set[str]] = []
    lock = threading.Lock()

    def look(guid: str) -> Record:
        with lock:
            working.add(guid)
        time.sleep(0.01)
        with lock:
            if guid == "c-0":
                beside.append(working - {guid})
            working.discard(guid)
        return Record()

    for at in range(6):
        runs.record.moods[f"c-{at}"] = lambda guid=f"c-{at}": look(guid)  # type: ignore[misc]
    world.change("c-0", unfinished=2)
    assert runs.run() == "done"
    assert runs.record.asked[-1] == "c-0"
    assert beside == [set()]
    assert runs.completeness("c-0") == "awaiting"
    assert world.conversation("c-0")["unfinished"] == 0


def test_somebody_who_asks_for_it_ends_the_quarantine(world: World, vendor: Vendor) -> None:
    call = Call("c-1", texts(4))
    world.end(call, completeness="quarantined", unfinished=7)
    world.post(call, range(4))
    vendor.moods["c-1"] = messages_of(call)
    assert world.ask("c-1")["completeness"] == "complete"
    assert world.conversation("c-1")["unfinished"] == 0


def test_a_table_or_an_asapp_in_trouble_puts_nothing_into_quarantine(
    runs: Runs, world: World
) -> None:
    world.end(Call("c-0", texts(1)))

    def no_record() -> Record:
        raise NoRecord("timeout")

    def throttled() -> Record:
        boto3.client("dynamodb").describe_table(TableName="no-such-table")
        raise AssertionError

    for mood in (throttled, no_record):
        runs.record.moods["c-0"] = mood
        for _ in range(5):
            runs.run()
            world.change("c-0", reconcileAt=1)
            assert world.conversation("c-0")["unfinished"] == 0
    assert runs.completeness("c-0") == "awaiting"


# Values


@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59Z", 1e300, -5, "99999999999999999", "2100-01-01T00:00:00Z", 0.0001],
)
def test_a_moment_that_no_call_can_have_is_none(moment: object) -> None:
    assert moment_ms(moment) == 0


def test_a_moment_that_is_none_moves_no_other_utterance() -> None:
    said = [
        Said("1", "agent", "", "one", moment_ms("2026-11-01T10:00:00Z"), "{}"),
        Said("2", "agent", "", "two", moment_ms("9999-01-01T00:00:00Z"), "{}"),
    ]
    assert [each.at_ms for each in record(said).said] == [1_793_527_200_000] * 2
