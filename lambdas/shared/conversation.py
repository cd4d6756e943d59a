"""The one place that decides what to tell ASAPP.

A conversation is a call with its legs: one agent, on one contact, on one video stream each.
Whatever is seen of it (a flow's block, an agent event, a contact event; twice, late, out of order)
changes a leg or does not. From the legs follows which one ASAPP should hear now, and from that and
what ASAPP was last told follow the requests that are due. Nothing here talks to anyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

START = "start"
STOP = "stop"

STREAMING = "streaming"
STOPPED = "stopped"
UNKNOWN = "unknown"
"""ASAPP may or may not be streaming: a request had no clear end, or there was none yet."""

CONNECTED = "connected"
PAUSED = "paused"
ENDED = "ended"
OVER = "over"
"""The contact is disconnected; nothing that is seen of it later counts."""

_RETRIES_END_MS = 8_000
"""So long a flow's start or stop may be under way, Connect's retries included: a stop may come that
late after its hold is over."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of a conversation that one agent has on one contact and its video stream.

    :param agent_arn: Connect's own name of the agent, ``""`` where the flow did not say.
    :param fragment_number: Where its audio begins in the stream, ``""`` for now.
    :param began_at_ms: When that was, in milliseconds since 1970, 0 where unknown.
    :param state: ``CONNECTED``, ``PAUSED``, ``ENDED`` or ``OVER``.
    :param confirmed: Whether an agent event has shown the agent with the caller.
    :param at_ms: Since when it is in this state.
    :param agent_at_ms: The time of the agent's last event, at first of the start; what is older
        does not count. Apart from ``at_ms``, because a hold's flow may run after its end.
    :param resumed_at_ms: When its last hold ended, 0 for none.
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


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is known of a conversation.

    :param version: Counts the writes, so that of two writes on the same knowledge one fails.
    :param legs: The one that began last stands last.
    :param asapp: What ASAPP does: ``STREAMING``, ``STOPPED`` or ``UNKNOWN``.
    :param agent_id: Of the leg that ASAPP was last told of; ``stream_arn`` likewise.
    :param started_fragments: The fragment numbers at which ASAPP has started to read.
    :param attempt: The invocation that last acted on it, or acts now.
    :param claimed_until_ms: Until when that invocation may act; 0 once it has.
    :param desired_action: What it was to do: ``START`` or ``STOP``.
    :param desired_agent_id: Of the leg that it was to start.
    """

    version: int = 0
    legs: tuple[Leg, ...] = ()
    asapp: str = UNKNOWN
    agent_id: str = ""
    stream_arn: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    started_fragments: frozenset[str] = frozenset()
    attempt: str = ""
    claimed_until_ms: int = 0
    desired_action: str = ""
    desired_agent_id: str = ""
    outcome_status: str = ""
    outcome_reason: str = ""

    @property
    def desired_leg(self) -> Leg | None:
        """The leg that ASAPP should hear now: the last one while its agent is with the caller, else
        one whose agent is known to be."""
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

    def leg_of(self, contact_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.contact_id == contact_id), None)

    def with_leg(self, changed: Leg) -> Conversation:
        legs = (changed if leg.contact_id == changed.contact_id else leg for leg in self.legs)
        return replace(self, legs=tuple(legs))


Observation = Callable[[Conversation], Conversation]
"""What was seen, as the change that it makes to what is known; none where it is old news."""


def started(leg: Leg) -> Observation:
    """A flow has begun to stream a contact's audio, for an agent who takes the call."""

    def observe(known: Conversation) -> Conversation:
        before = known.leg_of(leg.contact_id)
        if before is not None:
            if before.state == OVER or before.at_ms > leg.at_ms:
                return known
            same = (before.agent_id, before.stream_arn) == (leg.agent_id, leg.stream_arn)
            if same and before.state == CONNECTED and known.legs[-1] == before:
                if leg.at_ms - before.agent_at_ms < _RETRIES_END_MS:
                    return known
                # No retry: offered again to the agent, whose earlier news do not count any more.
                return known.with_leg(replace(before, agent_at_ms=leg.at_ms))
        others = (other for other in known.legs if other.contact_id != leg.contact_id)
        return replace(known, legs=(*others, replace(leg, agent_at_ms=leg.at_ms)))

    return observe


