"""One simulated call: Connect's part of it, flow by flow, and what people say."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.asapp_double import AsappDouble
from sandbox.conversations import Conversation, Utterance
from sandbox.deployment import Deployment
from sandbox.flow_runner import Agent, Contact, Endpoint, FlowRunner, Queue, Step

AGENT_WHISPER = ("Transcription agent whisper", "AGENT_WHISPER")
CUSTOMER_HOLD = ("Transcription customer hold", "CUSTOMER_HOLD")
DISCONNECT = ("Transcription disconnect", "CONTACT_FLOW")
START_MODULE = "Start transcription"
STOP_MODULE = "Stop transcription"

Tell = Callable[["Call", str, Sequence[Step]], None]
"""Told of each flow that a call has run: its name and its path."""


@dataclass
class Call:
    """A caller, an agent and a conversation.

    :param number: Of the call in the demo, from 1.
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
        agent = Agent(f"agent-{self.number}", f"{instance}/agent/{uuid.uuid4()}")
        self.contact = Contact(
            str(uuid.uuid4()),
            instance,
            customer_endpoint=Endpoint(f"+1555010{self.number:04d}"),
            system_endpoint=Endpoint("+15550109999"),
            queue=Queue(f"{instance}/queue/{uuid.uuid4()}", "Support"),
            agent=agent,
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
        return self._run(f"inbound flow with {name!r}", _inbound_flow(name), "CONTACT_FLOW")

    def _run(self, name: str, content: Mapping[str, Any], kind: str) -> list[Step]:
        path = self._runner.run(content, self.contact, kind)
        self.paths.append((name, path))
        self.tell(self, name, path)
        return path

    def speak(self, utterances: Sequence[Utterance]) -> None:
        """Both talk; returns when ASAPP has posted all that it heard."""
        self.asapp.speak(self.contact.contact_id, utterances).result(timeout=120)

    def play_with_agent_whisper(self) -> None:
        """The agent accepts, they talk, the agent leaves first."""
        self.run(AGENT_WHISPER)
        self.speak(self.conversation.utterances)
        self.run(DISCONNECT)

    def play_with_modules(self) -> None:
        """The same in an inbound flow that invokes the modules."""
        self.run_module(START_MODULE)
        self.speak(self.conversation.utterances)
        self.run_module(STOP_MODULE)

    def play_until_hold(self) -> None:
        """The agent puts the caller on hold, and what is said then is nobody's business."""
        middle = len(self.conversation.utterances) // 2
        self.run(AGENT_WHISPER)
        self.speak(self.conversation.utterances[:middle])
        self.run(CUSTOMER_HOLD)
        self.speak(self.conversation.utterances[middle:])
        self.run(DISCONNECT)


def _inbound_flow(module: str) -> dict[str, Any]:
    """The least flow that invokes a module."""
    to_the_end = {"NextAction": "End"}
    errors = [{"ErrorType": "NoMatchingError", "NextAction": "End"}]
    invoke = {
        "Identifier": "Invoke module",
        "Type": "InvokeFlowModule",
        "Parameters": {"FlowModuleId": module},
        "Transitions": {**to_the_end, "Errors": errors, "Conditions": []},
    }
    end = {"Identifier": "End", "Type": "EndFlowExecution", "Parameters": {}, "Transitions": {}}
    return {"Version": "2019-10-30", "StartAction": "Invoke module", "Actions": [invoke, end]}


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
