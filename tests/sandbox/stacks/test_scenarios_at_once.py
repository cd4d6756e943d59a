"""The ten calls of ``sandbox/connect/scenarios.py``, five of each at once, through the
deployed stacks."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from sandbox.asapp.conversations import Conversation
from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.connect.scenarios import CALLS, Act, Scene, sequence
from sandbox.demo.played_call import Call, play_all
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox
from tests.sandbox.simulated import INSTANCE

SILENT = Conversation("silent", "Nobody speaks", "en-US", ())
AT_THE_SAME_MOMENT = 6
"""So many acts: for each invocation under way the emulator starts a process, and on a small machine
fifty at once would outlast a flow's eight seconds."""


def test_fifty_calls_at_once_are_all_told_right(sandbox: Sandbox) -> None:
    names = [*CALLS] * 5
    all_talk = threading.Barrier(len(names))
    turns = threading.Semaphore(AT_THE_SAME_MOMENT)

    def in_turn(act: Act) -> Act:
        def does(scene: Scene) -> None:
            with turns:
                act.does(scene)

        return Act(does, act.told)

    def fifty_talk(_: Scene) -> None:
        all_talk.wait(timeout=600)

    def acts(acts: Sequence[Act]) -> list[Act]:
        """No call goes on before all fifty are transcribed."""
        first_start = next(place for place, act in enumerate(acts) if act.told)
        played = [in_turn(act) for act in acts]
        return [*played[: first_start + 1], Act(fifty_talk), *played[first_start + 1 :]]

    calls = [
        (Call(sandbox.deployment, sandbox.asapp, SILENT, number), name)
        for number, name in enumerate(names)
    ]
    disorder = Disorder(duplicate=0.3, late_ms=(0, 500), seed=5)
    with ConnectEvents(sandbox, disorder) as events:
        play_all([(call, acts(CALLS[name])) for call, name in calls], events)
    time.sleep(3)  # a duplicate that asks for something would come late
    told = {(call.number, name): call.told for call, name in calls}
    assert told == {(number, name): sequence(CALLS[name]) for number, name in told}
    assert {state(sandbox, call) for call, _ in calls} == {("ended", "stopped")}


def test_a_hang_up_reaches_asapp_where_no_agent_event_comes(sandbox: Sandbox) -> None:
    call = Call(sandbox.deployment, sandbox.asapp, SILENT, 1)
    acts = CALLS["the customer hangs up first"]
    with ConnectEvents(sandbox, Disorder()) as events:
        events.agents = AgentEvents(call.contact.instance_arn)
        call.play(acts, events)
    assert call.told == sequence(acts)


def test_events_come_twice_and_an_agents_own_first_in_order(sandbox: Sandbox) -> None:
    agents = [Agent(str(n), f"{INSTANCE}/agent/{uuid.uuid4()}") for n in range(4)]
    contact = Contact(str(uuid.uuid4()), INSTANCE, channel="CHAT")
    with ConnectEvents(sandbox, Disorder(duplicate=0.5, seed=1)) as events:
        for _ in range(10):
            for agent in agents:
                events.agents.sees(agent, contact, "CONNECTED")
    put = [event for event in records(sandbox) if event["AgentARN"] in {a.arn for a in agents}]
    distinct = list({event["EventId"]: event for event in put}.values())
    assert len(distinct) == 40 < len(put)
    for agent in agents:
        own = [event["EventTimestamp"] for event in distinct if event["AgentARN"] == agent.arn]
        assert own == sorted(own)


def test_the_deployed_rule_takes_the_end_of_a_call_and_nothing_else(sandbox: Sandbox) -> None:
    pattern, _ = sandbox.deployment.contact_event_rule
    eventbridge = sandbox.deployment.emulator.client("events")
    instance = sandbox.deployment.settings.connect.instance_arn

    def taken(contact: Contact, type: str) -> bool:
        (event,) = published(contact, type)
        answer = eventbridge.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
        return bool(answer["Result"])

    call, chat = Contact("1", instance), Contact("2", instance, channel="CHAT")
    others = "INITIATED", "QUEUED", "CONNECTED_TO_SYSTEM", "CONNECTED_TO_AGENT", "COMPLETED"
    assert taken(call, "DISCONNECTED")
    assert not any(taken(call, type) for type in others)
    assert not taken(chat, "DISCONNECTED")
    assert not taken(Contact("3", INSTANCE), "DISCONNECTED")


def published(contact: Contact, type: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    ContactEvents(events.append).tell(contact, type)
    return events


def records(sandbox: Sandbox) -> list[dict[str, Any]]:
    """All that the stream of agent events holds, shard by shard."""
    kinesis = sandbox.deployment.emulator.client("kinesis")
    name = sandbox.deployment.agent_event_stream_name
    found = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        where = {"StreamName": name, "ShardId": shard["ShardId"]}
        place = kinesis.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")
        while True:
            page = kinesis.get_records(ShardIterator=place["ShardIterator"], Limit=1000)
            if not page["Records"]:
                break
            found += [json.loads(record["Data"]) for record in page["Records"]]
            place = {"ShardIterator": page["NextShardIterator"]}
    return found


def state(sandbox: Sandbox, call: Call) -> tuple[str, str]:
    """Of the call, and what ASAPP does, as the table has it."""
    items = sandbox.deployment.conversation(call.contact.contact_id)
    (item,) = (item for item in items if item["item"] == "conversation")
    return item["state"], item["asapp"]
