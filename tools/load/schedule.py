"""Which calls come when, and what is said in each, before anything begins.

The model is open: a call comes at its time, however long the others take. The same seed gives the
same calls.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sandbox.asapp.conversations import Role, Utterance, load_all
from sandbox.connect import scenarios
from sandbox.connect.scenarios import CALLS, WITH_MODULES, Act

COURSES: tuple[tuple[Act, ...], ...] = (
    CALLS["the agent hangs up first"],
    CALLS["two holds"],
    CALLS["the customer hangs up first"],
    WITH_MODULES,
    CALLS["warm transfer"],
    CALLS["outbound"],
    CALLS["hang-up while on hold"],
    CALLS["cold transfer to a queue and a second agent"],
)
UTTERANCES_A_MINUTE = 10
"""Of both speakers: ASAPP's pace."""
TALK_SECONDS = (40, 80)
"""The least and the most talk of a call."""
_TAKES = (scenarios.ada_takes_it, scenarios.grace_takes_it, scenarios.ada_calls)
_TALK_FOLLOWS = (*_TAKES, scenarios.agent_resumes, scenarios.agent_leaves)
_BURST = 0.15
"""The chance that a short exchange follows: three utterances within two seconds."""
_LONGEST_TEXT = 2_000
_FIRST_WORD_MS = 1_500
"""Nobody speaks at once. A start takes part of that time."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that somebody does.

    :param at: Seconds from the beginning of the call.
    :param said: What is said after it, if there is somebody to say it then. Times are those of the
        call's audio, in which a time without words does not count.
    """

    at: float
    act: Act
    said: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """:param at: Seconds from the beginning of the run."""

    number: int
    at: float
    moments: tuple[Moment, ...]

    @property
    def seconds(self) -> float:
        return self.moments[-1].at


def schedule(calls: int, seconds: float, seed: int = 17) -> list[PlannedCall]:
    """So many calls that on average this number is under way at a time, once the first have ended.

    Calls come at random, as they do from many people who know nothing of one another. The last
    ones go on after the end of the time.

    :param seconds: How long calls come.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation's
    made: list[tuple[Moment, ...]] = []
    left = calls * seconds
    while left > 0:
        moments = _moments(COURSES[len(made) % len(COURSES)], rng)
        made.append(moments)
        left -= moments[-1].at
    times = sorted(rng.uniform(0, seconds) for _ in made)
    return [PlannedCall(n, *each) for n, each in enumerate(zip(times, made, strict=True))]


def most_at_a_time(calls: Sequence[PlannedCall]) -> int:
    changes = [(call.at, 1) for call in calls] + [(call.at + call.seconds, -1) for call in calls]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _moments(acts: Sequence[Act], rng: random.Random) -> tuple[Moment, ...]:
    last = len(acts) - 2  # then only the agents' own work ends
    talks = [
        n
        for n, act in enumerate(acts)
        if act.does in _TALK_FOLLOWS
        and n < last
        # The second agent first talks to the other one alone.
        and not (n and acts[n - 1].does is scenarios.ada_consults_grace)
    ]
    talk = rng.uniform(*TALK_SECONDS) / max(1, len(talks))
    at, audio_ms, moments = 0.0, 0, []
    for number, act in enumerate(acts):
        said: tuple[Utterance, ...] = ()
        if number in talks:
            seconds, said = talk, _talk(audio_ms, talk, rng)
        elif act.does is scenarios.agent_holds:
            # What is said at once after a hold begins may still be heard: its stop is on its way.
            seconds, said = rng.uniform(8, 15), (_utterance("customer", audio_ms + 6_000, rng),)
        else:
            seconds = rng.uniform(1, 3)
        moments.append(Moment(at, act, said))
        audio_ms = max([audio_ms, *(each.end_ms for each in said)])
        at += seconds
    return tuple(moments)


def _talk(from_ms: int, seconds: float, rng: random.Random) -> tuple[Utterance, ...]:
    """Utterances in the order of their end, which is when ASAPP has them."""
    gap_seconds = 60 / UTTERANCES_A_MINUTE * (1 + 2 * _BURST)
    until_ms = from_ms + seconds * 1000 - 500
    said: list[Utterance] = []
    end_ms = from_ms + _FIRST_WORD_MS + rng.uniform(0, 2_000)
    while end_ms < until_ms or not said:
        more = 3 if rng.random() < _BURST else 1
        for _ in range(more):
            if said and end_ms >= until_ms:
                break  # what is said later is said to nobody
            role: Role = "agent" if len(said) % 2 else "customer"
            said.append(_utterance(role, round(end_ms), rng))
            end_ms += rng.uniform(200, 1_000)
        end_ms += rng.expovariate(1 / gap_seconds) * 1000
    return tuple(said)


def _utterance(role: Role, end_ms: int, rng: random.Random) -> Utterance:
    length_ms = min(end_ms, rng.randint(600, 5_000))
    return Utterance(role, end_ms - length_ms, end_ms, rng.choice(_texts()))


@cache
def _texts() -> tuple[str, ...]:
    """What people say in the sandbox's scripts."""
    every = (each.text for script in load_all() for each in script.utterances)
    return tuple(sorted({text for text in every if len(text) < _LONGEST_TEXT}))
