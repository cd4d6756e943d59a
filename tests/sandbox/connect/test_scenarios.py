"""What ASAPP is told in each of the ten calls of ``sandbox/connect/scenarios.py``.

Connect's flows and events come in any order, twice, and with one failure on the way. The handlers
run in this process, on a clock of their own, with the protocols of DynamoDB and ASAPP on real
sockets. After a failure the test does what AWS documents. The same calls go through
the deployed stacks in ``test_scenarios_at_once.py``.
"""

from __future__ import annotations

import base64
import json
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from queue import SimpleQueue
from typing import Any

import boto3
import pytest

import shared.calls.asapp_sync
import shared.runtime
from connect_flows.flow import Flow
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, outbound_whisper
from follow_agent_events import handler as follow_agent_events
from follow_contact_events import handler as follow_contact_events
from follow_contact_events.handler import NotFollowed
from sandbox.asapp.double import AsappDouble, Failure
from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.flow_state import LambdaFailed
from sandbox.connect.scenarios import CALLS, Scene, flows, sequence
from sandbox.connect.voice_call import ConnectCall, PublishedFlow
from shared import environment
from shared.calls.conversation_table import Conversations
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.aws_server import moto, serving
from tests.sandbox.simulated import INSTANCE, Clock

Json = dict[str, Any]
TABLE = "transcripts"
REGION = "eu-central-1"  # in which no other test has tables
START = "arn:aws:lambda:us-east-1:000000000000:function:start:live"
STOP = "arn:aws:lambda:us-east-1:000000000000:function:stop:live"
SECONDS_BETWEEN_ACTS = 20
RETRY_ATTEMPTS = 5  # of the event source mapping
ASYNC_RETRY_SECONDS = (60, 120)
LONGEST_INVOCATION_SECONDS = 6.5  # as long as the functions try a throttled write
NOTICE, NOTE = "UpdateItem", "TransactWriteItems"
"""The writes of what was seen of a call, and of what came of the requests."""


class Killed(BaseException):
    """Lambda ended the function after ASAPP's answer and before the note of it."""


class Timeline(Clock):
    """Stands in for the module ``time`` in the functions: minutes of a call pass at once."""

    gmtime, strftime = staticmethod(time.gmtime), staticmethod(time.strftime)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds

    def time_ns(self) -> int:
        return int(self.seconds * 1e9)


def hold_time(clock: Timeline, patch: pytest.MonkeyPatch, quick_seconds: float = 0.0) -> None:
    """Let the functions live on that clock. They wait for a real socket for as long as it takes on
    a busy machine: a request that they gave up and repeated would be one too many.

    :param quick_seconds: Waits of at most that length are real: a test lets them end.
    """
    for module in (shared.runtime, shared.calls.asapp_sync):
        patch.setattr(module, "time", clock, raising=False)

    def take(_: object, queue: SimpleQueue[Any], seconds: float) -> Any:
        return queue.get(timeout=seconds if seconds <= quick_seconds else 120)

    patch.setattr(shared.runtime.Clock, "take", take)