def stopped(contact_id: str, at_ms: int) -> Observation:
    """A flow has stopped transcription: a hold flow, a disconnect flow, or before a transfer."""

    def observe(known: Conversation) -> Conversation:
        # A disconnect flow runs on a contact of its own: it means the leg that began last.
        own = known.leg_of(contact_id)
        leg = own or (known.legs[-1] if known.legs else None)
        if leg is None:
            return replace(known, legs=(Leg(contact_id, state=PAUSED, at_ms=at_ms),))
        if leg.state != CONNECTED or leg.at_ms > at_ms:
            return known
        if own and at_ms - leg.resumed_at_ms < _RETRIES_END_MS:
            return known  # of the hold that is over
        return known.with_leg(replace(leg, state=PAUSED, at_ms=at_ms))

    return observe


def agent_saw(contact_id: str, agent_arn: str, state: str, at_ms: int) -> Observation:
    """An agent's view of a contact has changed.

    :param state: ``CONNECTED``, ``PAUSED`` for a hold, or ``ENDED``.
    """

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None or leg.state in (ENDED, OVER) or at_ms <= leg.agent_at_ms:
            return known
        if (leg.agent_arn or state == ENDED) and leg.agent_arn != agent_arn:
            return known  # another agent, to whom the contact was offered before
        seen = replace(leg, agent_at_ms=at_ms, agent_arn=agent_arn)
        if state == CONNECTED:
            seen = replace(seen, confirmed=True)
        if leg.state == state == PAUSED:
            # The hold's flow was first, later than the hold itself: the agent's time is the right
            # one, or a quick resume would seem to be older than its hold.
            return known.with_leg(replace(seen, at_ms=min(leg.at_ms, at_ms)))
        if state == CONNECTED and leg.state == PAUSED:
            if at_ms <= leg.at_ms:
                return known.with_leg(seen)  # the beginning, told after the hold's flow
            seen = replace(seen, resumed_at_ms=at_ms)
        return known.with_leg(replace(seen, state=state, at_ms=at_ms))

    return observe


def contact_over(contact_id: str, at_ms: int) -> Observation:
    """A contact is disconnected, and stays so: even a start that comes later finds it over."""

    def observe(known: Conversation) -> Conversation:
        leg = known.leg_of(contact_id)
        if leg is None:
            asapp = known.asapp if known.version else STOPPED
            gone = Leg(contact_id, state=OVER, at_ms=at_ms)
            return replace(known, legs=(gone, *known.legs), asapp=asapp)
        if leg.state == OVER:
            return known
        return known.with_leg(replace(leg, state=OVER, at_ms=max(at_ms, leg.at_ms)))

    return observe


def steps(known: Conversation) -> tuple[str, ...]:
    """The requests that bring ASAPP to where the call is.

    :returns: ``START`` and ``STOP`` in order; empty where nothing is to be done.
    """
    # An invocation was ended before it could write down what it did: it may have done anything.
    interrupted = known.claimed_until_ms > 0
    asapp = UNKNOWN if interrupted else known.asapp
    leg = known.desired_leg
    if leg is None:
        return () if asapp == STOPPED else (STOP,)
    same_leg = (known.agent_id, known.stream_arn) == (leg.agent_id, leg.stream_arn)
    if asapp == STREAMING and same_leg:
        return ()
    perhaps_another_leg = known.asapp != STOPPED and bool(known.agent_id) and not same_leg
    if interrupted and known.desired_agent_id not in ("", leg.agent_id):
        perhaps_another_leg = True
    return (STOP, START) if perhaps_another_leg else (START,)
