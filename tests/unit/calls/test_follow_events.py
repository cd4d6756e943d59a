"""Agent events and contact events, through their handlers, against a vendor on a real socket."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest

from follow_agent_events import handler as follow_agent_events
from follow_contact_events import handler as follow_contact_events
from follow_contact_events.handler import NotFollowed
from shared import environment
from shared.runtime import Deadline
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.unit.conftest import (
    Behaviour,
    Context,
    Vendor,
    failing,
    flow_event,
    half_ok,
    hang,
    not_ok,
    reset,
    started,
)
from tests.unit.held_clock import HeldClock

ADA = "arn:aws:connect:us-east-1:111111111111:instance/i-1/agent/ada"
GRACE = "arn:aws:connect:us-east-1:111111111111:instance/i-1/agent/grace"
CASES = Path(__file__).parents[4] / "shared" / "cases"
Json = dict[str, Any]
pytestmark = pytest.mark.usefixtures("started_environment")


class Call:
    """Speaks Connect's events of one contact, each 20 ms of Connect's clock after the last one."""

    def __init__(self, contact_id: str = "c-1", agent_arn: str = ADA, initial: str = "") -> None:
        self.contact_id, self.agent_arn, self.initial = contact_id, agent_arn, initial
        self.before: Json | None = None
        self.at = time.time()

    def start(self, **changes: Any) -> str:
        parameters = {"customerId": "+15550100199", "agentId": self.agent_arn[-3:]}
        parameters["agentArn"] = self.agent_arn
        event = flow_event(self.contact_id, parameters=parameters, **changes)
        if self.initial:
            event["Details"]["ContactData"]["InitialContactId"] = self.initial
        status = start_streaming.handler(event, Context())["status"]
        self.at = time.time()
        return status

    def now(self) -> str:
        self.at += 0.02
        at = datetime.fromtimestamp(self.at, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def catch_up(self) -> None:
        """Wait until it is later than Connect's last event."""
        time.sleep(max(0.0, self.at - time.time()) + 0.01)

    def agent(self, *states: str, **changes: Any) -> list[Json]:
        """The records of the agent's stream as the call moves through these states."""
        records = []
        for state in states:
            contact = {
                "ContactId": self.contact_id,
                "InitialContactId": self.initial or None,
                "Channel": "VOICE",
                "InitiationMethod": "INBOUND",
                "State": state,
            } | changes
            after = {"AgentStatus": {"Name": "Available"}, "Contacts": [contact]}
            event = {
                "AgentARN": self.agent_arn,
                "AWSAccountId": "111111111111",
                "CurrentAgentSnapshot": after,
                "PreviousAgentSnapshot": self.before,
                "EventId": "477f2c4f-cd1a-4785-b1a8-97023dc1229d",
                "EventTimestamp": self.now(),
                "EventType": "STATE_CHANGE",
                "Version": "2017-10-01",
            }
            self.before = after
            records.append(record(json.dumps(event).encode()))
        return records

    def disconnected(self, **changes: Any) -> Json:
        detail = {
            "contactId": self.contact_id,
            "initialContactId": self.initial or self.contact_id,
            "channel": "VOICE",
            "instanceArn": "arn:aws::connect:us-east-1:111111111111:instance/i-1",
            "initiationMethod": "INBOUND",
            "eventType": "DISCONNECTED",
            "disconnectTimestamp": self.now(),
            "tags": {"aws:connect:instanceId": "i-1"},
        } | changes
        return {
            "source": "aws.connect",
            "detail-type": "Amazon Connect Contact Event",
            "detail": {key: value for key, value in detail.items() if value is not None},
        }


def record(data: bytes) -> Json:
    record.count += 1  # type: ignore[attr-defined]
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": ADA,
        "sequenceNumber": f"4959033827149025660855969254{record.count}",  # type: ignore[attr-defined]
        "data": base64.b64encode(data).decode(),
        "approximateArrivalTimestamp": 1545084650.987,
    }
    return {"eventSource": "aws:kinesis", "kinesis": kinesis}


record.count = 10_000  # type: ignore[attr-defined]


