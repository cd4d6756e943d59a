"""Decides what to tell ASAPP. Nothing here talks to anyone.

A conversation is a call with its legs. A leg is one agent, on one contact, on one video stream.
An *observation* is something that a function saw of the call: a flow's block ran, an agent event
or a contact event came. Observations may come twice, late and out of order; each one changes a leg
or changes nothing. The legs say which of them ASAPP should hear now. That, and what ASAPP was told
before, gives the requests that are due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared import table

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

_RETRIES_END_MS = 8_000
"""Connect repeats a flow's block for at most this long. A hold flow's stop may come this late."""
_LONGEST_STREAM_MS = (2 * 60 + 45) * 60_000
"""ASAPP ends a stream after three hours (status 4090). A stream that is older than this is
restarted."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of a conversation that one agent has on one contact and its video stream.

    :param agent_arn: Connect's name of the agent; ``""`` if the flow did not say.
    :param fragment_number: Where the contact's audio begins in the stream; ``""`` for now.
    :param began_at_ms: When the audio began, in milliseconds since 1970; 0 if unknown.
    :param state: ``CONNECTED``, ``PAUSED``, ``ENDED`` or ``OVER``.
    :param confirmed: Whether an agent event has shown the agent connected.
    :param at_ms: When the leg came into this state.
    :param agent_at_ms: The time of the agent's last event, at first that of the start. An event
        that is older changes nothing. Apart from ``at_ms``, because a hold flow may run after the
        hold's end.
    :param resumed_at_ms: When its last hold ended; 0 if there was none.
    :param others: What another version of this code has stored with the leg. It is kept.
    """

    contact_id: str
    customer_id: str = ""
    agent_id: str = ""
    agent_arn: str = ""
    stream_arn: str = ""
    fragment_number: str = ""
    began_at_ms: int = 0
    state: str = CONNECTED
    confirmed: bool = False
    at_ms: int = 0
    agent_at_ms: int = 0
    resumed_at_ms: int = 0
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What ASAPP was told last, and what came of it. Only the invocation that acts changes it.

    :param asapp: What ASAPP does: ``STREAMING``, ``STOPPED`` or ``UNKNOWN``.
    :param agent_id: The agent, stream and contact of the leg that ASAPP was last told to start.
    :param unsure_fragments: Where starts without a clear end were to begin to read.
    :param started_fragments: The fragment numbers at which ASAPP has started to read.
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
    """What is known of a conversation.

    :param version: Counts the writes: a write fails if another one came first.
    :param legs: In the order in which they began.
    :param hold_open: A flow has stopped at a hold, and neither an agent event nor a flow has said
        since what the agent does.
    :param talk_unheard: An agent talked with the caller, and no start for it succeeded.
    :param attempt: The invocation that acts, or acted last.
    :param claimed_until_ms: Until when that invocation may act; 0 if it is done.
    """

    version: int = 0
    legs: tuple[Leg, ...] = ()
    told: Told = Told()
    hold_open: bool = False
    talk_unheard: bool = False
    attempt: str = ""
    claimed_until_ms: int = 0

    @property
    def desired_leg(self) -> Leg | None:
        """The leg that ASAPP should hear now: the last one if it is connected, else one whose agent
        an agent event has shown connected."""
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

    @property
    def answered(self) -> bool:
        """Whether an agent took the call, as far as is known. An agent who never was connected and
        whose leg has ended dropped out during the whisper."""
        return any(
            leg.stream_arn and (leg.confirmed or leg.state in (CONNECTED, PAUSED))
            for leg in self.legs
        )

    def leg_of(self, contact_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.contact_id == contact_id), None)

    def with_leg(self, changed: Leg) -> Conversation:
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


def started(leg: Leg) -> Observation:
    """A flow streams a contact's audio now, for an agent who takes the call."""

    def observe(known: Conversation) -> Conversation:
        before = known.leg_of(leg.contact_id)
        if before is not None:
            if before.state == OVER or before.at_ms > leg.at_ms:
                return known
            same = (before.agent_id, before.stream_arn) == (leg.agent_id, leg.stream_arn)
            if same and before.state == CONNECTED and known.legs[-1] == before:
                if leg.at_ms - before.agent_at_ms < _RETRIES_END_MS:
                    return known
                # No retry: the call is offered to the agent again. Earlier events do not count.
                return known.with_leg(replace(before, agent_at_ms=leg.at_ms))
        others = (other for other in known.legs if other.contact_id != leg.contact_id)
        legs = (*others, replace(leg, agent_at_ms=leg.at_ms))
        return replace(known, legs=legs, told=_told_before(known), hold_open=False)

    return observe