class Table:
    """moto, whose DynamoDB is throttled for some seconds if a test asks for it.

    :ivar writer: The invocation that runs now: ``start ada``, ``stop`` or an event's function.
    :ivar writes: Who wrote, and by which operation, since `begin`.
    :ivar throttled_until: When it takes writes again; None before it was throttled.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.writer = ""
        self.begin()

    def begin(self, throttled_at: int | None = None, seconds: float = 0) -> None:
        self.writes: list[tuple[str, str]] = []
        self.throttled_until: float | None = None
        self._throttled_at, self._seconds = throttled_at, seconds

    def __call__(self, environ: Any, start_response: Any) -> Any:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if operation in (NOTICE, NOTE):
            if len(self.writes) == self._throttled_at:
                self.throttled_until = self._clock() + self._seconds
            self.writes.append((self.writer, operation))
            if self._clock() < (self.throttled_until or 0):
                name = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
                body = json.dumps({"__type": name, "message": "slow down"}).encode()
                headers = [("Content-Length", str(len(body)))]
                start_response("400 Bad Request", headers)
                return [body]
        return moto(environ, start_response)


class MortalConversations(Conversations):
    """The table's client of functions, one of which is killed before it can write down what came of
    its requests.

    :ivar settled: How often that was to be written.
    """

    dies_at: int | None = None
    settled = 0

    def settle(self, *args: Any, **how: Any) -> bool:
        self.settled += 1
        if self.settled - 1 == self.dies_at:
            raise Killed
        return super().settle(*args, **how)


@dataclass
class Functions:
    """The four functions, as their event sources invoke them."""

    clock: Timeline
    asapp: AsappDouble
    table: Table
    conversations: MortalConversations
    dynamodb: Any
    before_each: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """With an empty table, which moto copies whole at each transaction."""
        with suppress(self.dynamodb.exceptions.ResourceNotFoundException):
            self.dynamodb.delete_table(TableName=TABLE)
        keys = (("conversationId", "HASH"), ("item", "RANGE"))
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k, _ in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        )
        self.clock.sleep(3_600)

    def invoke(self, handler: Callable[[Any, Any], Any], event: Json, seconds: float) -> Any:
        self.before_each()
        details = event.get("Details", {"Parameters": {}})
        agent_id = details["Parameters"].get("agentId")
        self.table.writer = f"start {agent_id}" if agent_id else handler.__module__
        self.clock.sleep(0.05)
        try:
            return handler(json.loads(json.dumps(event)), Context(self.clock, seconds))
        finally:
            self.clock.sleep(0.05)

    def for_flow(self, arn: str, event: Json, seconds: float) -> Any:
        handler = {START: start_streaming.handler, STOP: stop_streaming.handler}[arn]
        try:
            return self.invoke(handler, event, 7)
        except Killed:
            raise LambdaFailed("Runtime.ExitError") from None


class Context:
    def __init__(self, clock: Timeline, seconds: float) -> None:
        self._clock, self._end = clock, clock() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - self._clock()) * 1000)


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    clock = Timeline()
    table = Table(clock)
    with (
        serving(table) as endpoint,
        pytest.MonkeyPatch.context() as patch,
        AsappDouble() as asapp,
    ):
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "ASAPP_API_HOST": asapp.url,
            "ASAPP_CREDENTIALS_SECRET": "asapp",
            "TRANSCRIPTION_SWITCH": "switch",
            "TRANSCRIPT_TABLE": TABLE,
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "START_SELECTOR": "FRAGMENT_NUMBER",
        }.items():
            patch.setenv(name, value)
        secret = json.dumps({"apiId": asapp.api_id, "apiSecret": asapp.api_secret})
        boto3.client("secretsmanager").create_secret(Name="asapp", SecretString=secret)
        boto3.client("ssm").put_parameter(Name="switch", Value="enabled", Type="String")
        conversations = MortalConversations(TABLE, 86_400)
        patch.setattr(environment, "conversations", lambda: conversations)
        environment.asapp.cache_clear()
        hold_time(clock, patch)
        yield Functions(clock, asapp, table, conversations, boto3.client("dynamodb"))
        environment.asapp.cache_clear()


# One failure on the way.


@dataclass(frozen=True)
class Fault:
    """One failure.

    *vendor 503*: of all tries of an invocation. *answer lost*: ASAPP has done it, and says 503.
    *throttled table*: for less time than an invocation has. *long throttled table*: for more.
    *killed*: between ASAPP's answer and the note of it.

    :param at: The how-manyth it meets in a call, from 0: of the requests of an action, of the
        writes, of the notes.
    :param action: ``start-streaming`` or ``stop-streaming``, if it is ASAPP's.
    """

    kind: str
    at: int
    action: str = ""


FAILURES = {
    "vendor 503": (Failure(503), 4),
    "answer lost": (Failure(503, takes_effect=True), 1),
}
THROTTLED_SECONDS = {
    "throttled table": LONGEST_INVOCATION_SECONDS / 2,
    "long throttled table": LONGEST_INVOCATION_SECONDS + 0.5,
}


def inject(functions: Functions, fault: Fault | None) -> Callable[[], bool]:
    """Have the next call meet it; tells afterwards whether it has."""
    kind = fault.kind if fault else ""
    if fault and kind in THROTTLED_SECONDS:
        functions.table.begin(fault.at, THROTTLED_SECONDS[kind])
    else:
        functions.table.begin()
    functions.conversations.settled = 0
    functions.conversations.dies_at = fault.at if fault and kind == "killed" else None
    asapp, began = functions.asapp, len(functions.asapp.requests)
    to_come = [FAILURES[kind]] if kind in FAILURES else []

    def arm() -> None:
        if fault and to_come:
            asked = [r for r in asapp.requests[began:] if r.action == fault.action]
            if len(asked) == fault.at:
                failure, times = to_come.pop()
                asapp.fail_next(fault.action, failure, times)

    def met() -> bool:
        if fault and kind == "killed":
            return functions.conversations.settled > fault.at
        if kind in THROTTLED_SECONDS:
            return functions.table.throttled_until is not None
        refused = [request for request in asapp.requests[began:] if request.status == 503]
        return len(refused) == FAILURES.get(kind, (None, 0))[1]

    functions.before_each = arm
    return met


# How events travel.


class Travel:
    """Brings Connect's events to the functions, at once and in the order of their publication.

    Agent events come in their order, as the shard of an agent has them; contact events in any.
    """

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.late: list[tuple[float, int, Json]] = []
        """Contact events that come again: when, after how many tries."""

    def agent_event(self, event: Json) -> None:
        self.bring_agent_events([event])

    def contact_event(self, event: Json) -> None:
        self.bring_contact_event(event)

    def act_ends(self) -> None:
        """Near real time: what was published in an act of the call has come before the next."""

    def call_ends(self) -> None:
        for due, _, _ in list(self.late):
            self.functions.clock.seconds = max(self.functions.clock.seconds, due)
            self.bring_late_ones()

    def bring_late_ones(self) -> None:
        due = [each for each in self.late if each[0] <= self.functions.clock()]
        self.late = [each for each in self.late if each not in due]
        for _, tries, event in due:
            self.bring_contact_event(event, tries)

    def bring_agent_events(self, events: Sequence[Json]) -> None:
        """One batch of one agent, and what the event source mapping makes of a failure."""
        left = list(events)
        for _ in range(1 + RETRY_ATTEMPTS):
            records = [
                {
                    "eventSource": "aws:kinesis",
                    "kinesis": {
                        "sequenceNumber": str(number),
                        "partitionKey": event["AgentARN"],
                        "data": base64.b64encode(json.dumps(event).encode()).decode(),
                    },
                }
                for number, event in enumerate(left)
            ]
            try:
                answer = self.functions.invoke(
                    follow_agent_events.handler, {"Records": records}, 30
                )
            except Killed:
                self.functions.clock.sleep(1)
                if len(left) > 1:  # bisected
                    self.bring_agent_events(left[: len(left) // 2])
                    self.bring_agent_events(left[len(left) // 2 :])
                    return
                continue
            failed = [int(each["itemIdentifier"]) for each in answer["batchItemFailures"]]
            if not failed:
                return
            left = left[min(failed) :]
            self.functions.clock.sleep(1)
        raise AssertionError("an agent event is a dead letter")

    def bring_contact_event(self, event: Json, tries: int = 0) -> None:
        try:
            self.functions.invoke(follow_contact_events.handler, event, 30)
        except (Killed, NotFollowed):
            assert tries < len(ASYNC_RETRY_SECONDS), "a contact event is a dead letter"
            due = self.functions.clock() + ASYNC_RETRY_SECONDS[tries]
            self.late.append((due, tries + 1, event))


class AfterTheFlows(Travel):
    """The flows of an act are first; then come the events, an agent's in one batch."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions)
        self.agents: defaultdict[str, list[Json]] = defaultdict(list)
        self.contacts: list[Json] = []

    def agent_event(self, event: Json) -> None:
        self.agents[event["AgentARN"]].append(event)

    def contact_event(self, event: Json) -> None:
        self.contacts.append(event)

    def act_ends(self) -> None:
        for events in self.agents.values():
            self.bring_agent_events(events)
        for event in self.contacts:
            self.bring_contact_event(event)
        self.agents.clear()
        self.contacts.clear()