def follow(records: list[Json], seconds: float = 7.0) -> list[str]:
    """The records that are to come again."""
    answer = follow_agent_events.handler({"Records": records}, Context(seconds))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def hang_up(event: Json, seconds: float = 7.0) -> None:
    follow_contact_events.handler(event, Context(seconds))


def number(record: Json) -> str:
    return str(record["kinesis"]["sequenceNumber"])


def items(table_name: str) -> list[Json]:
    found: list[Json] = boto3.resource("dynamodb").Table(table_name).scan()["Items"]
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HeldClock:
    """By which the functions wait: their pauses take no time of the test."""
    held = HeldClock()
    monkeypatch.setattr(environment, "clock", lambda: held)
    return held


@contextmanager
def later(since: float, minutes: float) -> Iterator[int]:
    """The functions' clock is so far ahead of a moment; gives its milliseconds since 1970."""
    clock = HeldClock()
    clock.advance(since + minutes * 60 - clock.now_ms() / 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "deadline", lambda _: Deadline(6.5, clock))
        yield clock.now_ms()


def conversation(table_name: str, conversation_id: str = "c-1") -> Json:
    key = {"conversationId": conversation_id, "item": "conversation"}
    found: Json = boto3.resource("dynamodb").Table(table_name).get_item(Key=key)["Item"]
    return found


def test_a_call_is_followed_through_its_hold_to_its_end(vendor: Vendor, table_name: str) -> None:
    call = Call()
    call.start()
    assert follow(call.agent("CONNECTING", "CONNECTED", "CONNECTED_ONHOLD")) == []
    assert vendor.calls == ["start", "stop"]
    assert conversation(table_name)["state"] == "paused"
    assert follow(call.agent("CONNECTED")) == []
    assert vendor.calls == ["start", "stop", "start"]
    resumed = vendor.requests[2][2]
    assert resumed["agentId"] == "ada"
    assert resumed["amazonConnectParams"] == {
        "streamArn": vendor.requests[0][2]["amazonConnectParams"]["streamArn"],
        "startSelectorType": "NOW",
    }
    assert follow(call.agent("ENDED")) == []
    hang_up(call.disconnected())
    assert vendor.calls == ["start", "stop", "start", "stop"]
    assert conversation(table_name)["state"] == "ended"


def test_the_flow_of_a_hold_and_its_event_are_one_stop(vendor: Vendor) -> None:
    call = Call()
    call.start()
    follow(call.agent("CONNECTED"))
    call.catch_up()
    assert stop_streaming.handler(flow_event(), Context())["status"] == "stopped"
    follow(call.agent("CONNECTED_ONHOLD"))
    assert vendor.calls == ["start", "stop"]


def test_a_caller_who_hangs_up_is_heard_no_longer_and_the_agents_end_adds_nothing(
    vendor: Vendor, table_name: str
) -> None:
    call = Call()
    call.start()
    follow(call.agent("CONNECTED"))
    hang_up(call.disconnected())
    assert vendor.calls == ["start", "stop"]
    follow(call.agent("ENDED"))
    hang_up(call.disconnected())
    assert vendor.calls == ["start", "stop"]
    assert conversation(table_name)["asapp"] == "stopped"


def test_a_transfer_is_heard_from_its_new_agent_to_his_end(vendor: Vendor) -> None:
    first, second = Call(), Call("c-2", GRACE, "c-1")
    first.start()
    follow(first.agent("CONNECTED", "CONNECTED_ONHOLD"))
    second.start()
    follow(second.agent("CONNECTED", InitiationMethod="TRANSFER"))
    follow(first.agent("ENDED"))
    hang_up(first.disconnected())
    assert vendor.calls == ["start", "stop", "start"]
    follow(second.agent("ENDED", InitiationMethod="TRANSFER"))
    assert vendor.calls == ["start", "stop", "start", "stop"]
    assert [body.get("agentId") for _, _, body in vendor.requests] == ["ada", None, "ace", None]


