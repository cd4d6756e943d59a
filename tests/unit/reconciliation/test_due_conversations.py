"""Which conversations are looked at, when, and by which of two runs."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace

import boto3
import pytest

from reconcile_transcript.transcripts import Transcripts
from shared.calls.conversation import Conversation, Leg
from shared.calls.conversation_table import Conversations
from shared.runtime import Deadline
from shared.table import PENDING, reconcile_key, reconcile_keys
from tests.unit.conftest import Vendor, VendorHandler
from tests.unit.reconciliation.finished_calls import (
    DAY_MS,
    HOUR_MS,
    Call,
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
    ("state", "wait_ms"), [("connected", 4 * HOUR_MS), ("paused", 4 * HOUR_MS), ("ended", 0)]
)
def test_a_call_is_due_from_its_end_or_after_hours_of_silence(
    state: str, wait_ms: int, conversations: Conversations, table_name: str
) -> None:
    known = Conversation(legs=(replace(LEG, state=state),))
    conversations.write("c-1", Conversation(), known, Deadline(5.0))
    ((guid, at),) = Transcripts(boto3.client("dynamodb"), table_name, 1).marked(
        PENDING, now_ms() + DAY_MS
    )
    assert guid == "c-1"
    assert abs(at - now_ms() - wait_ms) < 60_000


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
