"""ASAPP is silent, refuses, limits or answers nonsense: what is asked again, what ends the run."""

from __future__ import annotations

import threading
from unittest.mock import ANY

import boto3
import pytest

from reconcile_transcript.due_conversations import NotReconciled
from reconcile_transcript.messages import POLICY, Messages, NoRecord
from reconcile_transcript.record import Record
from reconcile_transcript.transcripts import Transcripts
from shared.asapp.requests import AsappCredentials, AsappRequests, BadCredentials
from shared.http import Origin
from shared.runtime import Deadline
from shared.table import PENDING, attributes
from tests.log_metrics import counted
from tests.unit.conftest import Behaviour, Vendor, VendorHandler, failing, hang, html, reset
from tests.unit.reconciliation.finished_calls import (
    AFTER_MS,
    DAY_MS,
    HOUR_MS,
    Call,
    Sent,
    World,
    items,
    messages_of,
    now_ms,
    texts,
    utc_day,
    waits_for,
)


def cut(request: VendorHandler) -> None:
    """Promises more than it sends."""
    request.send_response(200)
    request.send_header("Content-Length", "5000")
    request.end_headers()
    request.wfile.write(b'{"items": [{"text": "half of it')
    request.wfile.flush()
    request.close_connection = True


NOT_THERE: dict[str, tuple[Behaviour, int]] = {
    "an empty list": (items([]), 1),
    "404": (failing(404, "404-01"), 1),
    "no call with that guid": (failing(400, "400-203"), 1),
    "a refusal": (failing(400, "400-02"), 1),
    "too many requests": (failing(429, "429-01"), 4),
    "an internal error": (failing(500, "500-201"), 4),
    "a page of a proxy": (html, 4),
    "half an answer": (cut, 4),
    "a reset": (reset, 4),
    "JSON that is no list": (items({"text": "Yes."}), 1),
}


@pytest.mark.parametrize(("behaviour", "tries"), NOT_THERE.values(), ids=NOT_THERE)
def test_where_asapp_gives_nothing_it_is_asked_again_later(
    behaviour: Behaviour,
    tries: int,
    world: World,
    vendor: Vendor,
) -> None:
    call, other = Call("c-1", texts(4)), Call("c-2", texts(4))
    for each in (call, other):
        world.end(each)
        world.post(each, range(3))
    vendor.moods = {"c-1": behaviour, "c-2": messages_of(other)}
    assert world.run() == {"conversations": 2}
    asked = [path for path, _, _ in vendor.requests].count(vendor_path("c-1"))
    # A reset of a connection that was used before is none of ASAPP's tries.
    assert asked in (tries, tries + (behaviour is reset))
    assert world.conversation("c-2")["completeness"] == "complete"
    conversation = world.conversation("c-1")
    assert conversation["completeness"] == "awaiting"
    assert len(world.utterances("c-1")) == 3
    waits = []
    for _ in range(8):
        waits.append(world.conversation("c-1")["reconcileAt"] + AFTER_MS - world.clock.now_ms())
        world.ask("c-1")
    hours = [round(wait / HOUR_MS, 2) for wait in waits]
    assert hours == [0.25, 0.5, 1, 2, 4, 8, 12, 12]
    vendor.moods["c-1"] = messages_of(call)
    assert world.ask("c-1")["completeness"] == "complete"
    assert world.transcript("c-1") == call.said


def vendor_path(guid: str) -> str:
    return f"/conversation/v1/conversation/messages?externalId={guid}"


def test_a_silent_asapp_holds_no_other_conversation_back(world: World, vendor: Vendor) -> None:
    calls = [Call(f"c-{at}", texts(4), ago_ms=2 * HOUR_MS - at) for at in range(12)]
    answered: list[str] = []

    def answering(call: Call) -> Behaviour:
        def behave(request: VendorHandler) -> None:
            messages_of(call)(request)
            answered.append(call.guid)

        return behave

    def silent(request: VendorHandler) -> None:
        """Time goes on only when the others are done."""
        while len(answered) < 11 or len(world.clock._ends) > 1:
            if vendor.closing.wait(0.01):
                return
        hang(request)

    for call in calls:
        world.end(call)
        vendor.moods[call.guid] = answering(call)
    vendor.moods["c-3"] = silent
    assert world.run(seconds=600.0) == {"conversations": 12}
    assert world.conversation("c-3")["completeness"] == "awaiting"
    done = [world.conversation(call.guid)["completeness"] for call in calls if call.guid != "c-3"]
    assert done == ["complete"] * 11


