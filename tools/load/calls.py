"""Plays the scheduled calls, each at its time, through the flows of the deployed stacks."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.asapp.conversations import Utterance
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.scenarios import Scene, flows
from sandbox.connect.voice_call import ConnectCall, PublishedFlow
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.event_delivery import ConnectEvents
from tools.load.schedule import PlannedCall

_SECONDS_AFTER_THE_LAST = 300
MODULES = ("Start transcription", "Stop transcription")
_STACK_BYTES = 512 * 1024


class Speaker(Protocol):
    """ASAPP, which hears what is said in calls.

    :ivar pace: Real seconds for a scripted second.
    """

    pace: float

    def speak(self, guid: str, utterances: Sequence[Utterance]) -> Future[Any]:
        """:returns: Done when everything is posted."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who takes part in a call.

    :param people: Two agents, and their queue.
    :param runner: Runs the flows.
    """

    contact: Contact
    people: tuple[Agent, Agent, Queue]
    runner: FlowRunner

    @classmethod
    def made(cls, deployment: Deployment, number: int) -> Caller:
        settings = deployment.settings
        instance = settings.connect.instance_arn
        ada, grace = (
            Agent(f"agent-{number}{letter}", f"{instance}/agent/{uuid.uuid4()}")
            for letter in ("", "b")
        )
        whisper = "Transcription outbound whisper"
        queue = Queue(f"{instance}/queue/{uuid.uuid4()}", "Support", outbound_whisper=whisper)
        contact = Contact(
            str(uuid.uuid4()),
            instance,
            customer_endpoint=Endpoint(f"+1555{number:07d}"),
            system_endpoint=Endpoint("+15550109999"),
            queue=queue,
        )
        runner = FlowRunner(
            invoke_lambda=deployment.invoke,
            stream_prefix=settings.media_streaming.prefix,
            instance_alias=settings.connect.instance_alias,
            modules={name: deployment.flow(name) for name in MODULES},
        )
        return cls(contact, (ada, grace, queue), runner)


@dataclass(frozen=True, slots=True)
class Done:
    """Something that somebody did in a call. Times are Unix seconds.

    :param due: When it should have begun.
    :param began: When it began: later if this machine is busy.
    :param ended: When the flows had run that follow from it.
    :param told: The requests to ASAPP that follow.
    """

    guid: str
    what: str
    due: float
    began: float
    ended: float
    told: tuple[str, ...]


@dataclass
class Playing:
    """
    :ivar done: What was done, in any order.
    :ivar guids: The calls that have begun.
    :ivar failed: What went wrong in a call, by its id.
    """

    done: list[Done] = field(default_factory=list)
    guids: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def play(
    planned: Sequence[PlannedCall],
    deployment: Deployment,
    asapp: Speaker,
    events: ConnectEvents,
    *,
    begins: Callable[[str], None] = lambda _: None,
    from_: float | None = None,
    tell: Callable[[int, int], None] = lambda _, __: None,
) -> Playing:
    """Play all calls, and wait until the last has ended.

    :param asapp: The double that hears what is said. Everything goes at its pace.
    :param from_: When the run begins, in Unix seconds. Default: now.
    :param begins: Called with the id of each call before it begins.
    :param tell: Called now and then with how many have begun, and how many have ended.
    """
    played, one = Playing(), threading.Lock()
    published = flows(deployment.flow)
    before = threading.stack_size(_STACK_BYTES)
    epoch = from_ or time.time() + 0.5
    threads = []

    def run(caller: Caller, plan: PlannedCall) -> None:
        guid = caller.contact.contact_id
        try:
            begins(guid)
            done = _play(caller, published, plan, epoch, asapp, events)
        except Exception as problem:  # one call must not end the others
            with one:
                played.failed[guid] = f"{type(problem).__name__}: {problem}"
        else:
            with one:
                played.done += done

    try:
        for plan in planned:
            caller = Caller.made(deployment, plan.number)
            _wait_until(epoch + plan.at * asapp.pace)
            played.guids.append(caller.contact.contact_id)
            threads.append(threading.Thread(target=run, args=(caller, plan), daemon=True))
            threads[-1].start()
            tell(len(threads), sum(not each.is_alive() for each in threads))
        until = time.monotonic() + _SECONDS_AFTER_THE_LAST
        while alive := sum(each.is_alive() for each in threads):
            if time.monotonic() > until:
                played.failed["all"] = f"{alive} calls have not ended"
                break
            tell(len(threads), len(threads) - alive)
            time.sleep(0.5)
    finally:
        threading.stack_size(before)
    return played


def _play(
    caller: Caller,
    published: Mapping[str, PublishedFlow],
    plan: PlannedCall,
    epoch: float,
    asapp: Speaker,
    events: ConnectEvents,
) -> list[Done]:
    call = ConnectCall(
        caller.runner,
        caller.contact,
        published,
        agent_events=events.agents,
        contact_events=events.contacts,
    )
    scene = Scene(call, events.agents, events.contacts, *caller.people)
    guid, before, done = caller.contact.contact_id, (False, False), []
    speaking: list[Future[Any]] = []
    late = 0.0  # people speak when the flows have run, so a slow flow makes the whole call later
    try:
        for moment in plan.moments:
            due = epoch + (plan.at + moment.at) * asapp.pace + late
            _wait_until(due)
            began = time.time()
            moment.act.does(scene)
            ended = time.time()
            done.append(Done(guid, moment.act.does.__name__, due, began, ended, moment.act.told))
            now = call.is_on_hold, call.customer_talks
            if now != before and any(now) and moment.said:
                late += ended - due
                speaking.append(asapp.speak(guid, moment.said))
            before = now
    finally:  # what is on its way comes also if the call has failed
        for each in speaking:
            each.result(timeout=_SECONDS_AFTER_THE_LAST)
    return done


def _wait_until(at: float) -> None:
    if (seconds := at - time.time()) > 0:
        time.sleep(seconds)