class Twice(Travel):
    """Each event twice in a row; after each act again all of an agent's so far, and all contact
    events so far, the newest first."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions)
        self.agents: defaultdict[str, list[Json]] = defaultdict(list)
        self.contacts: list[Json] = []

    def agent_event(self, event: Json) -> None:
        self.agents[event["AgentARN"]].append(event)
        self.bring_agent_events([event, event])

    def contact_event(self, event: Json) -> None:
        self.contacts.append(event)
        for _ in range(2):
            self.bring_contact_event(event)

    def act_ends(self) -> None:
        for events in self.agents.values():
            self.bring_agent_events(events[-10:])
        for event in reversed(self.contacts):
            self.bring_contact_event(event)


class WithoutContactEvents(Travel):
    """They are best effort: all are lost."""

    def contact_event(self, event: Json) -> None:
        pass


class WithoutAgentEvents(Travel):
    """As if the instance's stream could not be read."""

    def agent_event(self, event: Json) -> None:
        pass


class LateEnds(Travel):
    """That an agent has no part in a call any more comes only after the flows of the next act: the
    next agent's whisper overtakes it."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions)
        self.held: defaultdict[str, list[Json]] = defaultdict(list)
        self.old: list[list[Json]] = []

    def agent_event(self, event: Json) -> None:
        states = {each["State"] for each in event["CurrentAgentSnapshot"]["Contacts"]}
        if self.held[event["AgentARN"]] or states & {"ENDED", "MISSED"}:
            self.held[event["AgentARN"]].append(event)
        else:
            super().agent_event(event)

    def act_ends(self) -> None:
        for events in self.old:
            self.bring_agent_events(events)
        self.old = [events for events in self.held.values() if events]
        self.held.clear()

    def call_ends(self) -> None:
        self.act_ends()
        self.act_ends()
        super().call_ends()


class Shuffled(AfterTheFlows):
    """Some events before a flow that they race, some after it, agents in any order with each other;
    contact events in any order, some only when the call is long over; some of all twice."""

    def __init__(self, functions: Functions, seed: int) -> None:
        super().__init__(functions)
        self.rng = random.Random(seed)  # noqa: S311 (the same order every time is the point)
        self.read: defaultdict[str, list[Json]] = defaultdict(list)

    def agent_event(self, event: Json) -> None:
        super().agent_event(event)
        self.bring_some()

    def contact_event(self, event: Json) -> None:
        super().contact_event(event)
        self.bring_some()

    def bring_some(self, share: float = 0.5) -> None:
        turns: list[str] = [agent for agent, waiting in self.agents.items() for _ in waiting]
        turns += ["contact"] * len(self.contacts)
        self.rng.shuffle(turns)
        for turn in turns:
            if self.rng.random() > share:
                continue
            if turn == "contact":
                event = self.contacts.pop(self.rng.randrange(len(self.contacts)))
                self.bring_contact_event(event)
                if self.rng.random() < 0.3:
                    self.contacts.append(event)
                continue
            self.read[turn].append(self.agents[turn].pop(0))
            again = 1 if self.rng.random() > 0.3 else self.rng.randint(2, 6)
            self.bring_agent_events(self.read[turn][-again:])

    def act_ends(self) -> None:
        kept = [event for event in self.contacts if self.rng.random() < 0.5]
        self.contacts = [event for event in self.contacts if event not in kept]
        while self.contacts or any(self.agents.values()):
            self.bring_some(1.0)
        self.contacts = kept

    def call_ends(self) -> None:
        while self.contacts:
            self.bring_some(1.0)
        super().call_ends()


TRAVELS: dict[str, Callable[[Functions], Travel]] = {
    "as published": Travel,
    "after the flows": AfterTheFlows,
    "twice": Twice,
    "no contact events": WithoutContactEvents,
    "no agent events": WithoutAgentEvents,
    "ends late": LateEnds,
    "shuffled": partial(Shuffled, seed=1),
}


# One call.


@dataclass
class Heard:
    """What ASAPP was asked in a call.

    :ivar after_acts: With effect, after each act.
    :ivar all: All of it, what ASAPP refused included.
    :ivar writes: The table's writes, and how often of them ASAPP's answer was written down.
    """

    after_acts: list[tuple[str, ...]] = field(default_factory=list)
    with_effect: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    writes: tuple[tuple[str, str], ...] = ()


def ready_made_flow(name: str) -> Mapping[str, Any]:
    return READY[name].content()


def _ready() -> dict[str, Flow]:
    start: Json = {
        "start_function_arn": START,
        "customer_id_path": "$.CustomerEndpoint.Address",
        "agent_id_path": "$.Agent.UserName",
    }
    stop: Json = {"stop_function_arn": STOP}
    hold: Json = {"customer_hold_flow_arn": "Transcription customer hold"}
    agent_left: Json = {"disconnect_flow_arn": "Transcription disconnect"}
    whisper: Json = {"agent_whisper_flow_arn": "Transcription agent whisper"}
    made = [
        agent_whisper(**start),
        outbound_whisper(**start, **hold, **agent_left),
        customer_hold(**stop),
        disconnect(**stop),
        agent_transfer(**stop, **whisper, **hold),
        queue_transfer(**stop, **whisper, **hold),
    ]
    return {flow.name: flow for flow in made}


READY = _ready()


@pytest.fixture(scope="module")
def instance_flows() -> dict[str, PublishedFlow]:
    return flows(ready_made_flow)


def play(
    functions: Functions,
    instance_flows: Mapping[str, PublishedFlow],
    name: str,
    travels: str,
    fault: Fault | None = None,
) -> Heard:
    """Play a call, with an act every twenty seconds."""
    random.seed(name)  # the lengths of pauses: the same in every run
    clock, asapp = functions.clock, functions.asapp
    functions.begin()
    met = inject(functions, fault)
    travel = TRAVELS[travels](functions)
    began = len(asapp.requests)
    runner = FlowRunner(invoke_lambda=functions.for_flow, now=clock)
    agent_events = AgentEvents(INSTANCE, _ticking(clock, travel.agent_event), clock)
    contact_events = ContactEvents(_ticking(clock, travel.contact_event), clock)
    support = Queue(f"{INSTANCE}/queue/1", "Support", None, "Transcription outbound whisper")
    call = ConnectCall(
        runner,
        Contact(
            str(uuid.uuid4()),
            INSTANCE,
            customer_endpoint=Endpoint("+15550100001"),
            queue=support,
        ),
        instance_flows,
        agent_events=agent_events,
        contact_events=contact_events,
    )
    ada, grace = (Agent(who, f"{INSTANCE}/agent/{uuid.uuid4()}") for who in ("ada", "grace"))
    scene = Scene(call, agent_events, contact_events, ada, grace, support)
    heard = Heard()

    def asked(*, with_effect: bool) -> tuple[str, ...]:
        return tuple(
            f"start {request.json()['agentId']}" if request.action == "start-streaming" else "stop"
            for request in asapp.requests[began:]
            if request.took_effect or not with_effect
        )

    for act in CALLS[name]:
        act.does(scene)
        travel.act_ends()
        heard.after_acts.append(asked(with_effect=True))
        clock.sleep(SECONDS_BETWEEN_ACTS)
        travel.bring_late_ones()
    travel.call_ends()
    heard.with_effect, heard.all = asked(with_effect=True), asked(with_effect=False)
    heard.writes = tuple(functions.table.writes)
    assert met(), f"{fault} was not met"
    return heard


def _ticking(clock: Timeline, publish: Callable[[Json], None]) -> Callable[[Json], None]:
    """No two events of Connect's have one time."""

    def tick(event: Json) -> None:
        clock.sleep(0.01)
        publish(event)

    return tick


