"""Connect's side of one voice call: which flow it runs at which time, for whom and on which
contact, and the events that it publishes.

Sources, under https://docs.aws.amazon.com/connect/latest/adminguide:
contact-initiation-methods.html, set-whisper-flow.html, contact-flow-default.html,
set-disconnect-flow.html, ctr-data-model.html, agent-event-stream-model.html, contact-events.html.
If they do not say something, it is a parameter here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connect_flows.flow_types import (
    AGENT_TRANSFER,
    AGENT_WHISPER,
    CUSTOMER_HOLD,
    CUSTOMER_WHISPER,
    INBOUND,
    OUTBOUND_WHISPER,
    QUEUE,
    QUEUE_TRANSFER,
)
from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact, Queue
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.connect.flow_outcome import (
    ENDS,
    LOOPS,
    TO_AGENT,
    TO_FLOW,
    TO_QUEUE,
    FlowError,
    Outcome,
)
from sandbox.connect.flow_runner import FlowRunner, Step

_NAMES = {
    INBOUND: "inbound",
    QUEUE: "customer queue",
    AGENT_WHISPER: "agent whisper",
    CUSTOMER_WHISPER: "customer whisper",
    OUTBOUND_WHISPER: "outbound whisper",
    CUSTOMER_HOLD: "customer hold",
    AGENT_TRANSFER: "agent transfer",
    QUEUE_TRANSFER: "queue transfer",
}
_HOOKS = {
    QUEUE: "CustomerQueue",
    AGENT_WHISPER: "AgentWhisper",
    CUSTOMER_WHISPER: "CustomerWhisper",
    CUSTOMER_HOLD: "CustomerHold",
}
_FIRST_PROMPT = "MessageParticipant"
_TRANSFERRED_TO = frozenset({INBOUND, AGENT_TRANSFER, QUEUE_TRANSFER})
"""The types of flows that *Transfer to flow* takes."""


class CallError(Exception):
    """Somebody does something that is not possible at this point of a call."""


@dataclass(frozen=True, slots=True)
class PublishedFlow:
    """A flow of the instance.

    :param type: CloudFormation's name for it, such as ``AGENT_WHISPER``.
    """

    type: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Played:
    """A flow that Connect ran during a call.

    :param name: Its role in the call: ``agent whisper``, ``disconnect``; ``default agent whisper``
        if no flow was set. The runner does not run Connect's defaults.
    :param heard_by: ``customer``, ``agent``; in a transfer also ``source agent``.
    :param flow: Its id or ARN, ``""`` for a default.
    :param before_dialling: How many blocks of the path ran before the call was placed; None if
        nobody is called.
    """

    name: str
    heard_by: str
    contact_id: str
    flow: str = ""
    path: tuple[Step, ...] = ()
    before_dialling: int | None = None

    def __str__(self) -> str:
        blocks = [
            step.block if step.branch == "NextAction" else f"{step.block} ({step.branch})"
            for step in self.path
        ]
        if self.before_dialling is not None:
            blocks.insert(self.before_dialling, "(dials)")
        way = f": {' → '.join(blocks)}" if blocks else ""
        return f"{self.name}, to the {self.heard_by}, contact {self.contact_id}{way}"


class ConnectCall:
    """A voice call, as Connect handles it.

    Its methods are what people do. Each method runs the flows that Connect runs, and publishes the
    events that Connect publishes, in Connect's order: the event of a hold comes before the hold
    flow, an agent's ``CONNECTED`` after both whispers.

    :param contact: The first contact. A method may end it and create another: see `contact`.
    :param flows: The instance's flows, by the id or ARN that hooks and blocks use.
    :param stream_follows: Whether the next contact, after a transfer or a disconnect, keeps the
        media stream. Connect's pages do not say. Default: it does not.
    :param hooks_follow: Whether the next contact keeps the flows that were set. Connect's pages do
        not say. Default: it does not.
    :param tell: Called with each flow that has run.
    :param agent_events: The agents of the instance. Default: agents whose events go nowhere.
    :param contact_events: The contacts of the instance. Default: their events go nowhere.
    :ivar contact: The customer's contact now.
    :ivar consult: During a transfer, the contact between the source agent and the agent or queue to
        which the call goes; else None.
    :ivar played: Every flow so far.

    .. code-block:: python

        call = ConnectCall(runner, contact, {"welcome": PublishedFlow("CONTACT_FLOW", content)})
        call.customer_calls("welcome")
        call.agent_accepts(Agent("jane"))
        call.agent_leaves()
        print(call)
    """

    def __init__(
        self,
        runner: FlowRunner,
        contact: Contact,
        flows: Mapping[str, PublishedFlow],
        *,
        stream_follows: bool = False,
        hooks_follow: bool = False,
        tell: Callable[[Played], None] = lambda _: None,
        agent_events: AgentEvents | None = None,
        contact_events: ContactEvents | None = None,
    ) -> None:
        self.contact = contact
        self.consult: Contact | None = None
        self.played: list[Played] = []
        self.is_on_hold = False
        self.is_over = False
        self._runner = runner
        self._flows = flows
        self._stream_follows = stream_follows
        self._hooks_follow = hooks_follow
        self._tell = tell
        self._agents = agent_events or AgentEvents(contact.instance_arn)
        self._contacts = contact_events or ContactEvents()
        self._after_work: list[tuple[Agent, Contact]] = []
        self._waiting: Contact | None = None
        """The contact that waits for an agent."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.played))

    @property
    def customer_talks(self) -> bool:
        """Whether the customer is with an agent, and not on hold."""
        return not self.is_over and not self.is_on_hold and self.contact.place == "agent"

    # What people do.

    def customer_calls(self, flow: str) -> None:
        """A customer calls a number with this inbound flow."""
        self._contacts.tell(self.contact, "INITIATED")
        self._follow(self.contact, self._play(flow, INBOUND, self.contact, "customer"), "customer")

    def agent_calls(self, *, answered: bool = True) -> None:
        """An agent calls a customer: only the outbound whisper of the contact's queue runs."""
        self.contact.initiation_method = "OUTBOUND"
        self._contacts.tell(self.contact, "INITIATED")
        self._dial(answered)

    def agent_calls_back(self, agent: Agent, *, answered: bool = True) -> None:
        """An agent accepts a queued callback, and then the customer is called."""
        self.contact.initiation_method = "CALLBACK"
        self._contacts.tell(self.contact, "INITIATED")
        self.contact.agent = agent
        self._agents.sees(agent, self.contact, "INCOMING")
        self._play_hooked(AGENT_WHISPER, self.contact, "agent")
        self._dial(answered)

    def agent_accepts(self, agent: Agent, *, drops: bool = False) -> None:
        """An agent accepts the waiting contact, and is connected after both whispers.

        :param drops: The agent drops out during the agent whisper. The customer stays in the queue,
            and Connect offers the contact to another agent, who hears the whisper again.
        """
        contact = self._waiting
        if contact is None:
            raise CallError("no contact waits for an agent")
        contact.agent = agent
        self._agents.sees(agent, contact, "CONNECTING")
        self._play_hooked(AGENT_WHISPER, contact, "agent")
        if drops:
            self._agents.sees(agent, contact, "MISSED")
            contact.agent = None
            self._agents.clears(agent, contact)
            return
        self._waiting = None
        contact.place = "agent"
        hearer = "source agent" if contact is self.consult else "customer"
        self._play_hooked(CUSTOMER_WHISPER, contact, hearer)
        self._joins(contact)

    def agent_holds(self) -> None:
        """The agent puts the customer on hold."""
        self._needs_an_agent()
        if self.is_on_hold:
            raise CallError("the customer is on hold already")
        self.is_on_hold = True
        self._shows(self.contact, "CONNECTED_ONHOLD")
        self._play_hooked(CUSTOMER_HOLD, self.contact, "customer")

    def agent_resumes(self) -> None:
        """The agent ends the hold, or joins all parties of a transfer. No flow runs."""
        self._needs_an_agent()
        self.is_on_hold = False
        self._shows(self.contact, "CONNECTED")

    def agent_transfers(self, to: Agent | Queue, flow: str = "", *, cold: bool = False) -> None:
        """The agent transfers the call by a quick connect; then call `agent_accepts`.

        The customer hears the customer hold flow. On a new contact, the source agent hears the
        transfer flow, and the flows after it until an agent accepts.

        :param flow: The quick connect's transfer flow. Default: Connect's.
        :param cold: The source agent leaves before the transfer flow, so the customer hears it.
        """
        self._needs_an_agent()
        if self.consult:
            raise CallError("the agent transfers the call already")
        if not self.is_on_hold:
            self.agent_holds()
        contact = self._next_contact(self.contact, "TRANSFER")
        if isinstance(to, Agent):
            type, contact.agent, contact.queue = AGENT_TRANSFER, to, None
        else:
            type, contact.queue = QUEUE_TRANSFER, to
        if cold:
            self._gone(self.contact)
            self.contact, self.is_on_hold = contact, False
        else:
            self.consult = contact
        hearer = "customer" if cold else "source agent"
        if flow:
            ending = self._play(flow, type, contact, hearer)
        else:
            self._note(f"default {_NAMES[type]}", hearer, contact)
            ending = Outcome(TO_AGENT if type == AGENT_TRANSFER else TO_QUEUE)
        self._follow(contact, ending, hearer)

    def agent_leaves(self) -> None:
        """The agent leaves first. The disconnect flow runs, if one is set.

        In a transfer, the source agent leaves: the customer goes on with the new contact, and no
        flow runs.
        """
        self._needs_an_agent()
        self.is_on_hold = False
        self._gone(self.contact)
        if self.consult:
            self.contact, self.consult = self.consult, None
            return
        flow = self.contact.hooks.get("CustomerRemaining")
        if not flow:
            self.is_over = True
            return
        self.contact = self._next_contact(self.contact, "DISCONNECT")
        ending = self._play(flow, INBOUND, self.contact, "customer", name="disconnect")
        self._follow(self.contact, ending, "customer")

    def customer_hangs_up(self) -> None:
        """The customer hangs up. Connect has no flow for it, so none runs."""
        if self.is_over:
            raise CallError("the call is over")
        if self.consult:
            self._end(self.consult)
        self._end(self.contact)

    def agents_end_work(self) -> None:
        """The agents finish the after-contact work of all contacts that are over."""
        for agent, contact in self._after_work:
            self._agents.clears(agent, contact)
            self._contacts.tell(contact, "COMPLETED")
        self._after_work.clear()

    # What Connect does.

    def _follow(self, contact: Contact, ending: Outcome, hearer: str) -> None:
        """Go where the end of a flow leads."""
        while ending.branch == TO_FLOW:
            type = self._published(ending.to, _TRANSFERRED_TO).type
            ending = self._play(ending.to, type, contact, hearer)
        if ending.branch == TO_QUEUE:
            self._queue(contact, hearer)
        elif ending.branch == TO_AGENT:
            self._waiting = contact
        else:
            self._end(contact)

    def _queue(self, contact: Contact, hearer: str) -> None:
        contact.place = "queue"
        self._waiting = contact
        self._contacts.tell(contact, "QUEUED")
        ending = self._play_hooked(QUEUE, contact, hearer)
        if ending is None or ending.branch in (ENDS, LOOPS):
            return
        if ending.branch == TO_QUEUE:
            following = self._next_contact(contact, "QUEUE_TRANSFER")
            following.queue = self._runner.queues[ending.to]
            if contact is self.consult:
                self.consult = following
            else:
                self.contact = following
            self._queue(following, hearer)
        else:
            self._follow(contact, ending, hearer)

    def _dial(self, answered: bool) -> None:
        contact, hearer = self.contact, "customer"
        contact.place = "agent"
        self._shows(contact, "CONNECTING")
        flow = contact.queue.outbound_whisper if contact.queue else ""
        if flow:
            content = self._published(flow, {OUTBOUND_WHISPER}).content
            run = self._runner.start(content, contact, OUTBOUND_WHISPER)
            run.until(_FIRST_PROMPT)
            before = len(run.steps)
            if answered:
                self._contacts.tell(contact, "CONNECTED_TO_SYSTEM")
                run.to_the_end()
            self._note(_NAMES[OUTBOUND_WHISPER], hearer, contact, flow, run.steps, before)
        else:
            self._note("default outbound", hearer, contact)
            if answered:
                self._contacts.tell(contact, "CONNECTED_TO_SYSTEM")
        if answered:
            self._joins(contact)
        else:
            self._end(contact)

    def _play_hooked(self, type: str, contact: Contact, hearer: str) -> Outcome | None:
        """Run the flow that is set for an event. None if none is set: Connect runs its default."""
        flow = contact.hooks.get(_HOOKS[type])
        if flow:
            return self._play(flow, type, contact, hearer)
        self._note(f"default {_NAMES[type]}", hearer, contact)
        return None

    def _play(
        self, flow: str, type: str, contact: Contact, hearer: str, *, name: str = ""
    ) -> Outcome:
        run = self._runner.start(self._published(flow, {type}).content, contact, type)
        ending = run.to_the_end()
        self._note(name or _NAMES[type], hearer, contact, flow, run.steps)
        return ending

    def _note(
        self,
        name: str,
        hearer: str,
        contact: Contact,
        flow: str = "",
        path: Sequence[Step] = (),
        before_dialling: int | None = None,
    ) -> None:
        played = Played(name, hearer, contact.contact_id, flow, tuple(path), before_dialling)
        self.played.append(played)
        self._tell(played)

    def _published(self, flow: str, types: frozenset[str] | set[str]) -> PublishedFlow:
        found = self._flows.get(flow)
        if found is None:
            raise FlowError(f"the instance has no flow {flow!r}")
        if found.type not in types:
            raise FlowError(f"{flow!r} is a flow of type {found.type}, not {' or '.join(types)}")
        return found

    def _next_contact(self, contact: Contact, initiation_method: str) -> Contact:
        following = contact.followed_by(
            str(uuid.UUID(int=self._runner.rng.getrandbits(128), version=4)),
            initiation_method,
            with_stream=self._stream_follows,
            with_hooks=self._hooks_follow,
        )
        self._contacts.tell(following, "INITIATED")
        return following

    def _joins(self, contact: Contact) -> None:
        """Connect the agent with the waiting party."""
        self._shows(contact, "CONNECTED")
        self._contacts.tell(contact, "CONNECTED_TO_AGENT")

    def _gone(self, contact: Contact) -> None:
        """The contact is over. Its agent, if there is one, goes on to after-contact work."""
        if contact.place == "agent" and contact.agent:
            self._shows(contact, "ENDED")
            self._after_work.append((contact.agent, contact))
        self._contacts.tell(contact, "DISCONNECTED")

    def _shows(self, contact: Contact, state: str) -> None:
        if contact.agent:
            self._agents.sees(contact.agent, contact, state)

    def _end(self, contact: Contact) -> None:
        self._gone(contact)
        self._waiting = None
        if contact is self.consult:
            self.consult = None
        else:
            self.is_over = True

    def _needs_an_agent(self) -> None:
        if self.is_over or self.contact.place != "agent":
            raise CallError("the customer is not with an agent")
