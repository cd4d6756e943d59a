"""Decides what to tell ASAPP. Nothing here talks to anyone.

A conversation is a call with its legs. A leg is one agent, on one contact, on one video stream.
An *observation* is what a function saw of the call; each handler has its own. Observations may come
twice, late and out of order; each one changes a leg or changes nothing. The legs say which of them
ASAPP should hear now. That, and what ASAPP was told before, gives the requests that are due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared import table
from shared.asapp.media_gateway import DISABLED, Outcome

START = "start"
STOP = "stop"

STREAMING = "streaming"
STOPPED = "stopped"
UNKNOWN = "unknown"
"""ASAPP may or may not be streaming: a request had no clear end, or none was sent yet."""

CONNECTED = "connected"
PAUSED = "paused"
ENDED = table.ENDED
OVER = "over"
"""The contact is disconnected. No later observation changes the leg."""

FRESH_MS = 60_000
"""An event that is older than this may stop a stream and never start one."""

_MOST_HOLDS = 100
"""Of a leg, that are kept: the item of a call stays small."""

RETRIES_END_MS = 8_000
"""Connect repeats a flow's block for at most this long. A hold flow's stop may come this late."""
LONGEST_STREAM_MS = (2 * 60 + 45) * 60_000
"""ASAPP ends a stream after three hours (status 4090). A stream that is older than this is
restarted."""


@dataclass(frozen=True, slots=True)
class Leg:
    """
    :param agent_arn: Connect's name of the agent; ``""`` if the flow did not say.
    :param queue: The name of the queue from which the agent took the call, ``""`` if there is none.
    :param fragment_number: Where the contact's audio begins in the stream; ``""`` for now.
    :param began_at_ms: When it began there; 0 if unknown. All times are milliseconds since 1970.
    :param state: ``CONNECTED``, ``PAUSED``, ``ENDED`` or ``OVER``.
    :param confirmed: Whether an agent event has shown the agent connected.
    :param at_ms: When the leg came into this state.
    :param agent_at_ms: The time of the agent's last event, at first that of the start: an older
        event changes nothing. Not ``at_ms``, because a hold flow may run after the hold's end.
    :param resumed_at_ms: When its last hold ended; 0 if there was none.
    :param holds: Begin and end of each hold that is over.
    :param others: What another version of this code has stored with it.
    """

    contact_id: str
    customer_id: str = ""
    agent_id: str = ""
    agent_arn: str = ""
    queue: str = ""
    stream_arn: str = ""
    fragment_number: str = ""
    began_at_ms: int = 0
    state: str = CONNECTED
    confirmed: bool = False
    at_ms: int = 0
    agent_at_ms: int = 0
    resumed_at_ms: int = 0
    holds: tuple[tuple[int, int], ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What ASAPP was told last, and what came of it. Only the invocation that acts changes it.

    :param asapp: What ASAPP does: ``STREAMING``, ``STOPPED`` or ``UNKNOWN``.
    :param agent_id: This, and what follows, is of the leg that ASAPP was last told to start.
    :param unsure_fragments: Where starts without a clear end were to begin to read.
    :param started_fragments: The fragment numbers at which ASAPP has started to read, or must not
        start any more.
    :param started_at_ms: When ASAPP was last started; 0 if never.
    :param audio_began_at_ms: When the audio began that ASAPP has read since then.
    :param start_failed: Whether the last start that was due failed, or came too late to be sent.
    """

    asapp: str = UNKNOWN
    agent_id: str = ""
    customer_id: str = ""
    stream_arn: str = ""
    contact_id: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    unsure_fragments: frozenset[str] = frozenset()
    started_fragments: frozenset[str] = frozenset()
    started_at_ms: int = 0
    audio_began_at_ms: int = 0
    start_failed: bool = False
    outcome_status: str = ""
    outcome_reason: str = ""

    def is_about(self, leg: Leg) -> bool:
        return (self.agent_id, self.stream_arn) == (leg.agent_id, leg.stream_arn)


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    :param version: Counts the writes: a write fails if another one came first.
    :param legs: In the order in which they began.
    :param hold_open: A flow has stopped at a hold, and neither an agent event nor a flow has said
        since what the agent does.
    :param talk_unheard: An agent talked with the caller, and no start for it succeeded.
    :param attempt: The invocation that acts, or acted last.
    :param claimed_until_ms: Until when that invocation may act; 0 if it is done.
    :param erased: Nothing else is known of it, and nothing may be.
    """

    version: int = 0
    legs: tuple[Leg, ...] = ()
    told: Told = Told()
    hold_open: bool = False
    talk_unheard: bool = False
    attempt: str = ""
    claimed_until_ms: int = 0
    erased: bool = False

    @property
    def desired_leg(self) -> Leg | None:
        """The leg that ASAPP should hear now: the last one if it is connected, else a confirmed one
        that is."""
        heard = [leg for leg in self.legs if leg.state == CONNECTED and leg.stream_arn]
        if heard and heard[-1] == self.legs[-1]:
            return heard[-1]
        return max((leg for leg in heard if leg.confirmed), key=lambda leg: leg.at_ms, default=None)

    @property
    def state(self) -> str:
        """``streaming``, ``paused`` (somebody may come back) or ``ended``."""
        if self.desired_leg:
            return STREAMING
        return PAUSED if any(leg.state == PAUSED for leg in self.legs) else ENDED

    @property
    def is_unheard(self) -> bool:
        """Whether ASAPP should hear a leg and, as far as is known, does not."""
        leg, told = self.desired_leg, self.told
        return leg is not None and not (told.asapp == STREAMING and told.is_about(leg))

    def leg_of(self, contact_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.contact_id == contact_id), None)

    def with_leg(self, changed: Leg) -> Conversation:
        before = self.leg_of(changed.contact_id)
        if before and before.state == PAUSED != changed.state:
            hold = (before.at_ms, max(before.at_ms, changed.at_ms))
            changed = replace(changed, holds=(*changed.holds, hold)[-_MOST_HOLDS:])
        legs = (changed if leg.contact_id == changed.contact_id else leg for leg in self.legs)
        return replace(self, legs=tuple(legs))


Observation = Callable[[Conversation], Conversation]
"""What was seen, as the change that it makes to what is known. Old news change nothing."""


def observed(seen: Conversation, observation: Observation) -> Conversation:
    """What is known after an observation, with the talk that nobody heard."""
    known = observation(seen)
    before, after = seen.desired_leg, known.desired_leg
    if (
        before
        and seen.told.start_failed
        and (after is None or after.contact_id != before.contact_id)
    ):
        superseded = known.leg_of(before.contact_id) == before
        if before.confirmed or superseded:
            known = replace(known, talk_unheard=True)
    return known


def told_before(known: Conversation) -> Told:
    """A call of which nothing is written down was never started."""
    return known.told if known.version else replace(known.told, asapp=STOPPED)


def steps(known: Conversation, now_ms: int, *, may_start: bool = True) -> tuple[str, ...]:
    """The requests after which ASAPP does what the call needs now.

    If it is not clear what ASAPP does, it is stopped before it is started: only then is it sure
    which leg it hears.

    :param may_start: False for an old event. It may stop what ASAPP should not hear.
    :returns: ``START`` and ``STOP`` in order; empty if nothing is due.
    """
    told, leg = known.told, known.desired_leg
    # A claim that lapsed: an invocation was ended before it wrote down what it did.
    asapp = UNKNOWN if known.claimed_until_ms else told.asapp
    if leg is None:
        return () if asapp == STOPPED else (STOP,)
    if asapp == STREAMING and told.is_about(leg):
        age_ms = now_ms - (told.started_at_ms or now_ms)
        return (STOP, START) if may_start and age_ms > LONGEST_STREAM_MS else ()
    if not may_start:
        return (STOP,) if asapp == STREAMING else ()
    return (START,) if asapp == STOPPED else (STOP, START)


def before_a_start(known: Conversation) -> Conversation:
    """Names the audio that ASAPP may have read if this invocation is killed."""
    told, leg = known.told, known.desired_leg
    position = start_position(told, leg) if leg else ""
    unsure = told.unsure_fragments | {position} - {""}
    return replace(known, told=replace(told, unsure_fragments=unsure))


def start_position(told: Told, leg: Leg) -> str:
    """Where ASAPP begins to read: at the leg's first fragment, or, with ``""``, at the present
    moment. ASAPP never reads the same audio twice, nor a hold."""
    is_read = leg.fragment_number in told.started_fragments
    return "" if is_read or leg.resumed_at_ms else leg.fragment_number


def told_to_stop(told: Told, outcome: Outcome) -> Told:
    if not outcome.succeeded:
        return replace(told, asapp=UNKNOWN)
    # If ASAPP had something to stop, an earlier start without a clear end has taken place.
    read = told.unsure_fragments if outcome.status == "done" else frozenset()
    return replace(
        told,
        asapp=STOPPED,
        started_fragments=told.started_fragments | read,
        unsure_fragments=frozenset(),
    )


def told_to_start(told: Told, leg: Leg, position: str, outcome: Outcome, now_ms: int) -> Told:
    if outcome == DISABLED:
        # What is said while the switch is off is not transcribed later either.
        passed = told.started_fragments | {position} - {""}
        told = replace(told, started_fragments=passed)
    if not outcome.succeeded and outcome.is_certain:
        return replace(told, asapp=STOPPED, unsure_fragments=told.unsure_fragments - {position})
    fragment = frozenset((position,)) - {""}
    told = replace(
        told,
        agent_id=leg.agent_id,
        customer_id=leg.customer_id,
        stream_arn=leg.stream_arn,
        contact_id=leg.contact_id,
        customer_stream_id=outcome.customer_stream_id,
        agent_stream_id=outcome.agent_stream_id,
        started_at_ms=now_ms,
        audio_began_at_ms=(leg.began_at_ms if position else 0) or now_ms,
    )
    if not outcome.succeeded:
        return replace(told, asapp=UNKNOWN, unsure_fragments=told.unsure_fragments | fragment)
    return replace(
        told,
        asapp=STREAMING,
        started_fragments=told.started_fragments | fragment,
        unsure_fragments=frozenset(),
    )