def stopped(contact_id: str, at_ms: int, *, is_disconnect: bool = False) -> Observation:
    """A flow has stopped transcription: a hold flow, a transfer flow, or a disconnect flow.

    :param is_disconnect: It was a disconnect flow: every agent has left. Such a flow runs on a
        contact of its own, which says ``DISCONNECT`` as its initiation method.
    """

    def observe(known: Conversation) -> Conversation:
        if not known.legs:
            state = ENDED if is_disconnect else PAUSED
            return replace(known, legs=(Leg(contact_id, state=state, at_ms=at_ms),))
        if is_disconnect:
            for leg in known.legs:
                if leg.state in (CONNECTED, PAUSED) and leg.at_ms <= at_ms:
                    known = known.with_leg(replace(leg, state=ENDED, at_ms=at_ms))
            return known
        own = known.leg_of(contact_id)
        leg = own or known.legs[-1]  # a transfer flow runs on the next contact
        if leg.state != CONNECTED or leg.at_ms > at_ms:
            return known
        if own and at_ms - leg.resumed_at_ms < _RETRIES_END_MS:
            return known  # a late stop of the hold that is over
        known = known.with_leg(replace(leg, state=PAUSED, at_ms=at_ms))
        return replace(known, hold_open=bool(own) and not leg.confirmed)

    return observe


def agent_saw(contact_id: str, agent_arn: str, state: str, at_ms: int) -> Observation:
    """An agent event shows a contact in this state.

    :param state: ``CONNECTED``, ``PAUSED`` for a hold, or ``ENDED``.
    """

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None or leg.state in (ENDED, OVER) or at_ms <= leg.agent_at_ms:
            return known
        if (leg.agent_arn or state == ENDED) and leg.agent_arn != agent_arn:
            return known  # another agent, to whom the contact was offered before
        known = replace(known, hold_open=False)
        seen = replace(leg, agent_at_ms=at_ms, agent_arn=agent_arn)
        if state == CONNECTED:
            seen = replace(seen, confirmed=True)
        if leg.state == state == PAUSED:
            # The hold flow ran first, later than the hold itself. The agent's time is the right
            # one: otherwise a quick resume would look older than its hold.
            return known.with_leg(replace(seen, at_ms=min(leg.at_ms, at_ms)))
        if state == CONNECTED and leg.state == PAUSED:
            if at_ms <= leg.at_ms:
                return known.with_leg(seen)  # the beginning of the talk, told after the hold flow
            seen = replace(seen, resumed_at_ms=at_ms)
        return known.with_leg(replace(seen, state=state, at_ms=at_ms))

    return observe


def contact_over(contact_id: str, at_ms: int) -> Observation:
    """A contact is disconnected, and stays so: a start that comes later finds it over."""

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None:
            gone = Leg(contact_id, state=OVER, at_ms=at_ms)
            return replace(known, legs=(gone, *known.legs), told=_told_before(known))
        if leg.state == OVER:
            return known
        return known.with_leg(replace(leg, state=OVER, at_ms=max(at_ms, leg.at_ms)))

    return observe


def _told_before(known: Conversation) -> Told:
    """A call of which nothing is written down was never started."""
    return known.told if known.version else replace(known.told, asapp=STOPPED)


def steps(known: Conversation, now_ms: int, *, may_start: bool = True) -> tuple[str, ...]:
    """The requests that bring ASAPP to where the call is.

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
        return (STOP, START) if may_start and age_ms > _LONGEST_STREAM_MS else ()
    if not may_start:
        return (STOP,) if asapp == STREAMING else ()
    return (START,) if asapp == STOPPED else (STOP, START)