def test_a_call_that_a_disconnect_flow_gives_to_the_next_agent_goes_on_after_a_hold(
    vendor: Vendor, table_name: str
) -> None:
    """The next agent has the contact of the disconnect flow: a hold of it is no end."""
    of_the_flow = {"InitialContactId": "c-1", "InitiationMethod": "DISCONNECT"}
    first, second = Call(), Call("c-2", GRACE, "c-1")
    first.start()
    follow(first.agent("CONNECTED"))
    first.catch_up()
    stop_streaming.handler(flow_event("c-2", **of_the_flow), Context())
    assert conversation(table_name)["state"] == "ended"
    second.start(InitiationMethod="DISCONNECT")
    follow(second.agent("CONNECTED"))
    second.catch_up()
    stop_streaming.handler(flow_event("c-2", **of_the_flow), Context())
    assert conversation(table_name)["state"] == "paused"
    second.at = time.time()
    follow(second.agent("CONNECTED_ONHOLD", "CONNECTED"))
    assert vendor.calls == ["start", "stop", "start", "stop", "start"]
    assert conversation(table_name)["state"] == "streaming"


def test_after_a_failure_an_agents_later_records_wait_and_other_agents_are_followed(
    vendor: Vendor,
) -> None:
    ada, grace = Call(), Call("c-2", GRACE)
    ada.start()
    grace.start()
    hold, resume = ada.agent("CONNECTED_ONHOLD"), ada.agent("CONNECTED")
    of_grace = grace.agent("CONNECTED_ONHOLD")
    vendor.moods = {"c-1": reset}
    vendor.requests.clear()
    with later(time.time(), 0):
        assert follow([*hold, *of_grace, *resume]) == [number(hold[0])]
    asked = [(path.rsplit("/", 1)[1], body["guid"]) for path, _, body in vendor.requests]
    assert set(asked) == {("stop-streaming", "c-1"), ("stop-streaming", "c-2")}
    assert asked[-1] == ("stop-streaming", "c-2"), "the agent's resume waits for the hold"
    vendor.moods.clear()
    vendor.requests.clear()
    assert follow([*hold, *of_grace, *resume]) == []
    assert vendor.calls == ["stop", "start"], "what was done is not done again"


@pytest.mark.usefixtures("clock")
def test_of_several_agents_that_failed_the_first_record_is_reported(vendor: Vendor) -> None:
    ada, grace = Call(), Call("c-2", GRACE)
    ada.start()
    grace.start()
    records = [*grace.agent("ENDED"), *ada.agent("ENDED")]
    vendor.behaviours = [reset]
    assert follow(records) == [number(records[0])]


def test_of_a_full_batch_every_hold_is_written_down_while_asapp_hangs(
    vendor: Vendor, table_name: str, clock: HeldClock
) -> None:
    """Seven wait for ASAPP until no time is left. If the last ones were not written down now, they
    would not be the next time, either, and after six times nobody would know of their holds."""
    calls = [Call(f"c-{n}", f"{ADA}-{n}") for n in range(10)]  # as many as a batch has
    for call in calls:
        call.start()
    vendor.clock = clock
    vendor.behaviours = [hang]
    holds = [each for call in calls for each in call.agent("CONNECTED_ONHOLD")]
    assert follow(holds, 30) == [number(holds[0])]
    assert [conversation(table_name, f"c-{n}")["state"] for n in range(10)] == ["paused"] * 10


def test_records_that_come_twice_ask_for_nothing_more(vendor: Vendor) -> None:
    call = Call()
    call.start()
    records = call.agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED")
    follow(records)
    follow(records)
    assert vendor.calls == ["start", "stop", "start"]


GARBAGE = [
    (b"", "it is not JSON"),
    (b"{'AgentARN': 'words-of-someone'}", "it is not JSON"),
    (b"\xff\xfe words-of-someone", "it is not JSON"),
    (b"[" * 100_000, "it is not JSON"),
    (b'["words-of-someone"]', "it has no AgentARN"),
    (b'{"AgentARN": "words-of-someone"}', "it has no EventTimestamp"),
    (b'{"AgentARN": "a", "EventTimestamp": "words-of-someone"}', "it has no EventTimestamp"),
]


