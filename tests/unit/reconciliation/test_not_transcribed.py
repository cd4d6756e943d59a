"""A call that was not transcribed is told within minutes."""

from __future__ import annotations

import pytest

from shared.table import attributes
from tests.log_metrics import counted
from tests.unit.conftest import Vendor
from tests.unit.reconciliation.finished_calls import (
    AFTER_MS,
    DAY_MS,
    ROLES,
    Call,
    Sent,
    World,
    messages_of,
    now_ms,
    texts,
    waits_for,
)


def not_transcribed(log: Sent) -> list[str]:
    """The conversations that were counted as calls without a transcript."""
    lines = [vars(each) for each in log.records]
    return [line["conversationId"] for line in lines if line.get("event") == NO_TRANSCRIPT]


NO_TRANSCRIPT = "call_not_transcribed"


def test_a_call_whose_start_failed_is_never_complete_and_is_told_within_minutes(
    world: World, vendor: Vendor, log: Sent
) -> None:
    call = Call("c-1", [], ago_ms=16 * 60_000)
    world.end(call, lastStartFailed=1)
    assert world.run() == {"conversations": 1}
    assert world.conversation("c-1")["completeness"] == "not_transcribed"
    assert not_transcribed(log) == ["c-1"]
    assert counted("reconcile_transcript", log.records)["CallsNotTranscribed"] == 1
    for age in (DAY_MS, 2 * DAY_MS, 8 * DAY_MS):
        world.change("c-1", changedAt=now_ms() - age)
        world.ask("c-1")
        assert world.conversation("c-1")["completeness"] == "not_transcribed"
    assert not_transcribed(log) == ["c-1"]
    assert waits_for(world.conversation("c-1")) == ""
    assert log.of("a conversation stays incomplete") == []


def test_a_start_that_failed_without_an_answer_is_looked_at_twice(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(6))
    world.end(call, lastStartFailed=1)
    world.run()
    due = world.conversation("c-1")["reconcileAt"] + AFTER_MS
    assert abs(due - now_ms() - DAY_MS) < 60_000
    world.change("c-1", reconcileAt=1, changedAt=now_ms() - DAY_MS)
    vendor.moods["c-1"] = messages_of(call)  # it was one, after all
    world.run()
    assert world.transcript("c-1") == call.said
    assert world.conversation("c-1")["completeness"] == "not_transcribed"


@pytest.mark.parametrize("mark", ["lastStartFailed", "unheardTalk", "holdNotResumed"])
def test_a_call_that_was_not_resumed_after_a_hold_is_not_complete(
    world: World, vendor: Vendor, log: Sent, mark: str
) -> None:
    call = Call("c-1", texts(6))
    world.end(call, summary=(3, 3), **{mark: 1})
    world.post(call, range(5))
    vendor.moods["c-1"] = messages_of(call)
    world.run()
    conversation = world.conversation("c-1")
    assert (conversation["completeness"], conversation["recovered"]) == ("not_transcribed", 1)
    assert not_transcribed(log) == ["c-1"]
    world.change("c-1", **{mark: 0}, version=4)  # and then it was
    world.ask("c-1")
    assert world.conversation("c-1")["completeness"] == "complete"


def test_a_call_of_which_asapp_opened_no_stream_is_not_complete(
    world: World, vendor: Vendor, log: Sent
) -> None:
    """The start's invocation was ended before it could write down anything."""
    call = Call("c-1", [], ago_ms=3 * DAY_MS)
    world.end(call)
    for role in ROLES:
        key = {"conversationId": "c-1", "item": f"stream#c-1-{role}"}
        world.dynamodb.delete_item(TableName=world.name, Key=attributes(key))
    world.run()
    assert world.conversation("c-1")["completeness"] == "not_transcribed"
    assert not_transcribed(log) == ["c-1"]


@pytest.mark.parametrize(("summary", "told"), [((0, 0), []), (None, ["c-1"]), ((2, 0), ["c-1"])])
def test_a_call_without_a_word_is_told_unless_asapp_says_that_nothing_was_said(
    summary: tuple[int, int] | None, told: list[str], world: World, vendor: Vendor, log: Sent
) -> None:
    world.end(Call("c-1", []), summary=summary)
    world.run()
    world.ask("c-1")
    assert not_transcribed(log) == told


def test_a_call_with_words_is_not_told_as_one_without(
    world: World, vendor: Vendor, log: Sent
) -> None:
    for guid, have in (("c-1", range(6)), ("c-2", range(0))):
        call = Call(guid, texts(6))
        world.end(call)
        world.post(call, have)
        vendor.moods[guid] = messages_of(call)
    world.run()
    assert not_transcribed(log) == []
