"""What was seen of a call is kept, whatever the table refuses and whoever else acts.

The handlers run side by side on a virtual clock, against the protocols of ASAPP and DynamoDB.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from follow_agent_events import handler as follow_agent_events
from follow_contact_events import handler as follow_contact_events
from follow_contact_events.handler import NotFollowed
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.scale.faulty import Faults, FaultyAsapp, FaultyDynamoDb
from tests.scale.side_by_side import BEGIN, Killed, Timeline
from tests.scale.soak import INSTANCE, Context, contact_of, deployed, encoded
from tests.unit.conftest import flow_event

Json = dict[str, Any]
OBSERVATION, NOTE = "UpdateItem", "TransactWriteItems"
REFUSALS = {
    OBSERVATION: (
        "TransactionConflictException",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "InternalServerError",
        "answer lost",
        "reset before",
    ),
    NOTE: (
        "TransactionConflict",
        "ThrottlingError",
        "TransactionInProgressException",
        "InternalServerError",
        "answer lost",
        "reset before",
    ),
}


class Functions:
    """The four functions, each of which begins when a test says so."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        faults = Faults(random.Random(1), 0.0)  # noqa: S311
        self.asapp = FaultyAsapp(self.timeline, faults)
        self.dynamodb = FaultyDynamoDb(self.timeline, faults)
        self.answers: list[Json] = []
        self.seconds: list[float] = []

    def at(self, seconds: float, handler: Callable[..., Any], event: Json, dies: int = 0) -> None:
        """:param dies: The how-manyth wait at which Lambda ends the function; 0 for never."""

        def invoke() -> None:
            left = dies

            def on_wait() -> None:
                nonlocal left
                left -= 1
                if not left:
                    raise Killed

            self.timeline.task.on_wait = on_wait if dies else None
            began = self.timeline.seconds
            try:
                while not (answer := self.invoke(handler, event)):
                    self.timeline.wait(1)  # the event comes again
            except Killed:
                return
            self.answers.append(answer)
            self.seconds.append(self.timeline.seconds - began)

        self.timeline.at(BEGIN + seconds, invoke)

    def invoke(self, handler: Callable[..., Any], event: Json) -> Json:
        """:returns: Empty if the event must come again."""
        try:
            answer: Json | None = handler(event, Context(self.timeline, self.timeline.seconds + 7))
        except NotFollowed:
            return {}
        return {} if answer and answer.get("batchItemFailures") else answer or {"status": "done"}

    def start(self, seconds: float, agent: str, contact: str = "c-1", dies: int = 0) -> None:
        parameters = {"agentId": agent, "agentArn": f"{INSTANCE}/agent/{agent}"}
        event = flow_event(contact, InitialContactId="c-1", parameters=parameters)
        audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
        audio["StartFragmentNumber"] = contact[-1] * 47
        self.at(seconds, start_streaming.handler, event, dies)

    def stop(self, seconds: float, contact: str = "c-1", method: str = "INBOUND") -> None:
        event = flow_event(contact, InitialContactId="c-1", InitiationMethod=method)
        self.at(seconds, stop_streaming.handler, event)

    def agent(self, seconds: float, agent: str, before: str, state: str, dies: int = 0) -> None:
        record = agent_event(seconds, agent, before, state)
        self.at(seconds, follow_agent_events.handler, {"Records": [record]}, dies)

    def over(self, seconds: float, contact: str = "c-1", dies: int = 0) -> None:
        self.at(seconds, follow_contact_events.handler, disconnected(seconds, contact), dies)

    def run(self) -> None:
        self.timeline.run()

    def item(self, item: str = "conversation") -> Json:
        return self.dynamodb.table.item("c-1", item)


def agent_event(seconds: float, agent: str, before: str, state: str) -> Json:
    """A record of the agent's stream."""
    at = datetime.fromtimestamp(BEGIN + seconds, UTC).isoformat(timespec="milliseconds")
    contact = partial(contact_of, "c-1", "c-1", method="INBOUND")
    event = {
        "AgentARN": f"{INSTANCE}/agent/{agent}",
        "EventTimestamp": at,
        "PreviousAgentSnapshot": {"Contacts": [contact(state=before)]},
        "CurrentAgentSnapshot": {"Contacts": [contact(state=state)]},
    }
    return {"kinesis": {"sequenceNumber": "1", "data": encoded(event)}}


