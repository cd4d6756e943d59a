"""Start and stop, through their handlers, against a vendor on a real socket."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from shared import environment
from shared.asapp.media_gateway import Asapp
from shared.asapp.requests import AsappCredentials
from shared.calls.asapp_sync import Answer, sync
from shared.calls.conversation import Conversation, Leg
from shared.calls.conversation_table import Conversations
from shared.connect.flow_event import Contact, NotAContact
from shared.http import Origin
from shared.runtime import Deadline
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.log_metrics import counted
from tests.unit.conftest import (
    Behaviour,
    Context,
    Resolver,
    Vendor,
    VendorHandler,
    drip,
    eventually,
    failing,
    flow_event,
    half_ok,
    hang,
    html,
    not_ok,
    ok,
    reset,
    slow,
    started,
)
from tests.unit.held_clock import HeldClock, StillClock

EVENTS = Path(__file__).parents[4] / "shared" / "data" / "events"
KEYS = {"status", "conversationId", "customerStreamId", "agentStreamId", "reason"}
pytestmark = pytest.mark.usefixtures("started_environment")


def start(event: dict[str, Any] | None = None) -> dict[str, str]:
    return start_streaming.handler(event or flow_event(), Context())


def stop(event: dict[str, Any] | None = None) -> dict[str, str]:
    return stop_streaming.handler(event or flow_event(), Context())


def answer_to(
    word: str, clock: HeldClock, event: dict[str, Any] | None = None, asapp: Asapp | None = None
) -> Answer:
    """What the flow is told, on the test's clock, with the time that a flow's block gives."""
    contact = Contact.from_event(event or flow_event())
    guid = contact.initial_contact_id
    asapp = asapp or environment.asapp()
    clients = environment.conversations(), asapp, Deadline(6.5, clock)
    if word == "started":
        return start_streaming.start(contact, guid, True, *clients)
    return stop_streaming.stop(contact, guid, *clients)


def items(table_name: str, conversation_id: str) -> list[dict[str, Any]]:
    condition = Key("conversationId").eq(conversation_id)
    table = boto3.resource("dynamodb").Table(table_name)
    found: list[dict[str, Any]] = table.query(KeyConditionExpression=condition)["Items"]
    return found


def item(table_name: str, name: str, conversation_id: str = "c-1") -> dict[str, Any]:
    key = {"conversationId": conversation_id, "item": name}
    found: dict[str, Any] = boto3.resource("dynamodb").Table(table_name).get_item(Key=key)["Item"]
    return found


def test_a_start_tells_asapp_the_allowed_fields_and_no_others(vendor: Vendor) -> None:
    start()
    (_, headers, body) = vendor.requests[0]
    assert body == {
        "namespace": "amazonconnect",
        "guid": "c-1",
        "customerId": "+15550100199",
        "agentId": "ada",
        "autotranscribeParams": {"language": "en-US"},
        "amazonConnectParams": {
            "streamArn": flow_event()["Details"]["ContactData"]["MediaStreams"]["Customer"][
                "Audio"
            ]["StreamARN"],
            "startSelectorType": "FRAGMENT_NUMBER",
            "afterFragmentNumber": "91343852333181432392682062622220590765191907586",
        },
    }
    assert headers["asapp-api-id"] == "id-of-asapp"
    assert headers["asapp-api-secret"] == "s3cr3t-of-asapp"
    assert headers["Content-Type"] == "application/json"


def test_a_stop_tells_asapp_the_guid_alone(vendor: Vendor) -> None:
    start()
    stop()
    assert vendor.requests[1][2] == {"namespace": "amazonconnect", "guid": "c-1"}


def test_a_call_is_started_once_and_stopped_once_however_often_connect_asks(
    vendor: Vendor,
) -> None:
    statuses = [start()["status"], start()["status"], stop()["status"], stop()["status"]]
    assert statuses == ["started", "already_started", "stopped", "already_stopped"]
    assert vendor.calls == ["start", "stop"]


def test_what_the_functions_log_counts_each_start_stop_and_refusal_once(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    start(), start()
    assert counted("start_streaming", caplog.records) == {"CallsStarted": 1}
    caplog.clear()
    stop(), stop()
    assert counted("stop_streaming", caplog.records) == {"CallsStopped": 1}
    caplog.clear()
    vendor.behaviours = [failing(400, "400-201")]
    start(flow_event("c-2"))
    assert counted("start_streaming", caplog.records) == {"CallsRefused": 1}
    vendor.behaviours = [started, failing(400, "400-201")]
    start(flow_event("c-3"))
    caplog.clear()
    stop(flow_event("c-3"))
    assert counted("stop_streaming", caplog.records) == {"CallsRefused": 1}


def test_every_answer_is_a_flat_map_of_strings(vendor: Vendor) -> None:
    vendor.behaviours = [started, failing(400, "400-201")]
    answers = [start(), start(), stop(), stop(), start(flow_event(MediaStreams=None))]
    for answer in answers:
        assert set(answer) == KEYS
        assert all(isinstance(value, str) for value in answer.values())
    assert answers[0] == {
        "status": "started",
        "conversationId": "c-1",
        "customerStreamId": "stream-c",
        "agentStreamId": "stream-a",
        "reason": "",
    }


def test_without_audio_nothing_is_sent_to_asapp(vendor: Vendor) -> None:
    ended = flow_event()["Details"]["ContactData"]["MediaStreams"]
    ended["Customer"]["Audio"]["StopTimestamp"] = "1565781990000"
    for media in (None, {}, {"Customer": {"Audio": {"StreamARN": ""}}}, ended):
        assert start(flow_event(MediaStreams=media))["status"] == "no_media_stream"
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("began", "ended", "status"),
    [
        ("1565781909613", "1565781900000", "started"),
        ("1565781909613", "1565781909613", "no_media_stream"),
        ("1565781909613", "1565781990000", "no_media_stream"),
        ("1565781909613", "0", "no_media_stream"),
        ("1565781909613", "yesterday", "no_media_stream"),
        (None, "1565781900000", "no_media_stream"),
        ("1565781909613", None, "started"),
        ("1565781909613", "", "started"),
    ],
)
def test_a_stream_that_was_stopped_before_it_was_started_runs(
    vendor: Vendor, began: str | None, ended: str | None, status: str
) -> None:
    event = flow_event()
    audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
    audio |= {"StartTimestamp": began, "StopTimestamp": ended}
    assert start(event)["status"] == status


@pytest.mark.parametrize(
    ("missing", "reason"), [("agent", "only_customer"), ("customer", "only_agent")]
)
@pytest.mark.parametrize("participant", [None, {}, {"streamId": ""}])
def test_a_stream_that_carries_one_side_only_is_named(
    vendor: Vendor,
    caplog: pytest.LogCaptureFixture,
    missing: str,
    reason: str,
    participant: dict[str, str] | None,
) -> None:
    answer = ok(("stream-c", "stream-a"))
    answer["autotranscribeResponse"][missing] = participant
    vendor.behaviours = [lambda request: request.reply(200, answer)]
    told = start()
    assert (told["status"], told["reason"]) == ("started", reason)
    assert [vars(line)["reason"] for line in caplog.records if line.levelname == "WARNING"] == [
        reason
    ]


@pytest.mark.parametrize(
    "event",
    [{}, None, [], {"Details": None}, flow_event(""), {"ContactId": "at the wrong place"}],
)
def test_an_event_without_a_contact_id_is_a_mistake_and_raises(event: Any) -> None:
    for handler in (start_streaming.handler, stop_streaming.handler):
        with pytest.raises(NotAContact, match=r"no Details\.ContactData\.ContactId"):
            handler(event, Context())


@pytest.mark.parametrize("name", ["connectContactFlowEventAll", "connectContactFlowEventMin"])
def test_real_events_of_others_get_an_answer(name: str, vendor: Vendor) -> None:
    file = EVENTS / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file} is not on this machine")
    answer = start(json.loads(file.read_text()))
    assert answer["status"] == ("started" if name.endswith("All") else "no_media_stream")
    for _, _, body in vendor.requests:
        assert body["amazonConnectParams"]["afterFragmentNumber"].isdigit()
        assert body["customerId"] and body["agentId"]


def test_ids_that_connect_does_not_give_fall_back_in_one_place(vendor: Vendor) -> None:
    start(flow_event("c-2", parameters={"customerId": None, "agentId": ""}))
    start(flow_event("c-3", parameters={}, CustomerEndpoint=None, InitialContactId=None))
    bodies = [body for _, _, body in vendor.requests]
    assert [(b["guid"], b["customerId"], b["agentId"]) for b in bodies] == [
        ("c-2", "+15550100199", "c-2"),
        ("c-3", "c-3", "c-3"),
    ]


@pytest.mark.parametrize(
    ("source", "guid"),
    [("InitialContactId", "first"), ("ContactId", "second"), ("PreviousContactId", "before")],
)
def test_the_guid_is_the_contact_id_that_the_setting_names(
    source: str, guid: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", source)
    event = flow_event("second", InitialContactId="first", PreviousContactId="before")
    assert start(event)["conversationId"] == guid
    assert vendor.requests[0][2]["guid"] == guid


def test_a_new_agent_on_a_running_conversation_is_a_stop_and_a_start(vendor: Vendor) -> None:
    start()
    second_leg = flow_event("c-2", InitialContactId="c-1", parameters={"agentId": "grace"})
    assert start(second_leg)["status"] == "started"
    assert vendor.calls == ["start", "stop", "start"]
    assert vendor.requests[2][2]["agentId"] == "grace"


def test_the_queue_of_each_leg_is_kept_as_connect_names_it(vendor: Vendor, table_name: str) -> None:
    given = {"c-1": {"ARN": "arn", "Name": "Billing"}, "c-2": None, "c-3": {"ARN": "arn"}}
    for contact_id, queue in given.items():
        event = flow_event(contact_id, InitialContactId="c-1", parameters={"agentId": contact_id})
        event["Details"]["ContactData"]["Queue"] = queue
        start(event)
    legs = json.loads(item(table_name, "conversation")["legs"])
    assert [leg["queue"] for leg in legs] == ["Billing", "", ""]


def test_audio_that_asapp_has_heard_is_never_read_again(vendor: Vendor) -> None:
    start()
    stop()
    assert start()["status"] == "started"  # resumed after a hold
    assert vendor.requests[2][2]["amazonConnectParams"]["startSelectorType"] == "NOW"
    assert "afterFragmentNumber" not in vendor.requests[2][2]["amazonConnectParams"]


def test_a_stream_that_is_resumed_begins_when_it_is_resumed(
    vendor: Vendor, table_name: str
) -> None:
    start()
    stop()
    vendor.behaviours = [lambda request: request.reply(200, ok(("again-c", "again-a")))]
    before = int(time.time() * 1000)
    start()
    assert item(table_name, "stream#stream-c")["startedAt"] == 1565781909613
    assert item(table_name, "stream#again-c")["startedAt"] >= before


def test_a_new_contacts_audio_is_read_from_its_own_first_fragment(vendor: Vendor) -> None:
    start()
    event = flow_event("c-2", InitialContactId="c-1", parameters={"agentId": "grace"})
    audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
    audio["StartFragmentNumber"] = "9" * 47
    start(event)
    assert vendor.requests[2][2]["amazonConnectParams"]["afterFragmentNumber"] == "9" * 47


def test_the_setting_now_never_sends_a_fragment(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("START_SELECTOR", "NOW")
    start()
    assert vendor.requests[0][2]["amazonConnectParams"]["startSelectorType"] == "NOW"


def test_a_stop_of_a_call_that_we_know_nothing_of_asks_asapp(vendor: Vendor) -> None:
    assert stop()["status"] == "stopped"
    assert vendor.calls == ["stop"]


@pytest.mark.parametrize("channel", ["CHAT", "Task", "EMAIL"])
def test_a_stop_of_what_is_no_call_stops_no_call_and_asks_asapp_nothing(
    vendor: Vendor, table_name: str, channel: str
) -> None:
    """A flow may be that of chats and tasks too, and a task may follow a call that goes on."""
    start()
    of_a_call = stop(flow_event("t-1", InitialContactId="c-1", Channel=channel))
    alone = stop(flow_event("t-2", Channel=channel, MediaStreams=None))
    assert [answer["status"] for answer in (of_a_call, alone)] == ["already_stopped"] * 2
    assert vendor.calls == ["start"]
    assert item(table_name, "conversation")["state"] == "streaming"
    assert not items(table_name, "t-2")


def test_a_call_that_asapp_does_not_know_is_stopped(vendor: Vendor, table_name: str) -> None:
    vendor.behaviours = [failing(400, "400-203")]
    answer = stop()
    assert (answer["status"], answer["reason"]) == ("already_stopped", "400-203")
    assert item(table_name, "conversation")["asapp"] == "stopped"
    stop()
    stop()
    assert vendor.calls == ["stop"]


def test_a_start_that_asapp_does_not_know_the_call_of_is_rejected(vendor: Vendor) -> None:
    vendor.behaviours = [failing(400, "400-203")]
    answer = start()
    assert (answer["status"], answer["reason"]) == ("rejected", "400-203")


def test_a_start_whose_end_is_unknown_is_still_stopped(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [failing(503, "503-01")]
    assert answer_to("started", clock).status == "unavailable"
    vendor.behaviours = [started]
    vendor.requests.clear()
    assert stop()["status"] == "stopped"
    assert vendor.calls == ["stop"]


def test_a_stop_that_failed_between_two_agents_is_made_up_for(
    vendor: Vendor, clock: HeldClock
) -> None:
    answer_to("started", clock)
    clock.advance(60)
    grace = flow_event(parameters={"agentId": "grace"})
    vendor.behaviours = [failing(503, "503-01")]
    assert answer_to("started", clock, grace).status == "unavailable"
    vendor.behaviours = [started]
    vendor.requests.clear()
    assert answer_to("started", clock, grace).status == "started"
    assert vendor.calls == ["stop", "start"]


FAILURES: list[tuple[str, Behaviour, str, str]] = [
    ("hangs", hang, "unavailable", "timeout"),
    ("drips a byte at a time", drip, "unavailable", "timeout"),
    ("resets", reset, "unavailable", "connection"),
    ("says isOk false", not_ok, "rejected", "not_ok"),
    ("fails one participant", half_ok, "rejected", "2003"),
    ("answers HTML", html, "unavailable", "not_json"),
    ("throttles", failing(429, "429-01"), "unavailable", "429-01"),
    ("is down", failing(503, "503-01"), "unavailable", "503-01"),
    ("has an internal error", failing(500, "500-201"), "unavailable", "500-201"),
    ("is at it already", failing(409, "409-201"), "already", "409-201"),
    ("has another request pending", failing(409, "409-202"), "unavailable", "409-202"),
    ("knows no such call", failing(400, "400-203"), "rejected", "400-203"),
    ("refuses the keys", failing(401, "401-01"), "rejected", "401-01"),
    ("redirects", failing(301, ""), "rejected", "http_301"),
    ("puts words where its code belongs", failing(400, "+1555 said no"), "rejected", "http_400"),
]


@pytest.mark.parametrize("word", ["started", "stopped"])
def test_whatever_asapp_does_the_flow_has_its_answer_in_time(
    word: str, vendor: Vendor, clock: HeldClock
) -> None:
    def timed(contact_id: str) -> tuple[str, str, bool]:
        ends = clock.monotonic() + 6.5
        answer = answer_to(word, clock, flow_event(contact_id))
        return answer.status, answer.reason, clock.monotonic() <= ends

    vendor.moods = {name: mood for name, mood, _, _ in FAILURES}
    expected = {
        name: (f"already_{word}" if status == "already" else status, reason, True)
        for name, _, status, reason in FAILURES
    }
    if word == "stopped":
        expected["knows no such call"] = ("already_stopped", "400-203", True)
    assert {name: timed(name) for name, *_ in FAILURES} == expected


def test_a_vendor_that_hangs_has_four_seconds_so_that_the_next_block_can_still_act(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [hang]
    assert answer_to("started", clock).reason == "timeout"
    assert clock.monotonic() == pytest.approx(4.0)  # half a second is kept for the table
    assert vendor.calls == ["start"]


@pytest.mark.parametrize("seconds", [2.5, 3.9])
def test_a_slow_start_that_succeeds_has_its_stream_ids(
    seconds: float, vendor: Vendor, clock: HeldClock, table_name: str
) -> None:
    vendor.behaviours = [slow(seconds), failing(409, "409-201")]
    answer = answer_to("started", clock)
    assert (answer.status, answer.customer_stream_id) == ("started", "stream-c")
    assert item(table_name, "stream#stream-c")["role"] == "customer"
    assert vendor.calls == ["start"]


def test_a_vendor_that_refuses_connections_is_unavailable(
    vendor: Vendor, conversations: Conversations, secret_name: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    asapp = Asapp(Origin(f"http://127.0.0.1:{port}"), AsappCredentials(secret_name), {})
    assert asapp.stop("c-1", Deadline(6, HeldClock())).reason == "connection"


def test_a_start_that_waited_for_a_name_server_does_not_follow_the_stop(
    vendor: Vendor, clock: HeldClock, secret_name: str
) -> None:
    resolver = Resolver(clock)
    asapp = Asapp(Origin(vendor.url, resolver), AsappCredentials(secret_name), {})
    assert answer_to("started", clock, asapp=asapp).reason == "timeout"
    resolver.answers.set()
    assert answer_to("stopped", clock, asapp=asapp).status == "stopped"
    eventually(lambda: vendor.connections >= resolver.lookups)
    assert answer_to("started", clock, asapp=asapp).status == "started"
    assert vendor.calls == ["stop", "start"]


def test_a_start_that_waited_for_a_handshake_does_not_follow_the_stop(
    vendor: Vendor, clock: HeldClock, secret_name: str, tls: object
) -> None:
    may_go_on = threading.Event()

    def stall() -> None:
        if not may_go_on.is_set():
            clock.run_out()
            assert may_go_on.wait(30)

    vendor.before_handshake = stall
    asapp = Asapp(Origin(vendor.url), AsappCredentials(secret_name), {})
    assert answer_to("started", clock, asapp=asapp).reason == "timeout"
    may_go_on.set()
    assert answer_to("stopped", clock, asapp=asapp).status == "stopped"
    assert answer_to("started", clock, asapp=asapp).status == "started"
    assert vendor.calls == ["stop", "start"]


def test_a_name_server_that_is_silent_once_is_asked_again(
    vendor: Vendor, clock: HeldClock, secret_name: str
) -> None:
    resolver = Resolver(clock, silent=1)
    asapp = Asapp(Origin(vendor.url, resolver), AsappCredentials(secret_name), {})
    assert answer_to("started", clock, asapp=asapp).status == "started"
    assert clock.monotonic() < 3
    resolver.answers.set()


@pytest.mark.parametrize("first", [failing(503, "503-01"), failing(409, "409-202"), reset, html])
def test_a_failure_that_passes_is_not_seen_by_the_flow(
    first: Behaviour, vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [first, started]
    assert answer_to("started", clock).status == "started"
    assert vendor.calls == ["start", "start"]


def test_a_rejection_is_not_repeated(vendor: Vendor) -> None:
    vendor.behaviours = [failing(400, "400-201")]
    start()
    assert vendor.calls == ["start"]


def test_a_rotated_secret_is_read_again_once(vendor: Vendor, secret_name: str) -> None:
    start()
    boto3.client("secretsmanager").put_secret_value(
        SecretId=secret_name, SecretString='{"apiId": "new-id", "apiSecret": "new-secret"}'
    )
    vendor.behaviours = [failing(401, "401-01"), started]
    assert stop()["status"] == "stopped"
    assert [headers["asapp-api-id"] for _, headers, _ in vendor.requests] == [
        "id-of-asapp",
        "id-of-asapp",
        "new-id",
    ]


@pytest.mark.parametrize("value", ["", "not json", "[]", '{"apiId": "x"}', '{"apiId": 1}', "{}"])
def test_a_malformed_secret_is_an_answer_that_says_so(
    value: str, vendor: Vendor, secret_name: str
) -> None:
    client = boto3.client("secretsmanager")
    client.put_secret_value(SecretId=secret_name, SecretString=value or " ")
    answer = start()
    assert (answer["status"], answer["reason"]) == ("unavailable", "credentials")
    assert vendor.requests == []


def test_without_the_table_nothing_is_sent_and_the_flow_goes_on(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIPT_TABLE", "no-such-table")
    answer = start()
    assert (answer["status"], answer["reason"]) == ("unavailable", "table_unavailable")
    assert vendor.requests == []


def test_five_hundred_identical_starts_are_one_start_at_asapp(vendor: Vendor) -> None:
    clock = StillClock()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: answer_to("started", clock), range(500)))
    statuses = [answer.status for answer in answers]
    assert vendor.calls == ["start"]
    assert statuses.count("started") == 1
    assert statuses.count("already_started") == 499
    assert {answer.customer_stream_id for answer in answers} == {"stream-c"}


def when_waited_for(by: int, clock: StillClock, then: Behaviour) -> Behaviour:
    """Answer when so many others have found the conversation claimed."""

    def behave(request: VendorHandler) -> None:
        eventually(lambda: len(clock.sleepers) >= by)
        then(request)

    return behave


def test_those_who_wait_for_a_start_share_its_failure(vendor: Vendor) -> None:
    clock = StillClock()
    vendor.behaviours = [when_waited_for(9, clock, failing(400, "400-201"))]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: answer_to("started", clock), range(10)))
    assert {answer.status for answer in answers} == {"rejected"}
    assert vendor.calls == ["start"]


def test_a_stop_that_overtakes_a_start_waits_for_it(vendor: Vendor) -> None:
    clock = StillClock()
    vendor.behaviours = [when_waited_for(1, clock, started), started]
    with ThreadPoolExecutor(2) as pool:
        starting = pool.submit(answer_to, "started", clock)
        eventually(lambda: vendor.calls)
        clock.advance(0.1)
        # Whichever of the two sends the stop: the start looks again before it lets go.
        assert answer_to("stopped", clock).status in ("stopped", "already_stopped")
        assert starting.result().status == "started"
    assert vendor.calls == ["start", "stop"]


def test_a_start_whose_function_was_killed_is_stopped_and_started_by_the_next_one(
    vendor: Vendor, conversations: Conversations, table_name: str, clock: HeldClock
) -> None:
    # It was killed between ASAPP's answer and the note of it in the table.
    nothing, deadline = Conversation(), Deadline(4.5, clock)
    assert conversations.write("c-1", nothing, nothing, deadline, "dead", deadline) is None
    assert answer_to("started", clock).status == "started"
    assert 4.5 < clock.monotonic() < 5.5, "it waits for the claim, and has time to act"
    assert vendor.calls == ["stop", "start"]
    assert item(table_name, "conversation")["asapp"] == "streaming"


def test_however_long_an_event_may_take_a_flow_never_waits_longer_for_it(
    vendor: Vendor, conversations: Conversations, asapp: Asapp, table_name: str
) -> None:
    left: list[float] = []

    def look(request: Any) -> None:
        left.append(float(item(table_name, "conversation")["claimedUntil"]) / 1000 - time.time())
        started(request)

    vendor.behaviours = [look]
    leg = Leg("c-1", agent_id="ada", stream_arn="arn")
    sync("c-1", start_streaming.started(leg), conversations, asapp, Deadline(30))
    assert left[0] <= 4.5  # less if the machine is busy


def test_the_table_remembers_the_conversation_and_its_streams(
    vendor: Vendor, table_name: str
) -> None:
    start()
    stop()
    conversation = item(table_name, "conversation")
    assert (conversation["state"], conversation["asapp"]) == ("paused", "stopped")
    assert conversation["agentId"] == "ada"
    assert conversation["contactIds"] == {"c-1"}
    assert conversation["expiresAt"] > time.time() + 29 * 86_400
    stream = item(table_name, "stream#stream-c")
    assert (stream["role"], stream["startedAt"], stream["transcripts"]) == (
        "customer",
        1565781909613,
        7,
    )


@pytest.mark.parametrize(
    "count", [True, False, -1, 1_000_001, 10**40, 7.0, 1e400, "7", None, [], {}], ids=str
)
def test_a_count_of_utterances_that_is_none_is_not_believed_and_ends_nothing(
    count: object, vendor: Vendor, asapp: Asapp
) -> None:
    vendor.behaviours = [
        lambda request: request.reply(200, ok(("stream-c", "stream-a"), {"transcripts": count}))  # type: ignore[dict-item]
    ]
    outcome = asapp.stop("c-1", Deadline(5))
    assert (outcome.status, outcome.customer_stream_id) == ("done", "stream-c")
    assert outcome.transcripts == {}


def test_asapps_count_of_utterances_is_kept_up_to_a_million(vendor: Vendor, asapp: Asapp) -> None:
    for count in (0, 1_000_000):
        answer = ok(("stream-c", ""), {"transcripts": count})
        vendor.behaviours = [lambda request, answer=answer: request.reply(200, answer)]  # type: ignore[misc]
        assert asapp.stop("c-1", Deadline(5)).transcripts == {"stream-c": count}


@pytest.mark.parametrize("stream_id", [7, None, "x" * 257, "half \ud83d", "two\nlines", "\u202e"])
def test_a_stream_id_that_the_table_cannot_hold_is_unknown(
    stream_id: Any, vendor: Vendor, asapp: Asapp
) -> None:
    vendor.behaviours = [lambda request: request.reply(200, ok((stream_id, "x" * 256)))]
    outcome = asapp.stop("c-1", Deadline(5))
    assert (outcome.customer_stream_id, outcome.agent_stream_id) == ("", "x" * 256)
