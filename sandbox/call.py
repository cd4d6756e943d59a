"""One simulated call: Connect's part of it, flow by flow, and what people say."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.agent_events import AgentEventStream
from sandbox.asapp_double import AsappDouble
from sandbox.connect_call import ConnectCall, Played, PublishedFlow
from sandbox.conversations import Conversation, Utterance
from sandbox.deployment import Deployment
from sandbox.emulator import SandboxError
from sandbox.flow_runner import Agent, Contact, Endpoint, FlowRunner, Queue, Step

AGENT_WHISPER = ("Transcription agent whisper", "AGENT_WHISPER")
CUSTOMER_HOLD = ("Transcription customer hold", "CUSTOMER_HOLD")
DISCONNECT = ("Transcription disconnect", "CONTACT_FLOW")
START_MODULE = "Start transcription"
STOP_MODULE = "Stop transcription"
INBOUND = "inbound flow"
GOODBYE = "disconnect flow"

_SECONDS_TO_RESUME = 30

_OUR_HOOKS = {
    "AgentWhisper": AGENT_WHISPER[0],
    "CustomerHold": CUSTOMER_HOLD[0],
    "CustomerRemaining": DISCONNECT[0],
}
_Block = tuple[str, str, dict[str, Any]]
"""Name, action type, parameters."""

Tell = Callable[["Call", str, Sequence[Step]], None]
"""Told of each flow that a call has run: its name and its path."""


@dataclass
class Call:
    """A caller, an agent and a conversation.

    :param number: Of the call in the demo, from 1.
    :ivar contact: The first one; Connect makes another when the agent leaves.
    """

    deployment: Deployment
    asapp: AsappDouble
    conversation: Conversation
    number: int
    tell: Tell
    contact: Contact = field(init=False)
    paths: list[tuple[str, list[Step]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.deployment.settings
        instance = settings.connect.instance_arn
        self._agent = Agent(f"agent-{self.number}", f"{instance}/agent/{uuid.uuid4()}")
        self.contact = Contact(
            str(uuid.uuid4()),
            instance,
            customer_endpoint=Endpoint(f"+1555010{self.number:04d}"),
            system_endpoint=Endpoint("+15550109999"),
            queue=Queue(f"{instance}/queue/{uuid.uuid4()}", "Support"),
            agent=self._agent,
        )
        self._runner = FlowRunner(
            invoke_lambda=self.deployment.invoke,
            stream_prefix=settings.media_streaming.prefix,
            instance_alias=settings.connect.instance_alias,
            modules={name: self.deployment.flow(name) for name in (START_MODULE, STOP_MODULE)},
        )

    def run(self, flow: tuple[str, str]) -> list[Step]:
        """Run a flow as Connect would: the deployed functions answer its Lambda blocks."""
        name, kind = flow
        return self._run(name, self.deployment.flow(name), kind)

    def run_module(self, name: str) -> list[Step]:
        """Run a module where its users put it: in an inbound flow of their own."""
        return self._run(f"inbound flow with {name!r}", _invoking(name), "CONTACT_FLOW")

    def _run(self, name: str, content: Mapping[str, Any], kind: str) -> list[Step]:
        path = self._runner.run(content, self.contact, kind)
        self._note(name, path)
        return path

    def _note(self, name: str, path: list[Step]) -> None:
        self.paths.append((name, path))
        self.tell(self, name, path)

    def speak(self, utterances: Sequence[Utterance]) -> None:
        """Both talk; returns when ASAPP has posted all that it heard."""
        self.asapp.speak(self.contact.contact_id, utterances).result(timeout=120)

    def play_with_agent_whisper(self) -> None:
        """The agent accepts, they talk, the agent leaves first."""
        call = self._connected(_inbound(hooks=_OUR_HOOKS))
        self.speak(self.conversation.utterances)
        call.agent_leaves()

    def play_with_modules(self) -> None:
        """The same with flows of one's own that invoke the modules."""
        call = self._connected(_inbound(START_MODULE, hooks={"CustomerRemaining": GOODBYE}))
        self.speak(self.conversation.utterances)
        call.agent_leaves()

    def play_with_hold(self) -> None:
        """The agent puts the caller on hold, and what is said then is nobody's business; no flow
        runs at resume, so the agent events start transcription again."""
        spoken = self.conversation.utterances
        first, last = len(spoken) // 3, 2 * len(spoken) // 3
        events = AgentEventStream(self.deployment)
        call = self._connected(_inbound(hooks=_OUR_HOOKS))
        events.put(self._agent, self.contact, "CONNECTED")
        self.speak(spoken[:first])
        call.agent_holds()
        events.put(self._agent, self.contact, "CONNECTED_ONHOLD")
        self.speak(spoken[first:last])
        call.agent_resumes()
        events.put(self._agent, self.contact, "CONNECTED")
        self._wait_until_heard_again()
        self.speak(spoken[last:])
        call.agent_leaves()
        events.put(self._agent, self.contact, "ENDED")

    def _wait_until_heard_again(self) -> None:
        """Nobody is told that the stream has carried the event; ASAPP is where it shows."""
        until = time.monotonic() + _SECONDS_TO_RESUME
        while len(self.asapp.successful_starts(self.contact.contact_id)) < 2:
            if time.monotonic() > until:
                raise SandboxError(
                    f"call {self.number}: transcription was not resumed within "
                    f"{_SECONDS_TO_RESUME} s of the agent event"
                )
            time.sleep(0.05)

    def _connected(self, inbound: dict[str, Any]) -> ConnectCall:
        """The caller dials, waits in the queue, and is joined with the agent."""
        ours = {
            name: PublishedFlow(kind, self.deployment.flow(name))
            for name, kind in (AGENT_WHISPER, CUSTOMER_HOLD, DISCONNECT)
        }
        theirs = {
            INBOUND: PublishedFlow("CONTACT_FLOW", inbound),
            GOODBYE: PublishedFlow("CONTACT_FLOW", _invoking(STOP_MODULE)),
        }
        call = ConnectCall(self._runner, self.contact, ours | theirs, tell=self._note_played)
        call.customer_calls(INBOUND)
        call.agent_accepts(self._agent)
        return call

    def _note_played(self, played: Played) -> None:
        self._note(played.flow or played.name, list(played.path))