def disconnected(seconds: float, contact: str = "c-1") -> Json:
    detail = {
        "contactId": contact,
        "initialContactId": "c-1",
        "channel": "VOICE",
        "eventType": "DISCONNECTED",
        "disconnectTimestamp": datetime.fromtimestamp(BEGIN + seconds, UTC).isoformat(),
    }
    return {"detail": detail}


@pytest.fixture
def functions() -> Iterator[Functions]:
    made = Functions()
    random.seed(1)  # of the pauses between tries
    with deployed(made.timeline, made.asapp, made.dynamodb):
        yield made


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("operation", "error"), [(each, error) for each in REFUSALS for error in REFUSALS[each]]
)
def test_a_refused_write_loses_no_leg_no_stream_and_no_fragment(
    functions: Functions, operation: str, error: str, times: int
) -> None:
    functions.dynamodb.refusals[operation] = [error] * times
    functions.start(0, "ada")
    functions.start(60, "grace")  # the whisper again, for another agent, of the same audio
    functions.run()
    assert [answer["status"] for answer in functions.answers] == ["started", "started"]
    assert functions.asapp.asked == ["start ada", "stop", "start grace"]
    item = functions.item()
    assert (item["asapp"], item["agentId"], item["claimedUntil"]) == ("streaming", "grace", "0")
    assert item["startedFragments"] == ["1" * 47]
    for stream in functions.asapp.streams:
        assert [functions.item(f"stream#{each}")["role"] for each in stream.ids] == [
            "customer",
            "agent",
        ]


def test_a_hang_up_during_a_start_is_acted_on_although_its_own_function_dies(
    functions: Functions,
) -> None:
    functions.asapp.next_takes = [2.0]
    functions.start(0, "ada")
    functions.over(0.5, dies=3)  # it has written what it saw, and waits
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop"]
    assert functions.item()["state"] == "ended"
    assert [answer["status"] for answer in functions.answers] == ["started"]


def test_a_stop_during_a_start_without_an_answer_is_sent_after_it(functions: Functions) -> None:
    functions.asapp.next_takes = [4.2]  # ASAPP starts when nobody waits for it any more
    functions.start(0, "ada")
    functions.stop(1.0)
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop"]
    assert functions.asapp.running == {}
    statuses = [answer["status"] for answer in functions.answers]
    assert statuses == ["unavailable", "stopped"]


def test_the_next_agents_start_during_one_that_fails_is_sent_after_it(
    functions: Functions,
) -> None:
    functions.asapp.next_takes = [4.2]
    functions.start(0, "ada")
    functions.start(1.0, "grace", "c-2")
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop", "start grace"]
    assert [answer["status"] for answer in functions.answers] == ["unavailable", "started"]


def test_the_next_agents_start_during_a_slow_one_is_acted_on_once(functions: Functions) -> None:
    functions.asapp.next_takes = [2.0]
    functions.start(0, "ada")
    functions.start(0.5, "grace", "c-2")
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop", "start grace"]
    statuses = {answer["status"] for answer in functions.answers}
    assert statuses <= {"started", "already_started"}