calls = pytest.mark.parametrize("name", CALLS)


@pytest.fixture(scope="module")
def undisturbed(
    functions: Functions, instance_flows: Mapping[str, PublishedFlow]
) -> Callable[[str, str], Heard]:
    return cache(partial(play, functions, instance_flows))


@calls
@pytest.mark.parametrize("travels", [name for name in TRAVELS if name != "no agent events"])
def test_asapp_is_told_exactly_this(
    undisturbed: Callable[[str, str], Heard], name: str, travels: str
) -> None:
    heard = undisturbed(name, travels)
    assert heard.with_effect == sequence(CALLS[name])
    assert heard.all == heard.with_effect, "nothing is asked in vain"
    if travels == "ends late":
        return
    so_far = [sequence(CALLS[name][: count + 1]) for count in range(len(CALLS[name]))]
    assert heard.after_acts == so_far


def faults(kind: str, undisturbed: Heard) -> list[Fault]:
    """One for each request or note of the call; for the first start's writes, which no event makes
    up for; and, if an invocation fails of it, for each function's last write of each sort."""
    writes = [*enumerate(undisturbed.writes)]
    if kind == "throttled table":
        return [*{operation: Fault(kind, at) for at, (_, operation) in reversed(writes)}.values()]
    if kind == "long throttled table":
        return [*{write: Fault(kind, at) for at, write in writes}.values()]
    if kind == "killed":
        notes = [operation for _, operation in undisturbed.writes if operation == NOTE]
        return [Fault(kind, at) for at in range(len(notes))]
    by_action: defaultdict[str, int] = defaultdict(int)
    found = []
    for request in undisturbed.all:
        action = f"{request.split()[0]}-streaming"
        found.append(Fault(kind, by_action[action], action))
        by_action[action] += 1
    return found


