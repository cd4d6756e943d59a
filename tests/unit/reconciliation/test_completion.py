"""What the webhook missed is found in ASAPP's record, stored, marked and in order."""

from __future__ import annotations

import json
from typing import Any

from reconcile_transcript.alignment import Alignment, Missing
from reconcile_transcript.alignment.utterances import Said
from reconcile_transcript.transcripts import Transcripts
from shared.table import PENDING
from tests.log_metrics import counted
from tests.unit.conftest import Vendor
from tests.unit.reconciliation.finished_calls import (
    AFTER_MS,
    DAY_MS,
    Call,
    Sent,
    World,
    completes_calls_of_which_a_tenth_was_lost,
    items,
    messages_of,
    now_ms,
    texts,
    waits_for,
)


def test_what_the_webhook_missed_is_stored_marked_and_in_order(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(20))
    world.end(call, summary=(10, 10))
    world.post(call, [at for at in range(20) if at not in (4, 7, 8)])
    vendor.moods["c-1"] = messages_of(call)
    assert world.run() == {"conversations": 1}
    assert world.transcript("c-1") == call.said
    recovered = [item for item in world.utterances("c-1") if item["source"] == "messages"]
    assert [item["item"] for item in recovered] == [
        f"utterance#messages#c-1/{at}" for at in (4, 7, 8)
    ]
    (found,) = (item for item in recovered if item["messageId"] == "c-1/7")
    for name in ("receivedAt", "storedAt", "expiresAt"):
        assert found.pop(name) > now_ms() // 1000 - 60
    assert json.loads(found.pop("message")) == call.items()[7]
    assert abs(found.pop("endedAt") - call.began_ms - 15_500) < 1_500
    assert found == {
        "conversationId": "c-1",
        "item": "utterance#messages#c-1/7",
        "role": "customer",
        "senderId": "id of customer",
        "startedAt": call.began_ms + 14_000,
        "text": "Yes.",
        "source": "messages",
        "messageId": "c-1/7",
    }
    conversation = world.conversation("c-1")
    expected = {
        "completeness": "complete",
        "fromWebhook": 17,
        "fromSummary": 20,
        "fromMessages": 20,
        "recovered": 3,
        "onlyOurs": 0,
        "reconcileTries": 1,
    }
    assert {name: conversation[name] for name in expected} == expected
    assert vendor.requests[0][0] == "/conversation/v1/conversation/messages?externalId=c-1"
    assert vendor.requests[0][1]["asapp-api-secret"] == "s3cr3t-of-asapp"


def test_once_complete_it_is_finished_and_nobody_looks_again(world: World, vendor: Vendor) -> None:
    call = Call("c-1", texts(6))
    world.end(call)
    world.post(call, range(6))
    vendor.moods["c-1"] = messages_of(call)
    world.run()
    conversation = world.conversation("c-1")
    assert conversation["completeness"] == "complete"
    assert "reconcile" not in conversation and "reconcileAt" not in conversation
    assert "fromSummary" not in conversation
    assert world.run() == {"conversations": 0}
    assert len(vendor.requests) == 1


def test_after_a_recovery_it_is_looked_at_once_more_a_day_later(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(8))
    world.end(call)
    world.post(call, range(6))
    vendor.moods["c-1"] = messages_of(call)
    world.run()
    due = world.conversation("c-1")["reconcileAt"] + AFTER_MS
    assert abs(due - now_ms() - DAY_MS) < 60_000
    assert world.run() == {"conversations": 0}
    before = {item["item"]: item for item in world.utterances("c-1")}
    world.post(call, [6])  # late
    world.change("c-1", reconcileAt=1)
    world.run()
    conversation = world.conversation("c-1")
    assert (conversation["fromWebhook"], conversation["recovered"]) == (7, 1)
    assert "reconcile" not in conversation
    assert world.transcript("c-1") == call.said
    after = {item["item"]: item for item in world.utterances("c-1")}
    assert before.keys() - after.keys() == {"utterance#messages#c-1/6"}
    assert after["utterance#messages#c-1/7"] == before["utterance#messages#c-1/7"]


def test_reconciled_on_demand_twice_nothing_changes_twice(world: World, vendor: Vendor) -> None:
    call = Call("c-1", texts(12))
    world.end(call)
    world.post(call, range(0, 12, 2))
    vendor.moods["c-1"] = messages_of(call)
    first = world.ask("c-1")
    assert (first["completeness"], first["recovered"], first["fromWebhook"]) == ("complete", 6, 6)
    assert "text" not in first and not [value for value in first.values() if value == "Yes."]
    before = world.utterances("c-1")
    assert world.ask("c-1")["recovered"] == 6
    assert world.utterances("c-1") == before
    assert world.ask("no such call") == {
        "conversationId": "no such call",
        "completeness": "unknown",
    }


def test_an_item_that_is_no_utterance_keeps_the_conversation_from_being_complete(
    world: World, vendor: Vendor
) -> None:
    call = Call("c-1", texts(4))
    world.end(call)
    given = [*call.items(), {"text": None, "sender": {"role": "agent"}}, "words", {"text": "x"}]
    vendor.moods["c-1"] = items(given)
    done = world.ask("c-1")
    assert (done["completeness"], done["fromMessages"], done["recovered"]) == ("awaiting", 7, 4)


