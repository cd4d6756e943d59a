"""Calls of every kind: what people do in each, and the requests that ASAPP must get.

Three users play this table: ``tests/sandbox/connect/test_scenarios.py`` against the handlers, with
every fault; ``tests/sandbox/stacks/test_scenarios_at_once.py``, through the stacks; and the demo.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact, Queue
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.connect.customer_flows import inbound, invoking
from sandbox.connect.voice_call import ConnectCall, PublishedFlow

READY_MADE: Mapping[str, str] = {
    "Transcription agent whisper": "AGENT_WHISPER",
    "Transcription customer hold": "CUSTOMER_HOLD",
    "Transcription disconnect": "CONTACT_FLOW",
    "Transcription outbound whisper": "OUTBOUND_WHISPER",
    "Transcription transfer to agent": "AGENT_TRANSFER",
    "Transcription transfer to queue": "QUEUE_TRANSFER",
}
"""The flows of the flows stack that the calls run, with their types."""

_WHISPER = {"AgentWhisper": "Transcription agent whisper"}
_HOOKS = {
    **_WHISPER,
    "CustomerHold": "Transcription customer hold",
    "CustomerRemaining": "Transcription disconnect",
}


def flows(ready_made: Callable[[str], Mapping[str, Any]]) -> dict[str, PublishedFlow]:
    """All flows that the calls run, the customer's own included.

    :param ready_made: Gives the content of a ready-made flow by its name.
    """
    theirs = {
        "inbound flow": ("CONTACT_FLOW", inbound(_HOOKS)),
        "inbound flow without hold and disconnect flows": ("CONTACT_FLOW", inbound(_WHISPER)),
        "inbound flow with modules": (
            "CONTACT_FLOW",
            inbound({"CustomerRemaining": "disconnect flow"}, module="Start transcription"),
        ),
        "disconnect flow": ("CONTACT_FLOW", invoking("Stop transcription")),
    }
    ours = {name: (type, ready_made(name)) for name, type in READY_MADE.items()}
    return {name: PublishedFlow(*published) for name, published in {**ours, **theirs}.items()}


@dataclass
class Scene:
    """A call, and the agents who take part in it.

    :param call: Its first contact has a queue.
    :param chat: A chat that Ada has at the same time.
    """

    call: ConnectCall
    agent_events: AgentEvents
    contact_events: ContactEvents
    ada: Agent
    grace: Agent
    support: Queue

    def __post_init__(self) -> None:
        instance = self.call.contact.instance_arn
        self.chat = Contact(str(uuid.uuid4()), instance, channel="CHAT", agent=self.ada)


@dataclass(frozen=True)
class Act:
    """Something that somebody does in a call.

    :param told: The requests to ASAPP that follow and take effect: ``start ada``, ``stop``.
    """

    does: Callable[[Scene], None]
    told: tuple[str, ...] = ()


def act(does: Callable[[Scene], None], *told: str) -> Act:
    return Act(does, told)


# What people do.


def dials(scene: Scene) -> None:
    scene.call.customer_calls("inbound flow")


def dials_a_plain_number(scene: Scene) -> None:
    scene.call.customer_calls("inbound flow without hold and disconnect flows")


def dials_a_number_with_modules(scene: Scene) -> None:
    scene.call.customer_calls("inbound flow with modules")


def ada_takes_it(scene: Scene) -> None:
    scene.call.agent_accepts(scene.ada)


def ada_drops_out(scene: Scene) -> None:
    scene.call.agent_accepts(scene.ada, drops=True)


def grace_takes_it(scene: Scene) -> None:
    scene.call.agent_accepts(scene.grace)


def ada_calls(scene: Scene) -> None:
    scene.call.contact.agent = scene.ada
    scene.call.agent_calls()


def agent_holds(scene: Scene) -> None:
    scene.call.agent_holds()


def agent_resumes(scene: Scene) -> None:
    scene.call.agent_resumes()


def ada_consults_grace(scene: Scene) -> None:
    scene.call.agent_transfers(scene.grace, "Transcription transfer to agent")


def ada_transfers_and_goes(scene: Scene) -> None:
    scene.call.agent_transfers(scene.support, "Transcription transfer to queue", cold=True)


def agent_leaves(scene: Scene) -> None:
    scene.call.agent_leaves()


def customer_hangs_up(scene: Scene) -> None:
    scene.call.customer_hangs_up()


def agents_end_work(scene: Scene) -> None:
    scene.call.agents_end_work()


def ada_chats(scene: Scene) -> None:
    scene.contact_events.tell(scene.chat, "INITIATED")
    scene.agent_events.sees(scene.ada, scene.chat, "CONNECTING")
    scene.agent_events.sees(scene.ada, scene.chat, "CONNECTED")


def chat_is_held(scene: Scene) -> None:
    scene.agent_events.sees(scene.ada, scene.chat, "CONNECTED_ONHOLD")


def chat_ends(scene: Scene) -> None:
    scene.agent_events.sees(scene.ada, scene.chat, "ENDED")
    scene.contact_events.tell(scene.chat, "DISCONNECTED")
    scene.agent_events.clears(scene.ada, scene.chat)


def ada_plans_a_break(scene: Scene) -> None:
    scene.agent_events.beats(scene.ada)
    scene.agent_events.changes_status(scene.ada, "Break")


# The calls.

TAKEN = (act(dials), act(ada_takes_it, "start ada"))
HOLD = (act(agent_holds, "stop"), act(agent_resumes, "start ada"))
END = act(agents_end_work)

WITH_MODULES = (
    act(dials_a_number_with_modules, "start"),
    act(ada_takes_it),
    act(agent_leaves, "stop"),
    END,
)
"""The customer's own flows start transcription when the call begins, before there is an agent."""

