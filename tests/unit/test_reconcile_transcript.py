"""Ended conversations are held against ASAPP's record: found by the index, completed, marked."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import ANY

import boto3
import pytest

from reconcile_transcript import handler as reconcile_transcript
from reconcile_transcript.alignment import Alignment, Missing
from reconcile_transcript.alignment.utterances import Held, Said
from reconcile_transcript.completeness import Finding, Verdict, judge
from reconcile_transcript.due_conversations import NotReconciled
from reconcile_transcript.messages import POLICY, Messages, NoRecord
from reconcile_transcript.record import MOST_MESSAGES, Record, moment_ms
from reconcile_transcript.transcripts import Known, Transcripts
from shared.asapp_requests import AsappCredentials, AsappRequests, BadCredentials
from shared.conversation import Conversation, Leg
from shared.conversation_table import Conversations
from shared.http import Origin
from shared.runtime import Deadline
from shared.table import BATCH, PENDING, attributes, reconcile_key, reconcile_keys, values
from shared.utterance import Utterance, in_order

from .conftest import Behaviour, Vendor, VendorHandler, failing, hang, html, reset
from .held_clock import HeldClock

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
AFTER_MS = 15 * 60_000
ROLES = ("agent", "customer")
STATE = "staging_utterance_state"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Call:
    """A call of which every second utterance is the customer's, each ``step_ms`` after the last.

    :param ago_ms: How long ago it ended.
    """

    def __init__(
        self, guid: str, texts: Sequence[str], ago_ms: int = HOUR_MS, step_ms: int = 2_000
    ) -> None:
        self.guid = guid
        self.texts = texts
        self.step_ms = step_ms
        self.ended_ms = now_ms() - ago_ms
        self.began_ms = self.ended_ms - len(texts) * step_ms

    def message(self, at: int) -> str:
        role = ROLES[at % 2]
        return json.dumps(
            {
                "type": "transcript",
                "externalConversationId": self.guid,
                "streamId": f"{self.guid}-{role}",
                "sender": {"externalId": f"id of {role}", "role": role},
                "autotranscribeResponse": {
                    "message": "transcript",
                    "start": at * self.step_ms,
                    "end": at * self.step_ms + 1_500,
                    "utterance": [{"text": self.texts[at]}],
                },
            }
        )

    def iso(self, at: int) -> str:
        seconds = (self.began_ms + 350 + at * self.step_ms) / 1000
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

    def items(self) -> list[dict[str, Any]]:
        """Of ASAPP's GET messages, whose clock is 350 ms ahead."""
        return [
            {
                "text": text,
                "sender": {"role": ROLES[at % 2], "externalId": f"id of {ROLES[at % 2]}"},
                "messageId": f"{self.guid}/{at}",
                "createdTimestamp": self.iso(at),
                "clientTimestamp": self.iso(at),
            }
            for at, text in enumerate(self.texts)
        ]

    def documented(self, **of_both: Any) -> tuple[list[bytes], list[bytes]]:
        """Of File Exporter's feeds as ASAPP documents them: what was said, and who said it."""
        said, state = [], []
        for at, (role, text) in enumerate(self.said):
            both = {
                "external_conversation_id": self.guid,
                "message_id": f"{self.guid}/{at}",
                "instance_ts": self.iso(0),
                "chat_message_event_ts": self.iso(at)[:19].replace("T", " "),
            } | of_both
            sender = {"sender_type": f"SENDER_{role.upper()}", "sender_id": f"id of {role}"}
            said.append(json.dumps({**both, "utterance": text}).encode())
            state.append(json.dumps({**both, **sender}).encode())
        return said, state

    def lines(self) -> list[bytes]:
        """Of a feed of utterances that says all by itself."""
        rows = (
            {
                "external_conversation_id": self.guid,
                "utterance_id": f"{self.guid}/{at}",
                "sender_role": ROLES[at % 2],
                "utterance": text,
                "start_ts": self.iso(at),
            }
            for at, text in enumerate(self.texts)
        )
        return [json.dumps(row).encode() for row in rows]

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(ROLES[at % 2], text) for at, text in enumerate(self.texts)]


def texts(count: int) -> list[str]:
    """Every third is 'Yes.'"""
    return ["Yes." if at % 3 == 1 else f"Words of number {at}." for at in range(count)]


