"""Calls of which the webhook loses words."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import get_args

from sandbox.asapp.conversations import Role, Utterance
from sandbox.asapp.double import Post
from shared.transcripts.transcript import Transcript

MINUTE, DAY = 60.0, 86_400.0
STREAM = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/sandbox-contact-1/1795413010416"
TEXTS = (
    *("Yes.", "Yes.", "No.", "Okay.", "Mhm.", "Thank you.", "One moment, please."),
    "My number is ####, and the name on the account is Lovelace.",
    "I can see two orders here, which of them is it about?",
)


@dataclass
class Played:
    """A call that is over.

    :param posts: What ASAPP heard.
    """

    guid: str
    posts: list[Post] = field(default_factory=list)

    @property
    def said(self) -> list[tuple[str, str]]:
        ordered = sorted(self.posts, key=lambda post: (post.started_at, post.ended_at))
        return [(post.role, post.text) for post in ordered]

    @property
    def dropped(self) -> int:
        return sum(post.dropped for post in self.posts)


def read(transcript: Transcript) -> list[tuple[str, str]]:
    return [(spoken.role, spoken.text) for spoken in transcript.utterances]


@dataclass(frozen=True)
class Manner:
    """How people talk.

    :param in_turns: Nobody interrupts.
    :param distinct: No two utterances have the same words.
    :param least_pause_ms: Between two turns.
    """

    in_turns: bool = False
    distinct: bool = False
    least_pause_ms: int = 30


def talk(chance: random.Random, length: int, manner: Manner, from_ms: int = 0) -> list[Utterance]:
    """People who say the same again and again."""
    at_ms, said = from_ms, []
    free = dict.fromkeys(get_args(Role), from_ms)
    for number in range(length):
        role: Role = chance.choice(get_args(Role))
        text = chance.choice(TEXTS)
        if manner.distinct or chance.random() < 0.4:
            text = f"{text} {from_ms}/{number}"
        start = max(at_ms, free[role]) + 1
        end = start + int(len(text) * 60 * chance.uniform(0.8, 1.2))
        said.append(Utterance(role, start, end, text))
        free[role] = end + 20
        at_ms = end if manner.in_turns else start + int((end - start) * chance.uniform(0.3, 1))
        at_ms += chance.randint(manner.least_pause_ms, 2_500)
    return said


def call_of(
    chance: random.Random, length: int, parts: int = 1, manner: Manner = Manner()
) -> list[list[Utterance]]:
    """What is said in a call, in each of its parts at least one utterance."""
    made: list[list[Utterance]] = []
    from_ms = 0
    for at in range(min(parts, length)):
        own = length // parts + (at < length % parts)
        made.append(talk(chance, own, manner, from_ms))
        from_ms = max(each.end_ms for each in made[-1]) + 1_000
    return made