def made_up_for(name: str, fault: Fault, undisturbed: Heard) -> tuple[str, ...]:
    """What ASAPP is told with effect if a call has met a fault: the same, but for two cases.

    A flow's start that the table does not take for as long as the flow waits is known to nobody: no
    event starts an agent's part that no flow has begun to stream, and Connect does not repeat a
    block that has its answer. That part is not transcribed; the rest of the call is.

    A start that ASAPP refuses throughout the whisper is made up for when the agent is connected;
    an agent who drops out never is, and the next one's start is the first.
    """
    whole = sequence(CALLS[name])
    if fault.kind == "long throttled table":
        writer, operation = undisturbed.writes[fault.at]
        if operation == NOTICE and writer.startswith("start "):
            return without(writer, whole)
    first_start = (fault.kind, fault.action, fault.at) == ("vendor 503", "start-streaming", 0)
    if first_start and name == "agent whisper repeated, the first agent dropped":
        return without("start ada", whole)
    return whole


def without(start: str, requests: Sequence[str]) -> tuple[str, ...]:
    """The requests without each such start and the stop behind it."""
    parts = zip(requests[::2], requests[1::2], strict=True)
    return tuple(request for part in parts if part[0] != start for request in part)


FAULTS = {
    "vendor 503": "as published",
    "answer lost": "after the flows",
    "throttled table": "as published",
    "long throttled table": "as published",
    "killed": "after the flows",
}
"""Each kind, and how events travel beside it."""
NOT_NOTED = ("long throttled table", "killed")
"""What came of a request is not written down. If that was a start, the next function cannot know
it, and restarts the stream."""


