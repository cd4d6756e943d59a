"""Delivers Connect's events to the deployed stacks.

Agent events go into the emulator's Kinesis stream, which `agent_event_reader` reads. Contact events
cannot go on the emulator's bus, because it refuses AWS's own sources, as AWS does. So we ask the
emulator's EventBridge whether each event matches the pattern of the deployed rule. If it matches,
we invoke the rule's target as EventBridge does: asynchronously, with the whole event. This leaves
out EventBridge's own delivery, its retries and its dead letters.
"""

from __future__ import annotations

import json
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.stacks.deployment import Deployment

Json = dict[str, Any]


@dataclass(frozen=True)
class Disorder:
    """How late and how often events come, within what AWS allows. The events of one agent stay in
    order, but may come again after newer ones. Contact events come in any order.

    :param duplicate: The share of events that come twice.
    :param late_ms: The least and the greatest delay of contact events.
    """

    duplicate: float = 0.0
    late_ms: tuple[int, int] = (0, 0)
    seed: int = 0


class EventReader(Protocol):
    """What reads the stream of agent events."""

    def look(self) -> None:
        """There is a new record."""


class Deployed(Protocol):
    """Where the events go: the sandbox, for instance."""

    @property
    def deployment(self) -> Deployment: ...

    @property
    def agent_event_reader(self) -> EventReader: ...


class ConnectEvents:
    """A context manager: the events of the simulated instance. Its end waits until all arrive,
    unless something has failed.

    :ivar agents: The agents, whose events go into the stream.
    :ivar contacts: The contacts, whose events go to the rule's target.
    """

    def __init__(self, deployed: Deployed, disorder: Disorder) -> None:
        deployment, self._reader = deployed.deployment, deployed.agent_event_reader
        instance_arn = deployment.settings.connect.instance_arn
        self.agents = AgentEvents(instance_arn, self._put)
        self.contacts = ContactEvents(self._send)
        emulator = deployment.emulator
        self._stream = deployment.agent_event_stream_name
        self._kinesis = emulator.client("kinesis")
        self._events = emulator.client("events")
        self._lambda = emulator.client("lambda")
        self._pattern, self._target = deployment.contact_event_rule
        self._disorder = disorder
        self._rng = random.Random(disorder.seed)  # noqa: S311 (a simulation's, not secrets)
        self._again: dict[str, Json] = {}
        self._one = threading.Lock()
        self._pool = ThreadPoolExecutor(16)
        self._under_way: list[Future[None]] = []

    def __enter__(self) -> ConnectEvents:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure:
            self._pool.shutdown(wait=False, cancel_futures=True)
            return
        for event in self._again.values():
            self._write(event)
        self._pool.shutdown()
        for arrival in self._under_way:
            arrival.result()

    def _put(self, event: Json) -> None:
        self._write(event)
        with self._one:
            before = self._again.pop(event["AgentARN"], None)
            if self._rng.random() < self._disorder.duplicate:
                self._again[event["AgentARN"]] = event
        if before:
            self._write(before)

    def _write(self, event: Json) -> None:
        self._kinesis.put_record(
            StreamName=self._stream,
            Data=json.dumps(event).encode(),
            PartitionKey=event["AgentARN"],
        )
        self._reader.look()

    def _send(self, event: Json) -> None:
        with self._one:
            copies = 2 if self._rng.random() < self._disorder.duplicate else 1
            late = [self._rng.uniform(*self._disorder.late_ms) / 1000 for _ in range(copies)]
        for seconds in late:
            self._under_way.append(self._pool.submit(self._arrive, event, seconds))

    def _arrive(self, event: Json, seconds: float) -> None:
        time.sleep(seconds)
        if self._matches(event):
            self._lambda.invoke(
                FunctionName=self._target, InvocationType="Event", Payload=json.dumps(event)
            )

    def _matches(self, event: Json) -> bool:
        """Whether the rule takes the event."""
        text = json.dumps(event)
        answer = self._events.test_event_pattern(EventPattern=self._pattern, Event=text)
        return bool(answer["Result"])
