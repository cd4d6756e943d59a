"""Hundreds of calls at a time through the deployed handlers, on a virtual clock, while ASAPP, AWS
and Lambda fail at random."""

from __future__ import annotations

import base64
import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from follow_agent_events import handler as follow_agent_events
from follow_contact_events import handler as follow_contact_events
from follow_contact_events.handler import NotFollowed
from shared import environment
from shared.asapp.media_gateway import Asapp
from shared.asapp.requests import Credentials
from shared.aws import api
from shared.calls.conversation_table import Conversations
from shared.runtime import Deadline
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming

from .faulty import Faults, FaultyAsapp, FaultyDynamoDb, Stream
from .side_by_side import BEGIN, Killed, Timeline

Json = dict[str, Any]
INSTANCE = "arn:aws:connect:us-east-1:111111111111:instance/i-1"
METHODS = ("INBOUND", "OUTBOUND", "CALLBACK", "API", "WEBRTC_API", "EXTERNAL_OUTBOUND")
FLOW_SECONDS, EVENT_SECONDS = 7.0, 30.0
BLOCK_SECONDS = 8.0
KINESIS_RETRIES = 5
ASYNC_RETRY_SECONDS = (60, 120)
MOST_KILLS = 3
"""So often one event's function is killed in a row: a dead letter is not what this is about."""


@dataclass
class Span:
    """What truly was in a call: who talked with the caller, nobody during a hold (``""``)."""

    guid: str
    agents: frozenset[str]
    began: float
    ended: float


@dataclass
class Report:
    """
    :ivar answers: What the flows were told, by status and reason.
    :ivar deaths: The calls of which an invocation was ended, or could not write down what came of
        its requests, and when.
    """

    spans: list[Span]
    streams: list[Stream]
    running: dict[str, Stream]
    table: FaultyDynamoDb
    refused: set[str]
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    deaths: list[tuple[str, float]] = field(default_factory=list)
    dead_letters: int = 0
    seconds: float = 0


