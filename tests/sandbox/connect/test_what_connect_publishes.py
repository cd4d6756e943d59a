"""What Connect publishes of agents and contacts while a call is played."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact, Queue
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.scenarios import (
    END,
    HOLD,
    TAKEN,
    Act,
    Scene,
    act,
    ada_calls,
    ada_chats,
    ada_consults_grace,
    ada_drops_out,
    ada_plans_a_break,
    ada_transfers_and_goes,
    agent_holds,
    agent_leaves,
    agent_resumes,
    chat_ends,
    customer_hangs_up,
    dials,
    flows,
    grace_takes_it,
)
from sandbox.connect.voice_call import ConnectCall
from shared.connect.agent_snapshots import contact_changes
from tests.sandbox.connect.test_scenarios import ready_made_flow
from tests.sandbox.simulated import INSTANCE, Clock

Json = dict[str, Any]


class Newsroom:
    """A call whose functions see nothing, and all that is published of it, in one list.

    :ivar published: Agent events, contact events, and ``Lambda`` where a flow's function was asked.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.published: list[Json | str] = []
        self.agents = AgentEvents(INSTANCE, self.publish, self.clock)
        self.contacts = ContactEvents(self.publish, self.clock)
        runner = FlowRunner(invoke_lambda=self.ask, now=self.clock)
        queue = Queue(f"{INSTANCE}/queue/1", "Support", None, "Transcription outbound whisper")
        self.first = Contact("first", INSTANCE, queue=queue)
        self.call = ConnectCall(
            runner,
            self.first,
            flows(ready_made_flow),
            agent_events=self.agents,
            contact_events=self.contacts,
        )
        ada, grace = (Agent(name, f"{INSTANCE}/agent/{name}") for name in ("ada", "grace"))
        self.scene = Scene(self.call, self.agents, self.contacts, ada, grace, queue)

    def publish(self, event: Json) -> None:
        self.clock.seconds += 1
        self.published.append(event)

    def ask(self, *_: Any) -> dict[str, str]:
        self.published.append("Lambda")
        return {"status": "started"}

    def play(self, *acts: Act) -> Newsroom:
        for each in acts:
            each.does(self.scene)
        return self

    @property
    def agent_events(self) -> list[Json]:
        return [e for e in self.published if isinstance(e, dict) and "AgentARN" in e]

    @property
    def contact_events(self) -> list[Json]:
        return [e for e in self.published if isinstance(e, dict) and "detail" in e]

    def told(self) -> list[str]:
        """In words; contacts by when they were first heard of."""
        words = []
        numbers: dict[str, int] = {}
        for event in self.published:
            if isinstance(event, str):
                words.append(event)
            elif "detail" in event:
                number = numbers.setdefault(event["detail"]["contactId"], len(numbers) + 1)
                words.append(f"{number} {event['detail']['eventType']}")
            else:
                before, after = (
                    {c["ContactId"]: c["State"] for c in event[f"{which}AgentSnapshot"]["Contacts"]}
                    for which in ("Previous", "Current")
                )
                who = event["CurrentAgentSnapshot"]["Configuration"]["Username"]
                changed = [c for c in {**before, **after} if before.get(c) != after.get(c)]
                words += [f"{who}: {numbers[c]} {after.get(c, 'gone')}" for c in changed]
        return words


JOINED = [
    "1 INITIATED",
    "1 QUEUED",
    "ada: 1 CONNECTING",
    "Lambda",
    "ada: 1 CONNECTED",
    "1 CONNECTED_TO_AGENT",
]
HELD = ["ada: 1 CONNECTED_ONHOLD", "Lambda"]
GONE = ["ada: 1 ENDED", "1 DISCONNECTED"]