CALLS: dict[str, tuple[Act, ...]] = {
    "plain": (
        act(dials_a_plain_number),
        act(ada_takes_it, "start ada"),
        act(agent_leaves, "stop"),
        END,
    ),
    "two holds": (*TAKEN, *HOLD, *HOLD, act(agent_leaves, "stop"), END),
    "hang-up while on hold": (*TAKEN, act(agent_holds, "stop"), act(customer_hangs_up), END),
    "warm transfer": (
        *TAKEN,
        act(ada_consults_grace, "stop"),
        act(grace_takes_it, "start grace"),
        act(agent_leaves),
        act(customer_hangs_up, "stop"),
        END,
    ),
    "cold transfer to a queue and a second agent": (
        *TAKEN,
        act(ada_transfers_and_goes, "stop"),
        act(grace_takes_it, "start grace"),
        act(agent_leaves, "stop"),
        END,
    ),
    "agent whisper repeated, the first agent dropped": (
        act(dials),
        act(ada_drops_out, "start ada", "stop"),
        act(grace_takes_it, "start grace"),
        act(customer_hangs_up, "stop"),
        END,
    ),
    "the customer hangs up first": (*TAKEN, act(customer_hangs_up, "stop"), END),
    "the agent hangs up first": (*TAKEN, act(agent_leaves, "stop"), END),
    "outbound": (
        act(ada_calls, "start ada"),
        act(agent_holds, "stop"),
        act(agent_resumes, "start ada"),
        act(customer_hangs_up, "stop"),
        END,
    ),
    "a chat at the same agent": (
        act(ada_chats),
        *TAKEN,
        act(chat_is_held),
        act(ada_plans_a_break),
        act(agent_holds, "stop"),
        act(chat_ends),
        act(agent_resumes, "start ada"),
        act(customer_hangs_up, "stop"),
        END,
    ),
}


def sequence(acts: Sequence[Act]) -> tuple[str, ...]:
    """All requests that ASAPP gets in a call."""
    return tuple(request for each in acts for request in each.told)