def restarted_once(told: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """What ASAPP was told, without the one stop and start that follow a start and are not
    expected."""
    for at in range(1, len(told) - 1):
        again = told[at] == "stop" and told[at + 1] == told[at - 1]
        if again and (*told[:at], *told[at + 2 :]) == tuple(expected):
            return tuple(expected)
    return tuple(told)


@calls
@pytest.mark.parametrize("kind", FAULTS)
def test_with_one_failure_asapp_is_told_the_same(
    functions: Functions,
    instance_flows: Mapping[str, PublishedFlow],
    undisturbed: Callable[[str, str], Heard],
    name: str,
    kind: str,
) -> None:
    normal = undisturbed(name, FAULTS[kind])
    told = {
        fault: play(functions, instance_flows, name, FAULTS[kind], fault).with_effect
        for fault in faults(kind, normal)
    }
    if kind in NOT_NOTED:
        told = {
            fault: restarted_once(requests, made_up_for(name, fault, normal))
            for fault, requests in told.items()
        }
    assert told == {fault: made_up_for(name, fault, normal) for fault in told}
    assert len(told) >= 2


@pytest.mark.parametrize("name", ["the customer hangs up first", "hang-up while on hold"])
def test_a_hang_up_needs_no_agent_event_and_comes_again_where_asapp_refused(
    functions: Functions, instance_flows: Mapping[str, PublishedFlow], name: str
) -> None:
    stop = Fault("vendor 503", 0, "stop-streaming")
    for fault in (None, stop):
        heard = play(functions, instance_flows, name, "no agent events", fault)
        assert heard.with_effect == ("start ada", "stop")


def test_without_takes_a_part_out() -> None:
    requests = ("start ada", "stop", "start grace", "stop", "start ada", "stop")
    assert without("start ada", requests) == ("start grace", "stop")