CALLS: dict[str, tuple[tuple[Act, ...], list[str]]] = {
    "hold and resume, after which the customer hangs up": (
        (*TAKEN, *HOLD, act(customer_hangs_up), END),
        [*JOINED, *HELD, "ada: 1 CONNECTED", *GONE, "ada: 1 gone", "1 COMPLETED"],
    ),
    "the agent leaves first": (
        (*TAKEN, act(agent_leaves), END),
        [
            *JOINED,
            *GONE,
            "2 INITIATED",
            "Lambda",
            "2 DISCONNECTED",
            "ada: 1 gone",
            "1 COMPLETED",
        ],
    ),
    "the first agent drops": (
        (act(dials), act(ada_drops_out), act(grace_takes_it)),
        [
            *JOINED[:4],
            "ada: 1 MISSED",
            "ada: 1 gone",
            "grace: 1 CONNECTING",
            "Lambda",
            "grace: 1 CONNECTED",
            "1 CONNECTED_TO_AGENT",
        ],
    ),
    "a warm transfer in which all three talk": (
        (
            *TAKEN,
            act(ada_consults_grace),
            act(grace_takes_it),
            act(agent_resumes),
            act(agent_leaves),
            act(customer_hangs_up),
            END,
        ),
        [
            *JOINED,
            *HELD,
            "2 INITIATED",
            "Lambda",
            "grace: 2 CONNECTING",
            "Lambda",
            "grace: 2 CONNECTED",
            "2 CONNECTED_TO_AGENT",
            "ada: 1 CONNECTED",
            *GONE,
            "grace: 2 ENDED",
            "2 DISCONNECTED",
            "ada: 1 gone",
            "1 COMPLETED",
            "grace: 2 gone",
            "2 COMPLETED",
        ],
    ),
    "a customer who hangs up while two agents talk": (
        (*TAKEN, act(ada_consults_grace), act(grace_takes_it), act(customer_hangs_up)),
        [
            *JOINED,
            *HELD,
            "2 INITIATED",
            "Lambda",
            "grace: 2 CONNECTING",
            "Lambda",
            "grace: 2 CONNECTED",
            "2 CONNECTED_TO_AGENT",
            "grace: 2 ENDED",
            "2 DISCONNECTED",
            *GONE,
        ],
    ),
    "a cold transfer": (
        (*TAKEN, act(ada_transfers_and_goes), act(grace_takes_it)),
        [
            *JOINED,
            *HELD,
            "2 INITIATED",
            *GONE,
            "Lambda",
            "2 QUEUED",
            "grace: 2 CONNECTING",
            "Lambda",
            "grace: 2 CONNECTED",
            "2 CONNECTED_TO_AGENT",
        ],
    ),
    "an outbound call": (
        (act(ada_calls), act(customer_hangs_up)),
        [
            "1 INITIATED",
            "ada: 1 CONNECTING",
            "1 CONNECTED_TO_SYSTEM",
            "Lambda",
            "ada: 1 CONNECTED",
            "1 CONNECTED_TO_AGENT",
            *GONE,
        ],
    ),
    "a customer who hangs up in the queue": (
        (act(dials), act(customer_hangs_up), END),
        ["1 INITIATED", "1 QUEUED", "1 DISCONNECTED"],
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_connect_publishes_this_and_between_it_runs_its_flows(name: str) -> None:
    acts, expected = CALLS[name]
    assert Newsroom().play(*acts).told() == expected


def test_a_call_that_nobody_answers_is_over_without_having_been_connected() -> None:
    room = Newsroom()
    room.first.agent = room.scene.ada
    room.call.agent_calls(answered=False)
    assert room.told() == ["1 INITIATED", "ada: 1 CONNECTING", *GONE]


def test_a_callback_is_incoming_before_the_customer_is_called() -> None:
    room = Newsroom()
    room.call.agent_calls_back(room.scene.ada)
    assert room.told() == [
        "1 INITIATED",
        "ada: 1 INCOMING",
        "ada: 1 CONNECTING",
        "1 CONNECTED_TO_SYSTEM",
        "Lambda",
        "ada: 1 CONNECTED",
        "1 CONNECTED_TO_AGENT",
    ]


def test_each_event_of_an_agent_begins_where_the_one_before_it_ended() -> None:
    room = Newsroom().play(act(ada_chats), *TAKEN, act(ada_plans_a_break), *HOLD, act(chat_ends))
    assert len(room.agent_events) > 9
    for earlier, later in pairwise(room.agent_events):
        assert later["PreviousAgentSnapshot"] == earlier["CurrentAgentSnapshot"]
    assert len({event["EventId"] for event in room.agent_events}) == len(room.agent_events)


def test_a_chat_is_among_the_contacts_of_the_call_at_the_same_agent() -> None:
    room = Newsroom().play(act(ada_chats), *TAKEN)
    contacts = room.agent_events[-1]["CurrentAgentSnapshot"]["Contacts"]
    assert [(c["Channel"], c["State"]) for c in contacts] == [
        ("CHAT", "CONNECTED"),
        ("VOICE", "CONNECTED"),
    ]


def test_a_heartbeat_and_a_break_change_no_contact() -> None:
    room = Newsroom().play(*TAKEN, act(ada_plans_a_break))
    beat, pause = room.agent_events[-2:]
    assert (beat["EventType"], pause["EventType"]) == ("HEART_BEAT", "STATE_CHANGE")
    assert beat["PreviousAgentSnapshot"] == beat["CurrentAgentSnapshot"]
    assert pause["CurrentAgentSnapshot"]["AgentStatus"]["Name"] == "Break"
    assert contact_changes(beat) == contact_changes(pause) == []


def test_an_agent_event_has_the_fields_of_connects_model() -> None:
    event = Newsroom().play(*TAKEN, act(ada_consults_grace), act(grace_takes_it)).agent_events[-1]
    assert set(event) == {
        "AWSAccountId",
        "AgentARN",
        "CurrentAgentSnapshot",
        "EventId",
        "EventTimestamp",
        "EventType",
        "InstanceARN",
        "PreviousAgentSnapshot",
        "Version",
    }
    snapshot = event["CurrentAgentSnapshot"]
    assert set(snapshot) == {"AgentStatus", "Configuration", "Contacts", "NextAgentStatus"}
    assert set(snapshot["AgentStatus"]) == {"ARN", "Name", "StartTimestamp", "Type"}
    (contact,) = snapshot["Contacts"]
    assert set(contact) == {
        "Channel",
        "ConnectedToAgentTimestamp",
        "ContactId",
        "GlobalResiliencyMetadata",
        "InitialContactId",
        "InitiationMethod",
        "Queue",
        "QueueTimestamp",
        "State",
        "StateStartTimestamp",
    }
    assert (contact["InitialContactId"], contact["InitiationMethod"]) == ("first", "TRANSFER")


def test_a_first_contact_has_no_initial_one_in_an_agent_event() -> None:
    (contact,) = Newsroom().play(*TAKEN).agent_events[-1]["CurrentAgentSnapshot"]["Contacts"]
    assert contact["InitialContactId"] is None


def test_a_hold_does_not_show_in_the_timestamps_of_its_contact() -> None:
    room = Newsroom().play(*TAKEN, act(agent_holds))
    talk, hold = (e["CurrentAgentSnapshot"]["Contacts"][0] for e in room.agent_events[-2:])
    assert hold == talk | {"State": "CONNECTED_ONHOLD"}


def test_a_contact_event_has_connects_envelope_and_the_moments_so_far() -> None:
    room = Newsroom().play(*TAKEN, act(customer_hangs_up))
    event = room.contact_events[-1]
    assert set(event) == {
        "account",
        "detail",
        "detail-type",
        "id",
        "region",
        "resources",
        "source",
        "time",
        "version",
    }
    detail = event["detail"]
    assert (event["source"], detail["eventType"]) == ("aws.connect", "DISCONNECTED")
    assert detail["contactId"] == "first"
    assert "initialContactId" not in detail
    assert detail["tags"] == {"aws:connect:instanceId": INSTANCE.rpartition("/")[2]}
    assert detail["instanceArn"].startswith("arn:aws::connect:")
    assert (
        detail["initiationTimestamp"]
        < detail["queueInfo"]["enqueueTimestamp"]
        < detail["agentInfo"]["connectedToAgentTimestamp"]
        < detail["disconnectTimestamp"]
    )


def test_a_contact_event_of_a_transfer_names_the_contacts_before_it() -> None:
    room = Newsroom().play(*TAKEN, act(ada_consults_grace))
    detail = room.contact_events[-1]["detail"]
    assert detail["eventType"] == "INITIATED"
    assert (detail["initialContactId"], detail["previousContactId"]) == ("first", "first")
    assert "agentInfo" not in detail
