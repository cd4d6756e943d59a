"""Which conversations are looked at, when, and by which of two runs."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace

import boto3
import pytest

from reconcile_transcript.transcripts import Transcripts
from shared import log_events
from shared.asapp.requests import BadCredentials
from shared.calls.conversation import Conversation, Leg
from shared.calls.conversation_table import Conversations
from shared.runtime import Deadline
from shared.table import IN_PROGRESS, PENDING, reconcile_key, reconcile_keys
from tests.unit.conftest import Vendor, VendorHandler, failing
from tests.unit.reconciliation.finished_calls import (
    DAY_MS,
    HOUR_MS,
    Call,
    Sent,
    Table,
    World,
    messages_of,
    now_ms,
    texts,
    waits_for,
)


def test_nothing_is_due_before_its_time(world: World, vendor: Vendor) -> None:
    world.end(Call("early", texts(2), ago_ms=14 * 60_000))
    world.end(Call("due", texts(2), ago_ms=16 * 60_000))
    assert world.run() == {"conversations": 1}
    assert [path.partition("=")[2] for path, _, _ in vendor.requests] == ["due"]


def test_the_conversations_that_are_due_are_spread_over_the_index(
    world: World, vendor: Vendor
) -> None:
    """One key of DynamoDB takes 1,000 write units a second; a call needs about 16."""
    keys = Counter(reconcile_key(PENDING, str(uuid.uuid4())) for _ in range(8_000))
    assert set(keys) == set(reconcile_keys(PENDING))
    assert max(keys.values()) * 60 * 16 / 8_000 < 1_000 / 5
    guids = [f"c-{at}" for at in range(30)]
    for at, guid in enumerate(guids):
        world.end(Call(guid, texts(1), ago_ms=HOUR_MS - at))
    assert len({world.conversation(guid)["reconcile"] for guid in guids}) > 4
    transcripts = Transcripts(world.dynamodb, world.name, 86_400)
    assert [guid for guid, _ in transcripts.marked(PENDING, now_ms())] == guids


def test_a_conversation_that_an_older_version_put_into_the_index_is_found(
    world: World, vendor: Vendor
) -> None:
    world.end(Call("old-1", texts(1)), reconcile="pending")
    world.end(Call("old-2", texts(1)), reconcile="pending")
    assert world.run() == {"conversations": 2}


def test_two_runs_at_once_do_not_take_the_same_conversation(world: World, vendor: Vendor) -> None:
    transcripts = Transcripts(world.dynamodb, world.name, 86_400, world.clock)
    world.end(Call("c-1", texts(2)))
    ((guid, at),) = transcripts.marked(PENDING, now_ms())
    assert transcripts.claim(guid, at)
    assert not transcripts.claim(guid, at)
    assert world.run() == {"conversations": 0}
    world.clock.advance(15 * 60 - 1)
    assert world.run() == {"conversations": 0}
    world.clock.advance(2)  # whoever had the lease is dead
    assert world.run() == {"conversations": 1}


def test_a_conversation_that_another_run_has_looked_at_since_is_left_alone(
    world: World, vendor: Vendor
) -> None:
    transcripts = Transcripts(world.dynamodb, world.name, 86_400, world.clock)
    world.end(Call("c-1", texts(2)))
    ((guid, at),) = transcripts.marked(PENDING, now_ms())
    assert world.run() == {"conversations": 1}
    assert not transcripts.claim(guid, at)


def test_a_call_that_goes_on_while_it_is_looked_at_comes_up_again(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(4))
    world.end(call)
    world.post(call, range(3))

    def meanwhile(request: VendorHandler) -> None:
        world.change("c-1", version=4, reconcileAt=77)
        messages_of(call)(request)

    vendor.moods["c-1"] = meanwhile
    world.run()
    conversation = world.conversation("c-1")
    assert (waits_for(conversation), conversation["reconcileAt"]) == (PENDING, 77)
    assert "completeness" not in conversation
    vendor.moods["c-1"] = messages_of(call)
    world.run()
    assert world.conversation("c-1")["completeness"] == "complete"
    assert len(world.utterances("c-1")) == 4


LEG = Leg("c-1", agent_id="ada", stream_arn="arn:of:stream", at_ms=1)


@pytest.mark.parametrize(
    ("state", "waits_for"),
    [("connected", IN_PROGRESS), ("paused", IN_PROGRESS), ("ended", PENDING)],
)
def test_a_call_waits_for_its_end_and_then_for_a_look(
    state: str, waits_for: str, conversations: Conversations, table_name: str
) -> None:
    known = Conversation(legs=(replace(LEG, state=state),))
    before_ms = now_ms()
    conversations.write("c-1", Conversation(), known, Deadline(5.0))
    transcripts = Transcripts(boto3.client("dynamodb"), table_name, 1)
    found = {
        mark: list(transcripts.marked(mark, now_ms() + DAY_MS)) for mark in (IN_PROGRESS, PENDING)
    }
    ((guid, at),) = found.pop(waits_for)
    assert guid == "c-1"
    assert before_ms <= at <= now_ms()
    assert list(found.values()) == [[]]


@pytest.mark.parametrize(("state", "ended"), [("connected", False), ("ended", True)])
def test_an_ended_call_is_one_that_the_other_functions_call_ended(
    state: str, ended: bool, conversations: Conversations, table_name: str
) -> None:
    known = Conversation(legs=(replace(LEG, state=state),))
    conversations.write("c-1", Conversation(), known, Deadline(5.0))
    read = Transcripts(boto3.client("dynamodb"), table_name, 1).read("c-1")
    assert read is not None
    assert read.ended is ended


def test_a_call_without_audio_is_never_due(conversations: Conversations, table_name: str) -> None:
    known = Conversation(legs=(replace(LEG, stream_arn="", state="over"),))
    conversations.write("c-1", Conversation(), known, Deadline(5.0))
    assert "reconcile" not in Table(table_name).conversation("c-1")


# What the alarms on silence need


def each_minute(log: Sent) -> list[tuple[int, int]]:
    """The calls in progress, and whether transcription is stopped, as each run logged it."""
    return [
        (line["calls"], line["stopped"])
        for line in map(vars, log.records)
        if line.get("event") == log_events.CALLS_IN_PROGRESS
    ]


def begin(world: World, guid: str, ago_ms: int, waits_for: str = IN_PROGRESS) -> None:
    world.end(
        Call(guid, texts(1), ago_ms=ago_ms),
        state="streaming",
        reconcile=reconcile_key(waits_for, guid),
    )


def test_each_run_counts_the_calls_that_go_on(world: World, log: Sent) -> None:
    assert world.run() == {"conversations": 0}
    for number in range(12):
        begin(world, f"c-{number}", ago_ms=number * 60_000)
    begin(world, "silent", ago_ms=31 * 60_000)
    world.end(Call("over", texts(1), ago_ms=60_000))
    begin(world, "looked at again tomorrow", ago_ms=-DAY_MS, waits_for=PENDING)
    world.run()
    assert each_minute(log) == [(0, 0), (12, 0)]


def test_each_run_says_whether_transcription_is_stopped(
    world: World, log: Sent, switch_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIPTION_SWITCH", switch_name)
    world.run()
    boto3.client("ssm").put_parameter(Name=switch_name, Value="disabled", Overwrite=True)
    world.clock.advance(60)
    world.run()
    assert each_minute(log) == [(0, 0), (0, 1)]


def test_a_run_that_asapp_refuses_counts_too(world: World, vendor: Vendor, log: Sent) -> None:
    vendor.behaviours = [failing(401, "401-01")]
    for number in range(4):
        world.end(Call(f"c-{number}", texts(1)))
    with pytest.raises(BadCredentials):
        world.run()
    assert each_minute(log) == [(0, 0)]


def test_a_call_of_which_nothing_was_seen_for_four_hours_is_looked_at(
    world: World, vendor: Vendor
) -> None:
    begin(world, "early", ago_ms=4 * HOUR_MS + 14 * 60_000)
    begin(world, "due", ago_ms=4 * HOUR_MS + 16 * 60_000)
    assert world.run() == {"conversations": 1}
    assert [path.partition("=")[2] for path, _, _ in vendor.requests] == ["due"]