class Soak:
    """
    :param rate: The share of exchanges with ASAPP and DynamoDB that fail or are slow.
    :param kills: The share of invocations that Lambda ends midway.
    """

    def __init__(self, seed: int, *, calls: int, rate: float, kills: float) -> None:
        self.rng = random.Random(seed)  # noqa: S311 (the same calls every time is the point)
        self.timeline = Timeline()
        self.faults = Faults(random.Random(seed + 1), rate)  # noqa: S311
        self.asapp = FaultyAsapp(self.timeline, self.faults)
        self.dynamodb = FaultyDynamoDb(self.timeline, self.faults)
        self.calls, self.kills = calls, kills
        self.spans: list[Span] = []
        self.answers: Counter[str] = Counter()
        self.deaths: list[tuple[str, float]] = []
        self.dead_letters = 0
        self.shards: defaultdict[str, list[Json]] = defaultdict(list)
        self.read: set[str] = set()
        self.snapshots: dict[str, dict[str, Json]] = {}

    def run(self) -> Report:
        random.seed(self.rng.random())  # of the pauses between tries
        with deployed(self.timeline, self.asapp, self.dynamodb), watched(self.not_noted):
            for number in range(self.calls):
                begins = BEGIN + self.rng.uniform(0, 1_800)
                call = Call(self, f"c{number}", random.Random(self.rng.random()))  # noqa: S311
                if number % 30 == 7:
                    self.asapp.refused.add(f"c{number}")
                self.timeline.at(begins, call.play)
            self.timeline.run()
        return Report(
            self.spans,
            self.asapp.streams,
            self.asapp.running,
            self.dynamodb,
            self.asapp.refused,
            len(self.asapp.asked),
            self.faults.counts,
            self.answers,
            self.deaths,
            self.dead_letters,
            self.timeline.seconds - BEGIN,
        )

    def not_noted(self, conversation_id: str) -> None:
        self.deaths.append((conversation_id, self.timeline.seconds))

    # Lambda.

    def invoke(
        self, handler: Callable[[Any, Any], Any], event: Json, seconds: float, tries: int
    ) -> Any:
        """:raises Killed: if Lambda ends the function, by chance or because its time is over."""
        task, rng = self.timeline.task, self.faults.rng
        ends = self.timeline.seconds + seconds
        left = rng.randrange(1, 10) if tries < MOST_KILLS and rng.random() < self.kills else 0

        def on_wait() -> None:
            nonlocal left
            if self.faults.rate and rng.random() < 0.004:
                self.faults.counts["frozen"] += 1
                self.timeline.wait(rng.uniform(1, 10))
            left -= 1
            if left == 0:
                self.faults.counts["killed"] += 1
                raise Killed
            if self.timeline.seconds > ends:
                self.faults.counts["timed out"] += 1
                raise Killed

        task.on_wait = on_wait
        try:
            return handler(event, Context(self.timeline, ends))
        except Killed:
            self.deaths += [(guid, self.timeline.seconds) for guid in guids_of(event)]
            raise
        finally:
            task.on_wait = None

    def block(self, handler: Callable[[Any, Any], Any], event: Json) -> None:
        """A flow's Lambda block: up to three retries, all within its time."""
        ends = self.timeline.seconds + BLOCK_SECONDS
        for tries in range(4):
            try:
                answer = self.invoke(handler, event, FLOW_SECONDS, tries)
            except Killed:
                if self.timeline.seconds > ends:
                    break
                self.timeline.wait(0.1)
                continue
            self.answers[f"{answer['status']} {answer['reason']}".strip()] += 1
            return
        self.answers["no answer"] += 1

    # Events.

    def agent_sees(self, agent: str, contact: str, initial: str, state: str, method: str) -> None:
        before = self.snapshots.get(agent, {})
        after = {**before, contact: contact_of(contact, initial, state, method)}
        self.snapshots[agent] = {k: v for k, v in after.items() if v["State"] != "ENDED"}
        at = datetime.fromtimestamp(self.timeline.seconds, UTC).isoformat(timespec="milliseconds")
        event = {
            "AgentARN": f"{INSTANCE}/agent/{agent}",
            "EventTimestamp": at.replace("+00:00", "Z"),
            "EventType": "STATE_CHANGE",
            "PreviousAgentSnapshot": {"Contacts": list(before.values())},
            "CurrentAgentSnapshot": {"Contacts": list(after.values())},
        }
        self.shards[agent].append(event)
        self.timeline.at(
            self.timeline.seconds + self.rng.uniform(0.2, 4), partial(self.read_shard, agent)
        )

    def read_shard(self, agent: str) -> None:
        """Bring what waits, in order; one batch of a shard is under way at a time."""
        if agent in self.read:
            return
        self.read.add(agent)
        tries = 0
        while waiting := self.shards[agent][:10]:
            records = [
                {"kinesis": {"sequenceNumber": str(number), "data": encoded(event)}}
                for number, event in enumerate(waiting)
            ]
            try:
                answer = self.invoke(
                    follow_agent_events.handler, {"Records": records}, EVENT_SECONDS, tries
                )
                failed = answer["batchItemFailures"]
                done = int(failed[0]["itemIdentifier"]) if failed else len(waiting)
            except Killed:
                done = 0
            if done:
                tries = 0
            elif tries == KINESIS_RETRIES:
                self.dead_letters += 1
                done, tries = 1, 0
            else:
                tries += 1
                self.timeline.wait(1)
            del self.shards[agent][:done]
            if self.rng.random() < 0.1:  # at least once: the first of them comes again
                self.shards[agent][:0] = waiting[:1]
        self.read.discard(agent)

    def contact_is_over(self, contact: str, initial: str) -> None:
        if self.rng.random() < 0.05:
            return  # lost
        detail = {
            "contactId": contact,
            "initialContactId": initial,
            "channel": "VOICE",
            "eventType": "DISCONNECTED",
            "disconnectTimestamp": datetime.fromtimestamp(self.timeline.seconds, UTC).isoformat(),
        }
        at = self.timeline.seconds + self.rng.uniform(0.2, 6)
        self.timeline.at(at, partial(self.bring_contact_event, {"detail": detail}, 0))

    def bring_contact_event(self, event: Json, tries: int) -> None:
        try:
            self.invoke(follow_contact_events.handler, event, EVENT_SECONDS, tries)
        except (Killed, NotFollowed):
            if tries < len(ASYNC_RETRY_SECONDS):
                at = self.timeline.seconds + ASYNC_RETRY_SECONDS[tries]
                self.timeline.at(at, partial(self.bring_contact_event, event, tries + 1))
            else:
                self.dead_letters += 1


