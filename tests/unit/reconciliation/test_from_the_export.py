"""What messages do not give is completed by the nightly export."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from reconcile_transcript.due_conversations import NotReconciled
from reconcile_transcript.transcripts import Transcripts
from shared.table import BATCH, reconcile_key
from tests.unit.conftest import Vendor
from tests.unit.reconciliation.finished_calls import (
    DAY_MS,
    HOUR_MS,
    STATE,
    Bucket,
    Call,
    Sent,
    Table,
    World,
    completes_by_the_export,
    now_ms,
    texts,
    utc_day,
    waits_for,
)


def test_what_messages_do_not_give_is_completed_by_the_batch(
    world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    call = Call("long", texts(60), ago_ms=DAY_MS + HOUR_MS)
    completes_by_the_export(call, 50, world, vendor, bucket, log)  # the others never come


def marked(world: Table, call: Call, have: Sequence[int], **changes: Any) -> None:
    batch = reconcile_key(BATCH, call.guid)
    world.end(call, **({"reconcile": batch, "completeness": "awaiting"} | changes))
    world.post(call, have)


def test_a_call_across_midnight_is_completed_once_the_day_of_its_end_is_there(
    world: World, bucket: Bucket
) -> None:
    call = Call("c-1", texts(10))
    today = utc_day(call.ended_ms)
    yesterday = utc_day(call.ended_ms - DAY_MS)
    marked(world, call, range(7))
    bucket.put(yesterday, call.lines()[:4])
    assert world.exported(yesterday) == {"conversations": 1, "complete": 0}
    assert waits_for(world.conversation("c-1")) == BATCH
    bucket.put(today, call.lines()[4:])
    assert world.exported(today) == {"conversations": 1, "complete": 1}
    assert world.transcript("c-1") == call.said
    assert world.conversation("c-1")["fromExport"] == 10


def test_a_malformed_line_of_a_conversation_keeps_it_from_being_complete(
    world: World, bucket: Bucket, log: Sent
) -> None:
    call = Call("c-1", texts(10))
    marked(world, call, range(5))
    lines = call.lines()
    bucket.put(utc_day(call.ended_ms), [*lines[:8], lines[8][:-3], *lines[9:]])
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 0}
    (line,) = log.of("lines of the feed cannot be read")
    assert line["numbers"] == [9]
    assert len(world.utterances("c-1")) == 9
    bucket.put(utc_day(call.ended_ms), lines)
    world.exported(utc_day(call.ended_ms))
    assert world.conversation("c-1")["completeness"] == "complete"
    assert world.transcript("c-1") == call.said


def test_a_line_that_only_names_a_conversation_keeps_it_from_being_complete_too(
    world: World, bucket: Bucket
) -> None:
    call = Call("c-1", texts(10))
    marked(world, call, range(5))
    lines = [
        line.replace(b"external_", b"") if at == 8 else line for at, line in enumerate(call.lines())
    ]
    lines[8] = lines[8][:-1]
    bucket.put(utc_day(call.ended_ms), lines)
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 0}


def test_columns_of_an_account_are_found_by_their_names(
    world: World, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call("c-1", texts(6))
    marked(world, call, range(4))
    names = {"conversation": "call", "text": "words", "time": "at", "role": "who", "id": "key"}
    monkeypatch.setenv("FEED_COLUMNS", json.dumps(names))
    rows = [
        {
            "call": "c-1",
            "words": text,
            "who": f"SENDER_{role.upper()}",
            "at": call.iso(at),
            "key": at,
        }
        for at, (role, text) in enumerate(call.said)
    ]
    bucket.put(utc_day(call.ended_ms), [json.dumps(row).encode() for row in rows])
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    assert world.transcript("c-1") == call.said


def roles(world: Table) -> dict[str, tuple[str, str]]:
    """By message id, who said it and what, of what came by the export."""
    return {
        item["messageId"]: (item["role"], item["senderId"])
        for item in world.utterances("c-1")
        if item["source"] == "export"
    }


def test_where_nothing_says_who_spoke_the_words_are_enough(world: World, bucket: Bucket) -> None:
    call = Call("c-1", texts(8))
    marked(world, call, [at for at in range(8) if at not in (3, 6)])
    bucket.put(utc_day(call.ended_ms), call.documented()[0])
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    assert [text for _, text in world.transcript("c-1")] == call.texts
    assert roles(world) == {"c-1/3": ("unknown", ""), "c-1/6": ("unknown", "")}


SENDERS = {
    "SENDER_CUSTOMER": "customer",
    "customer": "customer",
    "SENDER_AGENT": "agent",
    "Sender_Agent": "agent",
    "AGENT": "agent",
    "SENDER_REP": "agent",
    "SENDER_UNKNOWN": "unknown",
    "": "unknown",
    "SENDER_SYSTEM": "unknown",
}


@pytest.mark.parametrize(("sender", "role"), SENDERS.items(), ids=str)
def test_who_spoke_is_told_in_our_words(
    sender: str, role: str, world: World, bucket: Bucket
) -> None:
    call = Call("c-1", [f"Words of number {at}." for at in range(8)])
    marked(world, call, [at for at in range(8) if at != 3])
    said, state = call.documented()
    state[3] = json.dumps(json.loads(state[3]) | {"sender_type": sender}).encode()
    bucket.put(utc_day(call.ended_ms), said)
    bucket.put(utc_day(call.ended_ms), state, feed=STATE)
    assert world.exported(utc_day(call.ended_ms))["complete"] == 1
    assert [who for who, _ in roles(world).values()] == [role]


@pytest.mark.parametrize("conversation", [{}, {"external_conversation_id": None}], ids=str)
def test_who_spoke_is_found_by_the_message_id_alone(
    conversation: dict[str, Any], world: World, bucket: Bucket
) -> None:
    """Whatever else a line of the state feed says, and however often it says it."""
    call, other = Call("c-1", texts(8)), Call("c-2", texts(8))
    marked(world, call, range(0, 8, 2))
    (said, _), (_, state) = call.documented(), call.documented(**conversation)
    _, (other_agent, *_) = other.documented(message_id="c-1/3")
    no_id = [line.replace(b"message_id", b"id") for line in state]
    bucket.put(utc_day(call.ended_ms), said)
    bucket.put(utc_day(call.ended_ms), [*no_id, b"", *state, *state, other_agent], feed=STATE)
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    assert world.transcript("c-1") == call.said
    assert roles(world) == {f"c-1/{at}": ("customer", "id of customer") for at in (1, 3, 5, 7)}


def test_what_has_no_message_id_is_said_by_nobody_known(world: World, bucket: Bucket) -> None:
    call = Call("c-1", [f"Words of number {at}." for at in range(8)])
    marked(world, call, [at for at in range(8) if at != 3])
    said, state = call.documented(message_id="")
    bucket.put(utc_day(call.ended_ms), said)
    bucket.put(utc_day(call.ended_ms), state, feed=STATE)
    assert world.exported(utc_day(call.ended_ms))["complete"] == 1
    assert [who for who, _ in roles(world).values()] == ["unknown"]


def test_a_line_that_says_who_spoke_is_believed_before_the_state_feed(
    world: World, bucket: Bucket
) -> None:
    call = Call("c-1", texts(6))
    marked(world, call, range(3))
    _, state = call.documented()
    lines = [line.replace(b"utterance_id", b"message_id") for line in call.lines()]
    bucket.put(utc_day(call.ended_ms), lines)
    swapped = [line.replace(b"R_AGENT", b"R_CUSTOMER") for line in state]
    bucket.put(utc_day(call.ended_ms), swapped, feed=STATE)
    assert world.exported(utc_day(call.ended_ms))["complete"] == 1
    assert world.transcript("c-1") == call.said


def test_a_state_feed_that_comes_later_says_who_spoke_in_what_still_waits(
    world: World, bucket: Bucket
) -> None:
    call = Call("c-1", texts(8))
    marked(world, call, range(0, 8, 2))
    said, state = call.documented()
    bucket.put(utc_day(call.ended_ms), [*said[:7], said[7][:-3]])
    assert world.exported(utc_day(call.ended_ms))["complete"] == 0
    assert {who for who, _ in roles(world).values()} == {"unknown"}
    bucket.put(utc_day(call.ended_ms), said)
    bucket.put(utc_day(call.ended_ms), state, feed=STATE)
    assert world.exported(utc_day(call.ended_ms))["complete"] == 1
    assert world.transcript("c-1") == call.said


def test_a_line_of_the_state_feed_that_cannot_be_read_costs_only_who_spoke(
    world: World, bucket: Bucket, log: Sent
) -> None:
    call = Call("c-1", [f"Words of number {at}." for at in range(8)])
    marked(world, call, [0, 2, 4, 6])
    said, state = call.documented()
    state[3] = state[3][:-5]
    bucket.put(utc_day(call.ended_ms), said)
    bucket.put(utc_day(call.ended_ms), state, feed=STATE)
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    (line,) = log.of("lines of the feed cannot be read")
    assert (line["feed"], line["numbers"]) == (STATE, [4])
    assert [who for who, _ in roles(world).values()] == [
        "customer",
        "unknown",
        "customer",
        "customer",
    ]


def test_what_the_export_never_completes_is_an_error_and_then_incomplete(
    world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    call = Call("c-1", texts(6), ago_ms=4 * DAY_MS)
    marked(world, call, range(4), reconcileAt=now_ms() - 3 * DAY_MS + 60_000)
    assert world.run() == {"conversations": 0}
    world.change("c-1", reconcileAt=now_ms() - 3 * DAY_MS - 60_000)
    assert world.run() == {"conversations": 1}
    assert len(log.of("a conversation stays incomplete")) == 1
    conversation = world.conversation("c-1")
    assert (conversation["completeness"], waits_for(conversation)) == ("incomplete", BATCH)
    world.exported(utc_day(call.ended_ms + DAY_MS))  # without a line of it
    assert world.conversation("c-1")["completeness"] == "incomplete"
    assert world.run() == {"conversations": 0}
    world.change("c-1", reconcileAt=now_ms() - 3 * DAY_MS - 60_000)
    world.run()
    assert "reconcile" not in world.conversation("c-1")
    assert len(log.of("a conversation stays incomplete")) == 1


def test_two_runs_complete_a_conversation_one_after_the_other(world: World, bucket: Bucket) -> None:
    call = Call("c-1", texts(10))
    marked(world, call, range(7))
    bucket.put(utc_day(call.ended_ms), call.lines())
    ((guid, at),) = Transcripts(world.dynamodb, world.name, 1).marked(BATCH, now_ms())
    other = Transcripts(world.dynamodb, world.name, 86_400, world.clock)
    assert other.claim(guid, at)
    with pytest.raises(NotReconciled, match="out of time"):
        world.exported(utc_day(call.ended_ms))
    assert len(world.utterances("c-1")) == 7
    world.clock.advance(14 * 60)  # the lease goes while this run waits for it
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    assert not other.claim(guid, at)


def test_what_another_run_completes_meanwhile_is_not_waited_for(
    world: World, bucket: Bucket
) -> None:
    call, other = Call("c-1", texts(10)), Call("c-2", texts(10))
    for each in (call, other):
        marked(world, each, range(7))
    bucket.put(utc_day(call.ended_ms), [*call.lines(), *other.lines()])
    world.change("c-1", leasedUntil=now_ms() + 60_000)
    begun = len(world.clock.slept)

    def completed(seconds: float) -> None:
        world.clock.slept.append(seconds)
        conversation = world.conversation("c-1")
        del conversation["reconcile"], conversation["reconcileAt"]
        world.put(conversation)

    world.clock.sleep = completed  # type: ignore[method-assign]
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}
    assert len(world.clock.slept) == begun + 1


def test_a_conversation_that_fails_gives_its_lease_back(world: World, bucket: Bucket) -> None:
    call = Call("c-1", texts(10))
    marked(world, call, range(7))
    bucket.put(utc_day(call.ended_ms), call.lines())
    broken = world.utterances("c-1")[0]
    world.put({name: value for name, value in broken.items() if name != "streamId"})
    with pytest.raises(NotReconciled, match="1 conversations"):
        world.exported(utc_day(call.ended_ms))
    world.put(broken)
    assert world.exported(utc_day(call.ended_ms)) == {"conversations": 1, "complete": 1}


def test_a_day_that_nobody_waits_for_is_not_read(world: World, bucket: Bucket) -> None:
    bucket.put(date(2026, 11, 1), [b"{"])
    assert world.exported(date(2026, 11, 1)) == {"conversations": 0}