def test_without_time_nothing_new_is_begun(world: World, vendor: Vendor) -> None:
    world.end(Call("c-1", texts(4)))
    assert world.run(seconds=5.0) == {"conversations": 0}
    assert vendor.requests == []


def test_every_page_of_the_index_is_read(world: World, vendor: Vendor) -> None:
    due = [
        {"conversationId": f"c-{at}", "item": "conversation", "reconcile": "pending"}
        | {"reconcileAt": at}
        for at in range(130)
    ]
    for first in range(0, 130, 25):
        writes = [{"PutRequest": {"Item": attributes(item)}} for item in due[first : first + 25]]
        world.dynamodb.batch_write_item(RequestItems={world.name: writes})
    transcripts = Transcripts(world.dynamodb, world.name, 1)
    assert [guid for guid, _ in transcripts.marked(PENDING, 129)] == [
        f"c-{at}" for at in range(130)
    ]
    assert len(list(transcripts.marked(PENDING, 99))) == 100


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_asapp_does_not_take_end_the_run_with_an_error(
    status: int, world: World, vendor: Vendor
) -> None:
    calls = [Call(f"c-{at}", texts(4), ago_ms=2 * HOUR_MS - at) for at in range(12)]
    for call in calls:
        world.end(call)
    vendor.behaviours = [failing(status, f"{status}-01")]
    with pytest.raises(BadCredentials, match=f"ASAPP does not take them: {status}-01"):
        world.run()
    asked = {path for path, _, _ in vendor.requests}
    assert 3 <= len(asked) <= 4  # two are looked at at a time
    assert {waits_for(world.conversation(call.guid)) for call in calls} == {PENDING}
    vendor.moods = {call.guid: messages_of(call) for call in calls}
    world.clock.advance(HOUR_MS / 1000)
    assert world.run(300.0) == {"conversations": 12}
    assert {world.conversation(call.guid)["completeness"] for call in calls} == {"complete"}


def test_few_calls_at_a_time_find_out_about_the_credentials_too(
    world: World, vendor: Vendor
) -> None:
    vendor.behaviours = [failing(403, "403-01")]
    for at in range(2):
        world.end(Call(f"c-{at}", texts(4)))
        assert world.run() == {"conversations": 1}
    world.end(Call("c-2", texts(4)))
    with pytest.raises(BadCredentials, match="403-01"):
        world.run()


@pytest.mark.parametrize("status", [401, 403])
def test_a_conversation_that_asapp_refuses_cuts_no_run_and_ends_after_seven_days(
    status: int, world: World, vendor: Vendor, log: Sent
) -> None:
    refused = Call("refused", texts(4), ago_ms=8 * DAY_MS)
    world.end(refused, changedAt=now_ms() - HOUR_MS)
    vendor.moods["refused"] = failing(status, f"{status}-01")
    for day in range(6):
        others = [Call(f"{day}-{at}", texts(4)) for at in range(3)]
        for call in others:
            world.end(call)
            vendor.moods[call.guid] = messages_of(call)
        world.change("refused", reconcileAt=1)
        assert world.run(300.0) == {"conversations": 4}
        assert {world.conversation(call.guid)["completeness"] for call in others} == {"complete"}
        assert waits_for(world.conversation("refused")) == PENDING
        world.change("refused", changedAt=world.conversation("refused")["changedAt"] - DAY_MS)
    world.change("refused", changedAt=now_ms() - 7 * DAY_MS - HOUR_MS, reconcileAt=1)
    assert world.run() == {"conversations": 1}
    conversation = world.conversation("refused")
    assert (conversation["completeness"], waits_for(conversation)) == ("incomplete", "")
    assert len(log.of("a conversation stays incomplete")) == 1


def too_many(request: VendorHandler) -> None:
    failing(429, "429-01")(request)


def test_at_the_daily_limit_reconciliation_stops_until_midnight_and_says_so(
    world: World, vendor: Vendor, log: Sent
) -> None:
    calls = [Call(f"c-{at}", texts(4), ago_ms=2 * HOUR_MS - at) for at in range(12)]
    for call in calls:
        world.end(call)
    vendor.behaviours = [too_many]
    midnight = utc_day(world.clock.now_ms() + DAY_MS)
    assert world.run(300.0) == {"conversations": ANY, "stoppedUntil": f"{midnight}T00:00:00+00:00"}
    asked = len(vendor.requests)
    assert asked <= 4 * 4
    assert counted("reconcile_transcript", log.records)["AsappLimitReached"] == 1
    (line,) = [
        vars(each) for each in log.records if vars(each).get("event") == "asapp_limit_reached"
    ]
    assert (line["levelname"], line["until"]) == ("ERROR", f"{midnight}T00:00:00+00:00")
    assert world.run() == {"conversations": 0, "stoppedUntil": f"{midnight}T00:00:00+00:00"}
    assert len(vendor.requests) == asked
    assert {waits_for(world.conversation(call.guid)) for call in calls} == {PENDING}
    vendor.moods = {call.guid: messages_of(call) for call in calls}
    world.clock.advance(DAY_MS / 1000)
    assert world.run(300.0) == {"conversations": 12}