class Call:
    """One call: what people do in it, and what Connect makes of it."""

    def __init__(self, soak: Soak, guid: str, rng: random.Random) -> None:
        self.soak, self.guid, self.rng = soak, guid, rng
        self.method = rng.choice(METHODS)
        self.contacts = 0
        self.talking: frozenset[str] | None = None
        self.since = 0.0

    def play(self) -> None:
        ada, grace = f"ada-{self.guid}", f"grace-{self.guid}"
        first = self.answered(ada)
        for _ in range(self.rng.randrange(3)):
            self.pause()
            self.holds(ada, first)
            self.pause()
            self.resumes(ada, first)
        self.pause()
        match self.rng.choice(("hang up", "agent leaves", "warm", "cold", "back", "while held")):
            case "agent leaves":
                self.leaves(ada, first)
                self.flow(stop_streaming.handler, f"{self.guid}-bye", method="DISCONNECT")
            case "warm":
                self.holds(ada, first)
                second = self.answered(grace)
                self.pause()
                self.leaves(ada, first, still=grace)
                self.pause()
                self.leaves(grace, second)
            case "cold":
                self.leaves(ada, first)
                self.flow(stop_streaming.handler, f"{self.guid}-queue", method="TRANSFER")
                self.soak.timeline.wait(self.rng.uniform(5, 60))
                second = self.answered(grace)
                self.pause()
                self.leaves(grace, second)
            case "back":
                self.holds(ada, first)
                second = self.answered(grace)
                self.pause()
                self.leaves(grace, second)
                self.pause()
                self.resumes(ada, first)
                self.pause()
                self.leaves(ada, first)
            case "while held":
                self.holds(ada, first)
                self.pause()
                self.leaves(ada, first)
            case _:
                self.leaves(ada, first)

    def pause(self) -> None:
        self.soak.timeline.wait(self.rng.uniform(45, 120))

    def answered(self, agent: str) -> str:
        """:returns: The contact."""
        contact = f"{self.guid}-{self.contacts}" if self.contacts else self.guid
        self.contacts += 1
        self.now(None)
        self.flow(start_streaming.handler, contact, agent)
        self.soak.timeline.wait(self.rng.uniform(0.2, 1))
        self.sees(agent, contact, "CONNECTED")
        self.now(agent)
        return contact

    def holds(self, agent: str, contact: str) -> None:
        self.sees(agent, contact, "CONNECTED_ONHOLD")
        self.now("")
        if self.rng.random() < 0.8:
            late = self.soak.timeline.seconds + self.rng.uniform(0, 0.5)
            stop = partial(self.flow, stop_streaming.handler, contact)
            self.soak.timeline.at(late, stop)

    def resumes(self, agent: str, contact: str) -> None:
        self.sees(agent, contact, "CONNECTED")
        self.now(agent)

    def leaves(self, agent: str, contact: str, *, still: str = "") -> None:
        self.now(still or None)
        self.sees(agent, contact, "ENDED")
        self.soak.contact_is_over(contact, self.guid)

    def sees(self, agent: str, contact: str, state: str) -> None:
        self.soak.agent_sees(agent, contact, self.guid, state, self.method)

    def flow(
        self,
        handler: Callable[[Any, Any], Any],
        contact: str,
        agent: str = "",
        *,
        method: str = "",
    ) -> None:
        timeline = self.soak.timeline
        began = timeline.now_ms()
        audio = {
            "StreamARN": f"arn:aws:kinesisvideo:us-east-1:111111111111:stream/{contact}/1",
            "StartTimestamp": str(began),
            "StartFragmentNumber": f"{began:047d}",
        }
        parameters = {"agentId": agent, "agentArn": f"{INSTANCE}/agent/{agent}" if agent else ""}
        data = {
            "ContactId": contact,
            "InitialContactId": self.guid,
            "InitiationMethod": method or self.method,
            "MediaStreams": {"Customer": {"Audio": audio}},
        }
        self.soak.block(handler, {"Details": {"ContactData": data, "Parameters": parameters}})

    def now(self, talking: str | None) -> None:
        """From now on this agent talks with the caller; ``""``: it is a hold; None: neither."""
        seconds = self.soak.timeline.seconds
        if self.talking is not None:
            self.soak.spans.append(Span(self.guid, self.talking, self.since, seconds))
        self.talking = None if talking is None else frozenset((talking,)) - {""}
        self.since = seconds


class Context:
    def __init__(self, timeline: Timeline, ends: float) -> None:
        self.timeline, self.ends = timeline, ends

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - self.timeline.seconds) * 1000)


@contextmanager
def deployed(timeline: Timeline, asapp: FaultyAsapp, dynamodb: FaultyDynamoDb) -> Iterator[None]:
    """The handlers, with these behind their clients."""
    conversations = Conversations("transcripts", 86_400)
    client = Asapp(asapp, lambda _fresh, _deadline: Credentials("id", "secret"), {})  # type: ignore[arg-type]

    def deadline(context: Context) -> Deadline:
        return Deadline(context.get_remaining_time_in_millis() / 1000 - 0.5, timeline)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "START_SELECTOR": "FRAGMENT_NUMBER",
        }.items():
            patch.setenv(name, value)
        patch.setattr(environment, "asapp", lambda: client)
        patch.setattr(environment, "conversations", lambda: conversations)
        patch.setattr(environment, "deadline", deadline)
        patch.setattr(api, "_origin", lambda _: dynamodb)
        yield


@contextmanager
def watched(not_noted: Callable[[str], None]) -> Iterator[None]:
    """Hears of each conversation for which the table could not be told what ASAPP has answered."""

    class Watcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                not_noted(vars(record).get("conversationId", ""))

    watcher, logger = Watcher(), logging.getLogger("shared.calls.asapp_sync")
    logger.addHandler(watcher)
    yield
    logger.removeHandler(watcher)


def guids_of(event: Json) -> set[str]:
    """The calls that an event is about."""
    if "Details" in event:
        return {event["Details"]["ContactData"]["InitialContactId"]}
    if "detail" in event:
        return {event["detail"]["initialContactId"]}
    agents = (
        json.loads(base64.b64decode(record["kinesis"]["data"]))["AgentARN"]
        for record in event["Records"]
    )
    return {agent.rpartition("-")[2] for agent in agents}


def contact_of(contact: str, initial: str, state: str, method: str) -> Json:
    return {
        "ContactId": contact,
        "InitialContactId": None if contact == initial else initial,
        "Channel": "VOICE",
        "InitiationMethod": method,
        "State": state,
    }


def encoded(event: Json) -> str:
    return base64.b64encode(json.dumps(event).encode()).decode()