def test_fewer_than_asapps_own_summary_is_not_complete(world: World, vendor: Vendor) -> None:
    call = Call("c-1", texts(6))
    world.end(call, summary=(3, 3))
    world.post(call, range(4))
    vendor.moods["c-1"] = items(call.items()[:5])
    done = world.ask("c-1")
    assert (done["completeness"], done["fromSummary"], done["recovered"]) == ("awaiting", 6, 1)
    vendor.moods["c-1"] = messages_of(call)
    done = world.ask("c-1")
    assert (done["completeness"], done["recovered"]) == ("complete", 2)


def test_items_without_id_or_time_are_recovered_once(world: World, vendor: Vendor) -> None:
    call = Call("c-1", ["Hello.", "Yes.", "Good.", "Yes.", "\ud83d half a pair", "Bye."])
    world.end(call)
    world.post(call, [0, 2])
    given = call.items()
    for item in given:
        item["messageId"] = None
        del item["createdTimestamp"]
    given[3]["clientTimestamp"] = given[1]["clientTimestamp"]
    given[5]["clientTimestamp"] = "yesterday"
    vendor.moods["c-1"] = items(given)
    assert world.ask("c-1")["recovered"] == 4
    before = world.utterances("c-1")
    assert world.ask("c-1")["recovered"] == 4
    assert world.utterances("c-1") == before
    assert sorted(item["text"] for item in before) == sorted(
        ["Hello.", "Yes.", "Good.", "Yes.", "\ufffd half a pair", "Bye."]
    )


def test_unprocessed_writes_are_tried_again(world: World, vendor: Vendor) -> None:
    class Busy:
        """A table with room for one write a call."""

        def __init__(self, dynamodb: Any) -> None:
            self.dynamodb = dynamodb
            self.calls = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.dynamodb, name)

        def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> Any:
            self.calls += 1
            ((name, writes),) = RequestItems.items()
            self.dynamodb.batch_write_item(RequestItems={name: writes[:1]})
            return {"UnprocessedItems": {name: writes[1:]} if writes[1:] else {}}

    call = Call("c-1", texts(3))
    world.end(call)
    busy = Busy(world.dynamodb)
    transcripts = Transcripts(busy, world.name, 86_400, world.clock)
    known = transcripts.read("c-1")
    assert known
    said = [Said(str(at), "agent", "", "Yes.", at, "{}") for at in range(3)]
    missing = [Missing(each, "agent", each.at_ms, each.at_ms) for each in said]
    transcripts.write(known, Alignment(missing), "messages")
    assert (len(world.utterances("c-1")), busy.calls) == (3, 3)


def test_each_look_is_one_line_of_the_log_with_counts_and_no_words(
    world: World, vendor: Vendor, log: Sent
) -> None:
    call = Call("c-1", texts(8))
    world.end(call)
    world.post(call, range(6))
    vendor.moods["c-1"] = messages_of(call)
    world.ask("c-1")
    world.ask("c-1")
    first, second = log.of("reconciled")
    names = ("conversationId", "completeness", "fromWebhook", "fromMessages", "onlyOurs")
    assert [first[name] for name in names] == ["c-1", "complete", 6, 8, 0]
    assert (first["recovered"], second["recovered"]) == (2, 0)  # what is new: it is added up
    assert "Words" not in str([vars(record) for record in log.records])
    assert counted("reconcile_transcript", log.records) == {"UtterancesRecovered": 2}


def test_a_day_old_and_not_complete_it_is_an_error_once(
    world: World, vendor: Vendor, log: Sent
) -> None:
    call = Call("c-1", texts(4), ago_ms=DAY_MS - 60_000)
    world.end(call)
    world.post(call, range(2))
    world.ask("c-1")
    due = world.conversation("c-1")["reconcileAt"] + AFTER_MS
    assert abs(due - call.ended_ms - DAY_MS) < 1_000  # not later than the day
    assert log.of("a conversation stays incomplete") == []
    world.change("c-1", changedAt=call.ended_ms - 120_000)
    world.ask("c-1")
    world.ask("c-1")
    (error,) = log.of("a conversation stays incomplete")
    assert (error["conversationId"], error["levelname"]) == ("c-1", "ERROR")
    assert waits_for(world.conversation("c-1")) == PENDING
    world.change("c-1", changedAt=call.ended_ms - 7 * DAY_MS, reconcileAt=1)
    world.run()
    conversation = world.conversation("c-1")
    assert conversation["completeness"] == "incomplete"
    assert "reconcile" not in conversation
    assert len(log.of("a conversation stays incomplete")) == 1
    metrics = counted("reconcile_transcript", log.records)
    assert metrics == {"ConversationsIncomplete": 1, "UtterancesRecovered": 0}


def test_calls_of_which_a_tenth_was_lost_are_what_was_said(world: World, vendor: Vendor) -> None:
    completes_calls_of_which_a_tenth_was_lost(6, world, vendor)