def test_a_limit_a_second_is_waited_for_and_stops_nothing(
    world: World, vendor: Vendor, log: Sent
) -> None:
    calls = [Call(f"c-{at}", texts(4), ago_ms=2 * HOUR_MS - at) for at in range(6)]
    for call in calls:
        world.end(call)
        vendor.moods[call.guid] = in_turn(too_many, too_many, messages_of(call))
    assert world.run(300.0) == {"conversations": 6}
    assert {world.conversation(call.guid)["completeness"] for call in calls} == {"complete"}
    pauses = [seconds for seconds in world.clock.slept if seconds >= 1]
    assert len(pauses) == 12  # 1 s and 2 s each, as ASAPP asks for, and a little more by chance
    assert all(1 <= seconds <= 1.25 or 2 <= seconds <= 2.5 for seconds in pauses)
    assert len(set(pauses)) > 6


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The next one each time, the last one again."""
    left = list(behaviours)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def test_two_conversations_at_the_limit_are_no_reason_to_stop(world: World, vendor: Vendor) -> None:
    for at in range(2):
        world.end(Call(f"c-{at}", texts(4)))
    vendor.behaviours = [too_many]
    assert world.run(300.0) == {"conversations": 2}


def test_no_more_than_two_conversations_are_looked_at_at_a_time(
    world: World, vendor: Vendor
) -> None:
    """Starts and stops need ASAPP's requests a second more."""
    busy, most = [0], [0]
    lock, two = threading.Lock(), threading.Barrier(2)

    def beside_another(request: VendorHandler) -> None:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        two.wait(timeout=60)
        with lock:
            busy[0] -= 1
        items([])(request)

    for at in range(12):
        world.end(Call(f"c-{at}", texts(2)))
    vendor.behaviours = [beside_another]
    assert world.run() == {"conversations": 12}
    assert most[0] == 2


def test_a_secret_that_is_gone_ends_the_run_with_an_error(
    world: World, vendor: Vendor, secret_name: str
) -> None:
    world.end(Call("c-1", texts(4)))
    boto3.client("secretsmanager").put_secret_value(SecretId=secret_name, SecretString="{}")
    with pytest.raises(BadCredentials, match="is not of the shape"):
        world.run()
    assert vendor.requests == []


def test_a_conversation_that_cannot_be_read_fails_the_run_after_the_others(
    world: World, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [Call(f"c-{at}", texts(4), ago_ms=HOUR_MS + at) for at in range(4)]
    for call in calls:
        world.end(call)
        vendor.moods[call.guid] = messages_of(call)
    world.post(calls[3], [0])
    broken = world.utterances("c-3")[0]
    del broken["streamId"]
    world.put(broken)
    with pytest.raises(NotReconciled, match="1 conversations: KeyError"):
        world.run()
    done = [world.conversation(call.guid).get("completeness") for call in calls]
    assert done == ["complete"] * 3 + [None]
    assert waits_for(world.conversation("c-3")) == PENDING


def of_vendor(vendor: Vendor, secret_name: str) -> Messages:
    return Messages(AsappRequests(Origin(vendor.url), AsappCredentials(secret_name), POLICY))


@pytest.mark.parametrize(
    "behaviour", [items([]), failing(404, "404-01"), failing(400, "400-203"), failing(404, "")]
)
def test_a_call_that_asapp_does_not_know_is_an_empty_record(
    behaviour: Behaviour, vendor: Vendor, secret_name: str
) -> None:
    vendor.behaviours = [behaviour]
    messages = of_vendor(vendor, secret_name)
    assert messages.of("c-1", Deadline(20.0)) == Record()


def test_an_answer_beyond_any_transcript_is_none(vendor: Vendor, secret_name: str) -> None:
    vendor.behaviours = [lambda request: request.reply(200, "x" * (16 * 1024 * 1024 + 1))]
    messages = of_vendor(vendor, secret_name)
    with pytest.raises(NoRecord, match="connection"):
        messages.of("c-1", Deadline(20.0))