def test_twenty_events_of_one_call_at_once_end_where_the_call_is(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.agent(1, "ada", "CONNECTING", "CONNECTED")
    hold = agent_event(20, "ada", "CONNECTED", "CONNECTED_ONHOLD")
    resume = agent_event(21, "ada", "CONNECTED_ONHOLD", "CONNECTED")
    end = agent_event(22, "ada", "CONNECTED", "ENDED")
    for _ in range(4):
        functions.at(25, follow_contact_events.handler, disconnected(22))
        for records in ([end], [hold], [resume], [hold, resume]):
            functions.at(25, follow_agent_events.handler, {"Records": records})
    functions.run()
    assert functions.asapp.asked[-1] == "stop"
    assert len(list(groupby(functions.asapp.asked))) <= 4  # no more than start, hold, resume, end
    item = functions.item()
    assert (item["state"], item["asapp"], item["claimedUntil"]) == ("ended", "stopped", "0")


def test_twenty_events_of_a_hold_that_is_over_end_in_a_running_stream(
    functions: Functions,
) -> None:
    functions.start(0, "ada")
    records = [
        agent_event(1, "ada", "CONNECTING", "CONNECTED"),
        agent_event(20, "ada", "CONNECTED", "CONNECTED_ONHOLD"),
        agent_event(21, "ada", "CONNECTED_ONHOLD", "CONNECTED"),
    ]
    for _ in range(20):
        functions.at(22, follow_agent_events.handler, {"Records": records})
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop", "start ada"]
    assert functions.item()["asapp"] == "streaming"


def test_an_outcome_that_the_table_takes_after_the_claim_has_gone_still_has_its_streams(
    functions: Functions,
) -> None:
    functions.asapp.next_takes = [3.5]
    functions.dynamodb.refusals[NOTE] = ["TransactionConflict"] * 6
    functions.start(0, "ada")
    functions.start(0.5, "grace", "c-2")
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop", "start grace"]
    assert len(functions.asapp.streams) == 2
    for stream in functions.asapp.streams:
        assert all(functions.item(f"stream#{each}")["role"] for each in stream.ids)
    assert (functions.item()["asapp"], functions.item()["agentId"]) == ("streaming", "grace")


@pytest.mark.parametrize("dies", range(1, 6))
@pytest.mark.parametrize("after_seconds", [0.1, 1, 4])
def test_the_agent_after_a_killed_start_is_heard_and_never_told_that_we_are_busy(
    functions: Functions, dies: int, after_seconds: float
) -> None:
    functions.start(0, "ada", dies=dies)
    functions.start(after_seconds, "grace", "c-2")
    functions.run()
    assert functions.answers[-1]["status"] == "started"
    assert functions.seconds[-1] < 6.5
    assert functions.asapp.running["c-1"].agent_id == "grace"


def test_without_lifecycle_the_disconnect_flow_ends_the_call(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.stop(60, "c-2", method="DISCONNECT")
    functions.run()
    item = functions.item()
    assert (item["state"], item["asapp"], item["holdNotResumed"]) == ("ended", "stopped", "0")
    assert int(item["reconcileAt"]) < (BEGIN + 61) * 1000, "reconciliation is due at once"


@pytest.mark.parametrize("method", ["TRANSFER", "QUEUE_TRANSFER", "INBOUND", ""])
def test_the_stop_of_another_flow_pauses_the_call(functions: Functions, method: str) -> None:
    functions.start(0, "ada")
    functions.stop(60, "c-2", method=method)
    functions.run()
    item = functions.item()
    assert (item["state"], item["asapp"], item["holdNotResumed"]) == ("paused", "stopped", "0")


def test_a_hold_flow_after_which_nothing_is_heard_of_the_agent_is_marked(
    functions: Functions,
) -> None:
    functions.start(0, "ada")
    functions.stop(60)
    functions.stop(90, "c-2", method="DISCONNECT")
    functions.run()
    assert (functions.item()["state"], functions.item()["holdNotResumed"]) == ("ended", "1")


def test_a_hold_that_an_agent_event_confirms_is_not_marked(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.stop(60)
    functions.agent(60.5, "ada", "CONNECTED", "CONNECTED_ONHOLD")
    functions.over(90)
    functions.run()
    assert (functions.item()["state"], functions.item()["holdNotResumed"]) == ("ended", "0")


def test_a_talk_that_no_start_made_heard_is_marked_for_good(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.agent(2, "ada", "CONNECTING", "CONNECTED")
    functions.agent(20, "ada", "CONNECTED", "CONNECTED_ONHOLD")
    functions.timeline.at(BEGIN + 30, lambda: functions.asapp.refused.add("c-1"))
    functions.agent(40, "ada", "CONNECTED_ONHOLD", "CONNECTED")
    functions.agent(80, "ada", "CONNECTED", "ENDED")
    functions.timeline.at(BEGIN + 81, functions.asapp.refused.clear)
    functions.start(90, "grace", "c-2")
    functions.run()
    item = functions.item()
    assert (item["lastStartFailed"], item["unheardTalk"]) == ("0", "1")


def test_a_call_whose_start_asapp_refused_is_marked_as_a_talk_that_nobody_heard(
    functions: Functions,
) -> None:
    functions.asapp.refused.add("c-1")
    functions.start(0, "ada")
    functions.agent(2, "ada", "CONNECTING", "CONNECTED")
    functions.over(60)
    functions.run()
    item = functions.item()
    assert (item["state"], item["asapp"]) == ("ended", "stopped")
    assert (item["lastStartFailed"], item["unheardTalk"]) == ("1", "1")


def test_an_agent_who_drops_out_in_the_whisper_leaves_no_talk_unheard(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.agent(5, "ada", "CONNECTING", "ENDED")
    functions.run()
    assert functions.item()["unheardTalk"] == "0"


def test_after_a_first_start_that_failed_a_resume_begins_where_the_call_is(
    functions: Functions,
) -> None:
    """Else ASAPP would read the hold."""
    functions.asapp.refused.add("c-1")
    functions.start(0, "ada")
    functions.agent(20, "ada", "CONNECTED", "CONNECTED_ONHOLD")
    functions.timeline.at(BEGIN + 30, functions.asapp.refused.clear)
    functions.agent(40, "ada", "CONNECTED_ONHOLD", "CONNECTED")
    functions.run()
    assert functions.asapp.positions == ["1" * 47, "NOW"]


def test_if_asapp_had_the_unclear_start_its_audio_is_not_read_again(functions: Functions) -> None:
    functions.asapp.next_takes = [5.0]
    functions.start(0, "ada")
    functions.agent(8, "ada", "CONNECTING", "CONNECTED")
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop", "start ada"]
    assert functions.asapp.positions == ["1" * 47, "NOW"]


def test_a_lost_answer_to_the_start_is_made_good_by_the_stops(functions: Functions) -> None:
    functions.asapp.loses = 1
    functions.start(0, "ada")
    functions.over(60)
    functions.run()
    assert functions.answers[0]["status"] == "already_started"
    (stream,) = functions.asapp.streams
    made = functions.item(f"stream#{stream.ids[0]}")
    assert (made["role"], made["contactId"], made["transcripts"]) == ("customer", "c-1", "3")
    assert made["startedAt"] == "1565781909613", "where the audio begins that was started"


def test_a_leg_of_another_version_is_read_and_its_keys_are_kept(functions: Functions) -> None:
    functions.start(0, "ada")
    functions.run()
    key = ("c-1", "conversation")
    legs = functions.dynamodb.table.items[key]["legs"]["S"]
    functions.dynamodb.table.items[key]["legs"]["S"] = legs.replace("[{", '[{"of": "tomorrow", ')
    functions.dynamodb.table.items[key]["mood"] = {"S": "good"}
    functions.stop(60)
    functions.run()
    assert functions.answers[-1]["status"] == "stopped"
    assert '"of": "tomorrow"' in functions.item()["legs"]
    assert functions.item()["mood"] == "good"


def test_a_quiet_call_costs_this_much(functions: Functions) -> None:
    """Ten calls of DynamoDB and two requests to ASAPP, as before observations were kept."""
    functions.start(0, "ada")
    functions.agent(1, "ada", "CONNECTING", "CONNECTED")
    functions.agent(100, "ada", "CONNECTED", "ENDED")
    functions.stop(102, "c-2", method="DISCONNECT")
    functions.over(104)
    functions.run()
    assert functions.asapp.asked == ["start ada", "stop"]
    assert functions.dynamodb.table.calls == [
        *(OBSERVATION, NOTE),  # the start
        *("GetItem", OBSERVATION),  # connected
        *("GetItem", OBSERVATION, NOTE),  # ended
        "GetItem",  # the disconnect flow
        *("GetItem", OBSERVATION),  # the contact event
    ]