def test_records_that_are_no_agent_events_are_named_and_passed_over(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    call = Call()
    call.start()
    garbage = [record(data) for data, _ in GARBAGE]
    garbage[0]["kinesis"]["data"] = "no base64"
    caplog.set_level(logging.INFO)
    assert follow([*call.agent("CONNECTED"), *garbage, *call.agent("ENDED")]) == []
    assert vendor.calls == ["start", "stop"]
    problems = [line for line in caplog.records if line.levelno == logging.ERROR]
    assert {line.message for line in problems} == {"no agent event"}
    assert [(vars(line)["sequenceNumber"], vars(line)["reason"]) for line in problems] == [
        (number(one), reason) for one, (_, reason) in zip(garbage, GARBAGE, strict=True)
    ]
    assert "words-of-someone" not in "".join(str(vars(line)) for line in caplog.records)


def test_chats_and_tasks_change_nothing(vendor: Vendor) -> None:
    call = Call()
    call.start()
    for channel in ("CHAT", "TASKS"):
        follow(call.agent("CONNECTED", "CONNECTED_ONHOLD", "ENDED", Channel=channel))
    assert vendor.calls == ["start"]


def test_a_supervisor_who_listens_on_a_contact_of_his_own_changes_nothing(vendor: Vendor) -> None:
    Call().start()
    boss = Call("c-9", GRACE, "c-1")
    follow(boss.agent("CONNECTED", "CONNECTED_ONHOLD", "ENDED", InitiationMethod="MONITOR"))
    assert vendor.calls == ["start"]


@pytest.mark.parametrize(
    "method",
    [
        *("INBOUND", "OUTBOUND", "TRANSFER", "QUEUE_TRANSFER", "CALLBACK", "API", "WEBRTC_API"),
        *("EXTERNAL_OUTBOUND", "AGENT_REPLY", "FLOW", "CAMPAIGN_PREVIEW", "", None),
    ],
)
def test_a_call_is_followed_however_it_began(vendor: Vendor, method: str | None) -> None:
    call = Call()
    call.start()
    states = ("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED", "ENDED")
    follow(call.agent(*states, InitiationMethod=method))
    assert vendor.calls == ["start", "stop", "start", "stop"]


def test_a_contact_record_in_the_agents_stream_is_passed_over_without_an_error(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    file = CASES / "ctr_in_agent_stream.json"
    if not file.exists():
        pytest.skip(f"{file} is not on this machine")
    call = Call()
    call.start()
    assert follow([record(file.read_bytes()), *call.agent("ENDED")]) == []
    assert vendor.calls == ["start", "stop"]
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("minutes", [2, 48])
def test_an_old_event_stops_and_never_starts(vendor: Vendor, table_name: str, minutes: int) -> None:
    call = Call()
    call.start()
    late = call.agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED")
    with later(call.at, minutes):
        assert follow(late) == []
        assert vendor.calls == ["start", "stop"]
        assert conversation(table_name)["lastStartFailed"] == 1
        follow(late)
    assert vendor.calls == ["start", "stop"]


def test_an_event_that_is_some_seconds_old_starts(vendor: Vendor, table_name: str) -> None:
    call = Call()
    call.start()
    records = call.agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED")
    with later(call.at, 0.8):
        follow(records)
    assert vendor.calls == ["start", "stop", "start"]
    assert conversation(table_name)["lastStartFailed"] == 0


def test_an_old_event_leaves_a_stream_alone_that_hears_the_right_agent(
    vendor: Vendor, table_name: str
) -> None:
    call = Call()
    call.start()
    connected = call.agent("CONNECTED")
    with later(call.at, 10):
        follow(connected)
    assert vendor.calls == ["start"]
    assert conversation(table_name)["lastStartFailed"] == 0


def test_a_stream_that_comes_near_to_asapps_limit_is_restarted_by_a_heartbeat(
    vendor: Vendor,
) -> None:
    call = Call()
    call.start()
    began = call.now()
    follow(call.agent("CONNECTED", ConnectedToAgentTimestamp=began))
    started_at = call.at
    for minutes, expected in ((164, []), (167, ["stop", "start"]), (169, ["stop", "start"])):
        with later(started_at, minutes) as now_ms:
            call.at = now_ms / 1000
            assert follow(call.agent("CONNECTED", ConnectedToAgentTimestamp=began)) == []
        assert vendor.calls == ["start", *expected]
    restarted = vendor.requests[-1][2]["amazonConnectParams"]
    assert restarted["startSelectorType"] == "NOW"


def test_a_heartbeat_of_a_short_call_costs_no_look_into_the_table(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call()
    call.start()
    began = call.now()
    follow(call.agent("CONNECTED", ConnectedToAgentTimestamp=began))
    monkeypatch.setenv("TRANSCRIPT_TABLE", "no-such-table")
    environment.conversations.cache_clear()
    assert follow(call.agent("CONNECTED", ConnectedToAgentTimestamp=began)) == []


def test_an_agents_call_that_nobody_started_is_neither_told_nor_written(
    vendor: Vendor, table_name: str
) -> None:
    records = Call("unknown").agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED", "ENDED")
    assert follow(records) == []
    assert vendor.requests == []
    assert items(table_name) == []


def test_a_hang_up_before_the_start_keeps_the_start_from_asapp(
    vendor: Vendor, table_name: str
) -> None:
    call = Call("unknown")
    hang_up(call.disconnected())
    assert vendor.requests == []
    assert conversation(table_name, "unknown")["state"] == "ended"
    event = flow_event("unknown")
    answer = start_streaming.handler(event, Context())
    assert (answer["status"], answer["reason"]) == ("rejected", "contact_ended")
    assert vendor.requests == []


def test_a_contact_event_is_read_in_every_spelling_that_connect_has(vendor: Vendor) -> None:
    spellings = product(("Amazon Connect", "Connect Customer"), (False, True), ("VOICE", "Voice"))
    for count, (detail_type, pascal, channel) in enumerate(spellings, 1):
        call = Call(f"c-{count}")
        call.start()
        event = call.disconnected(channel=channel) | {"detail-type": f"{detail_type} Contact Event"}
        if pascal:
            event["detail"] = {key[0].upper() + key[1:]: v for key, v in event["detail"].items()}
        hang_up(event)
        assert vendor.calls == ["start", "stop"] * count


def test_other_contact_events_change_nothing(vendor: Vendor, table_name: str) -> None:
    call = Call()
    call.start()
    others: list[Json] = [{"channel": channel} for channel in ("CHAT", "TASK", "EMAIL", None)]
    others += [{"eventType": kind} for kind in ("CONNECTED_TO_AGENT", "COMPLETED", None)]
    others += [{"contactId": contact_id} for contact_id in (None, 5, "")]
    for changes in others:
        hang_up(call.disconnected(**changes))
    assert vendor.calls == ["start"]
    assert [found["item"] for found in items(table_name) if found["item"] == "conversation"] == [
        "conversation"
    ]
    assert conversation(table_name)["state"] == "streaming"


def test_a_hang_up_without_a_time_is_one_all_the_same(vendor: Vendor) -> None:
    for count, at in enumerate(
        (
            *(None, "", 5, "yesterday", "1970-01-01T00:00:00Z"),
            *("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        ),
        1,
    ):
        call = Call(f"c-{count}")
        call.start()
        hang_up(call.disconnected(disconnectTimestamp=at))
        assert vendor.calls == ["start", "stop"] * count


def test_a_hang_up_without_a_time_of_its_own_has_the_events(
    vendor: Vendor, table_name: str
) -> None:
    call = Call()
    call.start()
    event = call.disconnected(disconnectTimestamp=None) | {"time": call.now()}
    hang_up(event)
    (leg,) = json.loads(conversation(table_name)["legs"])
    assert leg["at_ms"] == pytest.approx(call.at * 1000, abs=2)


@pytest.mark.parametrize("body", [not_ok, half_ok])
def test_an_event_whose_request_had_no_clear_end_comes_again(
    vendor: Vendor, body: Behaviour
) -> None:
    call = Call()
    call.start()
    follow(call.agent("CONNECTED", "CONNECTED_ONHOLD"))
    vendor.behaviours = [body]
    resume = call.agent("CONNECTED")
    assert follow(resume) == [number(resume[0])]
    with pytest.raises(NotFollowed, match=r"not_ok|2003"):
        hang_up(call.disconnected())
    vendor.behaviours = [started]
    vendor.requests.clear()
    assert follow(resume) == []
    assert vendor.calls == ["stop"], "the caller has hung up since"


@pytest.mark.usefixtures("clock")
def test_a_hang_up_that_asapp_did_not_hear_of_comes_again(vendor: Vendor) -> None:
    call = Call()
    call.start()
    vendor.behaviours = [failing(503, "503-01")]
    event = call.disconnected()
    with pytest.raises(NotFollowed, match="503-01"):
        hang_up(event)
    vendor.behaviours = [started]
    vendor.requests.clear()
    hang_up(event)
    assert vendor.calls == ["stop"]


def test_a_stop_of_a_call_that_asapp_does_not_know_is_not_repeated(
    vendor: Vendor, table_name: str
) -> None:
    call = Call()
    call.start()
    vendor.behaviours = [failing(400, "400-203")]
    assert follow(call.agent("CONNECTED", "ENDED")) == []
    stop_streaming.handler(flow_event(), Context())
    hang_up(call.disconnected())
    assert vendor.calls == ["start", "stop"]
    assert conversation(table_name)["asapp"] == "stopped"


def test_a_start_that_asapp_refused_needs_no_stop(vendor: Vendor, table_name: str) -> None:
    call = Call()
    vendor.behaviours = [failing(400, "400-201")]
    assert call.start() == "rejected"
    assert conversation(table_name)["asapp"] == "stopped"
    follow(call.agent("CONNECTED_ONHOLD", "ENDED"))
    hang_up(call.disconnected())
    assert vendor.calls == ["start"]
    known = conversation(table_name)
    assert (known["state"], known["lastStartFailed"]) == ("ended", 1)


@pytest.mark.usefixtures("clock")
def test_without_the_table_every_event_comes_again(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIPT_TABLE", "no-such-table")
    environment.conversations.cache_clear()
    for source in ("InitialContactId", "PreviousContactId"):
        monkeypatch.setenv("CONVERSATION_ID_SOURCE", source)
        records = Call().agent("CONNECTED")
        assert follow(records, seconds=1.0) == [number(records[0])]
        with pytest.raises(NotFollowed, match="table"):
            hang_up(Call().disconnected(), seconds=1.0)
    assert vendor.requests == []


def test_a_contact_finds_its_conversation_where_that_is_the_contact_before(
    vendor: Vendor, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", "PreviousContactId")
    call = Call("c-2", initial="c-0")
    call.start(PreviousContactId="c-1")
    assert [body["guid"] for _, _, body in vendor.requests] == ["c-1"]
    follow(call.agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED"))
    hang_up(call.disconnected())  # it does not say which contact was before
    assert vendor.calls == ["start", "stop", "start", "stop"]
    assert {body["guid"] for _, _, body in vendor.requests} == {"c-1"}
    assert conversation(table_name, "c-1")["state"] == "ended"


def test_a_hang_up_that_names_the_contact_before_needs_no_pointer(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", "PreviousContactId")
    call = Call("c-2", initial="c-0")
    call.start(PreviousContactId="c-1")
    hang_up(call.disconnected(previousContactId="c-1"))
    assert vendor.calls == ["start", "stop"]


def test_a_contact_is_its_own_conversation_where_the_setting_says_so(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", "ContactId")
    call = Call("c-2", initial="c-1")
    call.start()
    follow(call.agent("CONNECTED", "CONNECTED_ONHOLD", "CONNECTED"))
    hang_up(call.disconnected())
    assert {body["guid"] for _, _, body in vendor.requests} == {"c-2"}
    assert vendor.calls == ["start", "stop", "start", "stop"]