def _inbound(module: str = "", *, hooks: Mapping[str, str]) -> dict[str, Any]:
    """A customer's inbound flow: it may invoke a module, sets the flows of later, and queues."""
    blocks = [
        *([_invoke(module)] if module else []),
        *(
            (f"Set {hook}", "UpdateContactEventHooks", {"EventHooks": {hook: flow}})
            for hook, flow in hooks.items()
        ),
        ("Queue", "TransferContactToQueue", {}),
    ]
    return _in_a_row(blocks, ("Hang up", "DisconnectParticipant", {}))


def _invoking(module: str) -> dict[str, Any]:
    """The least flow that invokes a module."""
    return _in_a_row([_invoke(module)], ("End", "EndFlowExecution", {}))


def _invoke(module: str) -> _Block:
    return "Invoke module", "InvokeFlowModule", {"FlowModuleId": module}


def _in_a_row(blocks: Sequence[_Block], end: _Block) -> dict[str, Any]:
    """A flow whose blocks lead on whether they work or not."""
    followers = [*(name for name, _, _ in blocks[1:]), end[0]]
    actions = []
    for (name, kind, parameters), follower in zip(blocks, followers, strict=True):
        errors = ["NoMatchingError"]
        if kind == "TransferContactToQueue":
            errors.append("QueueAtCapacity")
        transitions = {
            "NextAction": follower,
            "Errors": [{"ErrorType": error, "NextAction": follower} for error in errors],
        }
        actions.append(_action(name, kind, parameters, transitions))
    return {
        "Version": "2019-10-30",
        "StartAction": actions[0]["Identifier"],
        "Actions": [*actions, _action(*end, {})],
    }


def _action(
    name: str, kind: str, parameters: dict[str, Any], transitions: dict[str, Any]
) -> dict[str, Any]:
    return {
        "Identifier": name,
        "Type": kind,
        "Parameters": parameters,
        "Transitions": transitions,
    }


def play_all(calls: Sequence[tuple[Call, Callable[[Call], None]]]) -> None:
    """Play the calls at the same time; the first failure of any of them is raised."""
    failures: list[BaseException] = []

    def play(call: Call, course: Callable[[Call], None]) -> None:
        try:
            course(call)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=play, args=each, daemon=True) for each in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