class Table:
    """The table, as the other functions leave it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dynamodb = boto3.client("dynamodb")

    def end(self, call: Call, summary: tuple[int, int] | None = None, **changes: Any) -> None:
        """The call has been started and has ended; ``changes`` go into its item."""
        conversation = {
            "conversationId": call.guid,
            "item": "conversation",
            "version": 3,
            "state": "ended",
            "changedAt": call.ended_ms,
            "reconcile": reconcile_key(PENDING, call.guid),
            "reconcileAt": call.ended_ms,
        }
        self.put(conversation | changes)
        for at, role in enumerate(ROLES):
            stream = {
                "conversationId": call.guid,
                "item": f"stream#{call.guid}-{role}",
                "streamId": f"{call.guid}-{role}",
                "role": role,
                "startedAt": call.began_ms,
            }
            self.put(stream | ({"transcripts": summary[at]} if summary else {}))

    def post(self, call: Call, numbers: Sequence[int]) -> None:
        """The webhook brings these."""
        found: dict[str, dict[str, Any]] = {}
        for at in numbers:
            received = call.began_ms + at * call.step_ms + 2_000
            utterance = Utterance.from_message(call.message(at))
            found[utterance.key] = utterance.item(
                received_at_ms=received, stored_at_ms=received, expires_at_s=1
            )
        writes = [{"PutRequest": {"Item": attributes(item)}} for item in found.values()]
        for first in range(0, len(writes), 25):
            some = writes[first : first + 25]
            self.dynamodb.batch_write_item(RequestItems={self.name: some})

    def put(self, item: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.name, Item=attributes(item))

    def items(self, guid: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="conversationId = :id",
            ExpressionAttributeValues={":id": {"S": guid}},
        )
        return [values(item) for page in pages for item in page["Items"]]

    def conversation(self, guid: str) -> dict[str, Any]:
        (found,) = (item for item in self.items(guid) if item["item"] == "conversation")
        return found

    def utterances(self, guid: str) -> list[dict[str, Any]]:
        return [item for item in self.items(guid) if item["item"].startswith("utterance#")]

    def transcript(self, guid: str) -> list[tuple[str, str]]:
        return [(item["role"], item["text"]) for item in in_order(self.items(guid))]

    def change(self, guid: str, **changes: Any) -> None:
        self.put(self.conversation(guid) | changes)


def waits_for(conversation: dict[str, Any]) -> str:
    """``pending``, ``batch``, ``""`` for nothing."""
    return str(conversation.get("reconcile", "")).partition("#")[0]


def messages_of(*calls: Call) -> Behaviour:
    return lambda request: request.reply(
        200, {"items": [i for call in calls for i in call.items()]}
    )


def items(given: object) -> Behaviour:
    return lambda request: request.reply(200, {"items": given})


def cut(request: VendorHandler) -> None:
    """Promises more than it sends."""
    request.send_response(200)
    request.send_header("Content-Length", "5000")
    request.end_headers()
    request.wfile.write(b'{"items": [{"text": "half of it')
    request.wfile.flush()
    request.close_connection = True


class Sent(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, message: str) -> list[dict[str, Any]]:
        return [vars(each) for each in self.records if each.getMessage() == message]


@pytest.fixture
def log() -> Iterator[Sent]:
    heard = Sent()
    logger = logging.getLogger("reconcile_transcript")
    logger.addHandler(heard)
    logger.setLevel(logging.INFO)
    yield heard
    logger.removeHandler(heard)


CACHES = (
    reconcile_transcript._transcripts,
    reconcile_transcript._messages,
    reconcile_transcript._reconciler,
)
"""What the function keeps between invocations."""


class World(Table):
    """The table, and the function, whose invocations are on a clock that the test holds."""

    def __init__(self, name: str, clock: HeldClock) -> None:
        super().__init__(name)
        self.clock = clock

    def run(self, seconds: float = 60.0) -> dict[str, Any]:
        return self._invoke({}, seconds)

    def ask(self, guid: str, seconds: float = 60.0) -> dict[str, Any]:
        return self._invoke({"conversationId": guid}, seconds)

    def exported(self, day: date) -> dict[str, Any]:
        return self._invoke({"exported": day.isoformat()}, 120.0)

    def _invoke(self, event: dict[str, Any], seconds: float) -> dict[str, Any]:
        return reconcile_transcript.answer(event, Deadline(seconds, self.clock))


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    vendor: Vendor,
    table_name: str,
    secret_name: str,
    clock: HeldClock,
) -> Iterator[World]:
    monkeypatch.setenv("ASAPP_API_HOST", vendor.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("RECONCILE_AFTER_MINUTES", "15")
    monkeypatch.setenv("EXPORT_BUCKET", "")
    for made in CACHES:
        made.cache_clear()
    vendor.behaviours = [items([])]
    yield World(table_name, clock)
    for made in CACHES:
        made.cache_clear()


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


class Bucket:
    def __init__(self, name: str) -> None:
        self.name = name
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=name)

    def put(
        self,
        day: date,
        lines: Sequence[bytes],
        name: str = "file1.jsonl",
        feed: str = "utterances",
    ) -> None:
        key = f"{feed}/dt={day}/{name}"
        self.s3.put_object(Bucket=self.name, Key=key, Body=b"\n".join(lines) + b"\n")


@pytest.fixture
def bucket(world: World, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("EXPORT_BUCKET", table_name)
    return Bucket(table_name)


def utc_day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


def test_what_messages_do_not_give_is_completed_by_the_batch(
    world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    chance = random.Random(5)  # noqa: S311
    call = Call("long", texts(60), ago_ms=DAY_MS + HOUR_MS)
    world.end(call, summary=(30, 30))
    have = [at for at in range(60) if chance.random() >= 0.1]
    world.post(call, have)
    vendor.moods["long"] = items(call.items()[:50])  # the others never come
    world.run()
    conversation = world.conversation("long")
    assert (conversation["completeness"], waits_for(conversation)) == ("awaiting", BATCH)
    assert abs(conversation["reconcileAt"] - now_ms()) < 60_000
    assert world.run() == {"conversations": 0}

    (lines, state), (others, others_state) = call.documented(), Call("o", texts(30)).documented()
    day = utc_day(call.ended_ms)
    bucket.put(day, [*others, *lines[:30]])
    bucket.put(day, [*lines[25:], b"no JSON at all {"], name="words +15550100199.jsonl")
    chance.shuffle(state)  # not in the other feed's order
    bucket.put(day, [*state[:40], *others_state], feed=STATE)
    bucket.put(day, state[35:], name="file2.jsonl", feed=STATE)
    assert world.exported(day) == {"conversations": 1, "complete": 1}
    conversation = world.conversation("long")
    expected = {
        "completeness": "complete",
        "fromWebhook": len(have),
        "fromSummary": 60,
        "fromMessages": 50,
        "fromExport": 60,
        "recovered": 60 - len(have),
        "onlyOurs": 0,
    }
    assert {name: conversation[name] for name in expected} == expected
    assert "reconcile" not in conversation
    assert world.transcript("long") == call.said
    sources = [item["source"] for item in world.utterances("long")]
    assert {*sources} == {"webhook", "messages", "export"}
    assert {item["senderId"] for item in world.utterances("long")} == {
        "id of customer",
        "id of agent",
    }
    assert world.utterances("o") == []
    (malformed,) = log.of("lines of the feed cannot be read")
    assert (malformed["lines"], malformed["levelname"]) == (1, "ERROR")
    assert (malformed["feed"], malformed["day"], malformed["file"]) == ("utterances", str(day), 2)
    assert "15550100199" not in str(malformed)  # a name is ASAPP's and may say anything


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


def roles(world: Table, guid: str = "c-1") -> dict[str, tuple[str, str]]:
    """By message id, who said it and what, of what came by the export."""
    return {
        item["messageId"]: (item["role"], item["senderId"])
        for item in world.utterances(guid)
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
    "SENDER_SYSTEM": "system",
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


def test_calls_of_which_a_tenth_was_lost_are_what_was_said(world: World, vendor: Vendor) -> None:
    chance = random.Random(8)  # noqa: S311
    calls, lost = [], {}
    for at in range(6):
        call = Call(f"c-{at}", texts(chance.randint(3, 30)), ago_ms=HOUR_MS + at)
        have = [number for number in range(len(call.texts)) if chance.random() >= 0.1]
        world.end(call)
        twice = have + [number for number in have if chance.random() < 0.1]
        chance.shuffle(twice)
        world.post(call, twice)
        vendor.moods[call.guid] = messages_of(call)
        calls.append(call)
        lost[call.guid] = len(call.texts) - len(have)
    assert world.run(300.0) == {"conversations": 6}
    for call in calls:
        assert world.transcript(call.guid) == call.said
        conversation = world.conversation(call.guid)
        counts = (conversation["completeness"], conversation["recovered"])
        assert counts == ("complete", lost[call.guid])


HELD = Held("one", "agent", 0, 1, "Yes.")
SAID = Said("1", "agent", "ada", "Yes.", 0, "{}")
KNOWN = Known(
    conversation_id="c-1",
    version=1,
    ended=True,
    changed_at_ms=0,
    marked_at_ms=0,
    unchanged=True,
    completeness="",
    tries=0,
    reported=False,
    from_messages=0,
    summary=None,
    held=(),
    senders={},
)


@pytest.mark.parametrize(("summary", "after_ms"), [(0, HOUR_MS), (None, DAY_MS)])
def test_an_empty_answer_is_complete_once_asapps_count_or_a_day_says_that_nothing_was_said(
    summary: int | None, after_ms: int
) -> None:
    known, empty = replace(KNOWN, summary=summary), Finding(Record())
    assert judge(known, empty, after_ms - 1, has_export=True).completeness == "awaiting"
    verdict = judge(known, empty, after_ms, has_export=True)
    assert (verdict.completeness, verdict.then) == ("complete", "")


@pytest.mark.parametrize(("summary", "completeness"), [(1, "complete"), (None, "awaiting")])
def test_a_record_at_the_limit_is_whole_only_by_asapps_own_count(
    summary: int | None, completeness: str
) -> None:
    known = replace(KNOWN, summary=summary, held=(HELD,))
    finding = Finding(Record(count=MOST_MESSAGES))
    assert judge(known, finding, HOUR_MS, has_export=True).completeness == completeness


def test_a_record_that_is_gone_after_a_week_leaves_what_was_complete_complete() -> None:
    known = replace(KNOWN, completeness="complete", held=(HELD,))
    assert judge(known, Finding(Record()), 2 * DAY_MS, has_export=True) == Verdict("complete")
    late = judge(known, Finding(None), 2 * DAY_MS, has_export=True)
    assert (late.completeness, late.then) == ("complete", PENDING)
    assert judge(known, Finding(None), 7 * DAY_MS, has_export=True) == Verdict("complete")


def test_a_call_that_went_on_after_it_was_complete_is_not_complete() -> None:
    known = replace(KNOWN, completeness="complete", held=(HELD,), unchanged=False, tries=9)
    verdict = judge(known, Finding(Record()), HOUR_MS, has_export=True)
    assert (verdict.completeness, verdict.at_ms) == ("awaiting", HOUR_MS + HOUR_MS // 4)


def test_more_of_ours_than_asapp_has_is_awaited_for_a_day() -> None:
    known = replace(KNOWN, held=(HELD,))
    finding = Finding(Record((SAID,), 1), None, Alignment(only_ours=["one"]))
    assert judge(known, finding, DAY_MS - 1, has_export=False).completeness == "awaiting"
    assert judge(known, finding, DAY_MS, has_export=False) == Verdict("complete")


def test_a_call_whose_end_nobody_saw_is_looked_at_again_a_day_later() -> None:
    known = replace(KNOWN, held=(HELD,), ended=False)
    finding = Finding(Record((SAID,), 1))
    assert judge(known, finding, 4 * HOUR_MS, has_export=False) == Verdict(
        "complete", PENDING, 28 * HOUR_MS
    )
    assert judge(known, finding, 7 * DAY_MS, has_export=False) == Verdict("complete")


def test_a_day_old_it_waits_for_the_export_where_there_is_one() -> None:
    known = replace(KNOWN, held=(HELD,))
    assert judge(known, Finding(None), DAY_MS, has_export=True) == Verdict(
        "awaiting", BATCH, DAY_MS
    )
    assert judge(known, Finding(None), DAY_MS, has_export=False).then == PENDING
    assert judge(known, Finding(None), 7 * DAY_MS, has_export=False) == Verdict("incomplete")


def test_the_export_of_an_earlier_day_or_with_less_completes_nothing() -> None:
    known = replace(KNOWN, held=(HELD,), changed_at_ms=10 * DAY_MS, marked_at_ms=5, from_messages=1)
    one, none = Record((SAID,), 1), Record()
    for record, day in ((one, 10), (none, 11), (none, 12)):
        verdict = judge(known, Finding(record, utc_day(day * DAY_MS)), 12 * DAY_MS, has_export=True)
        assert (verdict == Verdict("complete")) == (record is one), day
        assert record is one or verdict == Verdict("awaiting", BATCH, 5)
    early = Finding(one, utc_day(9 * DAY_MS))
    assert judge(known, early, 12 * DAY_MS, has_export=True) == Verdict("awaiting", BATCH, 5)
    more = replace(known, from_messages=2)
    late = Finding(one, utc_day(11 * DAY_MS))
    assert judge(more, late, 12 * DAY_MS, has_export=True).then == BATCH


@pytest.mark.parametrize(
    ("given", "ms"),
    [
        ("2026-11-01T10:00:00.250Z", 1_793_527_200_250),
        ("2026-11-01 10:00:00", 1_793_527_200_000),
        ("2026-11-01T12:00:00+02:00", 1_793_527_200_000),
        (1_793_527_200, 1_793_527_200_000),
        ("1793527200.25", 1_793_527_200_250),
        (1_793_527_200_250, 1_793_527_200_250),
        ("0001-01-01T00:00:00Z", 0),
        ("yesterday", 0),
        (None, 0),
        ([], 0),
        (float("inf"), 0),
    ],
)
def test_a_moment_is_iso_8601_or_since_1970(given: object, ms: int) -> None:
    assert moment_ms(given) == ms


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
