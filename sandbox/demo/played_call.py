"""One simulated call: the flows that Connect runs, and what people say."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from sandbox.asapp.conversations import Conversation, Utterance
from sandbox.asapp.double import AsappDouble
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.customer_flows import invoking
from sandbox.connect.flow_runner import FlowRunner, Step
from sandbox.connect.scenarios import Act, Scene, flows, sequence
from sandbox.connect.voice_call import ConnectCall
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.event_delivery import ConnectEvents

AGENT_WHISPER = ("Transcription agent whisper", "AGENT_WHISPER")
CUSTOMER_HOLD = ("Transcription customer hold", "CUSTOMER_HOLD")
DISCONNECT = ("Transcription disconnect", "CONTACT_FLOW")
START_MODULE = "Start transcription"
STOP_MODULE = "Stop transcription"

_SECONDS_TO_BE_TOLD = 180


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a call, other than speech.

    :param at: When it began, in seconds since 1970. A flow begins when somebody acts.
    :param what: What somebody did, such as ``agent holds``; or the name of the flow that ran.
    :param path: The flow's blocks; empty if it is not a flow.
    """

    at: float
    what: str
    path: tuple[Step, ...] = ()


@dataclass
class Call:
    """A caller, one or two agents, and a conversation.

    :param number: The number of the call in the demo, from 1.
    :ivar contact: The first contact. Connect creates others in transfers and at the end.
    :ivar events: What happened, in order.
    :ivar talked: What caller and agent have said to each other.
    :ivar said_on_hold: What the caller or the agent has said while the caller was on hold.
    """

    deployment: Deployment
    asapp: AsappDouble
    conversation: Conversation
    number: int
    contact: Contact = field(init=False)
    events: list[Event] = field(default_factory=list)
    talked: list[Utterance] = field(default_factory=list)
    said_on_hold: list[Utterance] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.deployment.settings
        instance = settings.connect.instance_arn
        self._ada, self._grace = (
            Agent(f"agent-{self.number}{letter}", f"{instance}/agent/{uuid.uuid4()}")
            for letter in ("", "b")
        )
        self._support = Queue(
            f"{instance}/queue/{uuid.uuid4()}",
            "Support",
            outbound_whisper="Transcription outbound whisper",
        )
        self.contact = Contact(
            str(uuid.uuid4()),
            instance,
            customer_endpoint=Endpoint(f"+1555010{self.number:04d}"),
            system_endpoint=Endpoint("+15550109999"),
            queue=self._support,
            agent=self._ada,
        )
        self._began = len(self.asapp.requests)
        self._played: ConnectCall | None = None
        self._runner = FlowRunner(
            invoke_lambda=self.deployment.invoke,
            stream_prefix=settings.media_streaming.prefix,
            instance_alias=settings.connect.instance_alias,
            modules={name: self.deployment.flow(name) for name in (START_MODULE, STOP_MODULE)},
        )

    def run(self, flow: tuple[str, str]) -> list[Step]:
        """Run a flow as Connect would: the deployed functions answer its Lambda blocks."""
        name, kind = flow
        contact = self.contact
        if flow == DISCONNECT:  # Connect gives the customer who stays a contact of its own
            contact = contact.followed_by(
                str(uuid.uuid4()), "DISCONNECT", with_stream=True, with_hooks=True
            )
        return self._run(name, self.deployment.flow(name), kind, contact)

    def run_module(self, name: str) -> list[Step]:
        """Run a module as its users do: in an inbound flow of their own."""
        return self._run(
            f"inbound flow with {name!r}", invoking(name), "CONTACT_FLOW", self.contact
        )

    def _run(
        self, name: str, content: Mapping[str, Any], kind: str, contact: Contact
    ) -> list[Step]:
        path = self._runner.run(content, contact, kind)
        self._note_flow(name, path)
        return path

    def _note_flow(self, name: str, path: Sequence[Step]) -> None:
        if path:  # else one of Connect's defaults
            at = self.events[-1].at if self.events else time.time()
            self.events.append(Event(at, name, tuple(path)))

    def speak(self, utterances: Sequence[Utterance]) -> None:
        """Both talk. Returns when ASAPP has posted everything that it transcribed."""
        self.asapp.speak(self.contact.contact_id, utterances).result(timeout=120)

    @property
    def state(self) -> str:
        """``talking``, ``on hold``, ``waiting`` for an agent, or ``over``."""
        call = self._played
        if call is None:
            return "waiting"
        if call.is_over:
            return "over"
        return "on hold" if call.is_on_hold else "talking" if call.customer_talks else "waiting"

    @property
    def told(self) -> tuple[str, ...]:
        """The requests that took effect at ASAPP: ``start ada``, ``stop``."""
        names = {self._ada.user_name: "ada", self._grace.user_name: "grace"}
        guid = self.contact.contact_id.encode()
        told = []
        for request in self.asapp.requests[self._began :]:
            if request.took_effect and guid in request.body:
                agent_id = request.json().get("agentId", "")
                told.append(f"start {names.get(agent_id, agent_id)}" if agent_id else "stop")
        return tuple(told)

    def play(self, acts: Sequence[Act], events: ConnectEvents) -> None:
        """Play a call act by act, and wait after each until ASAPP has its requests.

        The script is spoken in parts: one part each time that caller and agent are connected, one
        on each hold, and the rest when they are connected for the last time.
        """
        self.contact.agent = None
        call = ConnectCall(
            self._runner,
            self.contact,
            flows(self.deployment.flow),
            tell=lambda played: self._note_flow(played.flow or played.name, played.path),
            agent_events=events.agents,
            contact_events=events.contacts,
        )
        self._played = call
        scene = Scene(call, events.agents, events.contacts, self._ada, self._grace, self._support)
        starts = sum(request.startswith("start") for request in sequence(acts))
        part = len(self.conversation.utterances) // max(1, 2 * starts - 1)
        left = list(self.conversation.utterances)
        told, before = 0, (False, False)
        for number, act in enumerate(acts):
            self.events.append(Event(time.time(), act.does.__name__.replace("_", " ")))
            act.does(scene)
            told += len(act.told)
            self._wait_until_told(told)
            now = call.is_on_hold, call.customer_talks
            if now != before and any(now):
                last = call.customer_talks and not any(map(_starts, acts[number + 1 :]))
                said = left if last else left[:part]
                left = left[len(said) :]
                (self.talked if call.customer_talks else self.said_on_hold).extend(said)
                self.speak(said)
            before = now

    def _wait_until_told(self, requests: int) -> None:
        """Wait for the requests at ASAPP: nothing else shows that an event has arrived."""
        until = time.monotonic() + _SECONDS_TO_BE_TOLD
        while len(self.told) < requests:
            if time.monotonic() > until:
                raise SandboxError(
                    f"call {self.number}: ASAPP got no request number {requests} within "
                    f"{_SECONDS_TO_BE_TOLD} s; so far it got {', '.join(self.told) or 'none'}"
                )
            time.sleep(0.1)


def _starts(act: Act) -> bool:
    return any(request.startswith("start") for request in act.told)


def play_all(
    calls: Sequence[tuple[Call, Sequence[Act]]],
    events: ConnectEvents,
    *,
    apart_seconds: float = 0.0,
    ended: Callable[[Call], None] = lambda _: None,
) -> None:
    """Play the calls at the same time, and raise the first failure.

    :param apart_seconds: The time from the start of one call to the start of the next.
    :param ended: Called with each call at its end.
    """
    playing: list[Future[None]] = []
    for number, (call, acts) in enumerate(calls):
        if number:
            time.sleep(apart_seconds)
        future: Future[None] = Future()
        playing.append(future)
        # Daemon threads: an interruption does not wait until the calls end.
        Thread(target=_play, args=(future, call, acts, events, ended), daemon=True).start()
    for each in playing:
        each.result()


def _play(
    future: Future[None],
    call: Call,
    acts: Sequence[Act],
    events: ConnectEvents,
    ended: Callable[[Call], None],
) -> None:
    try:
        call.play(acts, events)
        ended(call)
    except BaseException as problem:  # raised again where the call was started
        future.set_exception(problem)
    else:
        future.set_result(None)
