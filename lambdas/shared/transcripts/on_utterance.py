"""The customer's function that may change or refuse an utterance before it is stored.

``docs/on-utterance.md`` has the contract. A function that fails, or is late, has decided nothing:
then nothing is stored.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.botocore_errors import error_code
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline
from shared.transcripts.stored_utterances import storable

VERSION = 1
MOST = 10
"""Utterances of one invocation: a batch of the webhook's queue."""
SECONDS = 4.0
"""The function's time for an invocation."""
_MOST_CHARACTERS = 1_000_000
_SECONDS_TO_BEGIN = 5.0
"""After so many no invocation begins: storing needs time too."""
_FIRST_PAUSE_SECONDS = 0.1
_FUNCTION_ERROR, _MALFORMED = "FunctionError", "MalformedAnswer"
_PASSING = frozenset(
    ("TooManyRequestsException", "ServiceException", "ResourceConflictException", "Throttling")
)


class NotScreened(Exception):
    """The function has not decided; says why with a code of AWS's or ours, without a word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An utterance as the function gets it.

    :param id: The same for each delivery of an utterance, and at each comparison with ASAPP's
        record.
    :param role: ``customer``, ``agent`` or ``unknown``.
    :param source: ``webhook``, or where it was recovered from: ``messages``, ``export``.
    """

    id: str
    conversation_id: str
    role: str
    text: str
    source: str


Decisions = dict[str, str | None]
"""By id, the text to store; None for one that is refused. One that is absent is not decided."""


class OnUtterance:
    """:param client: A boto3 Lambda client, which tries once and waits for ``SECONDS``.
    :param function: The ARN of its alias or version.
    """

    def __init__(self, client: Any, function: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._client = client
        self._function = function
        self._clock = clock

    def decide(self, asked: Iterable[Asked]) -> Decisions:
        """What becomes of each, in as few invocations as possible. If the function fails for
        several together, each is asked for by itself: one must not hold back the others.

        :raises NotScreened: if nothing at all is decided.
        """
        by_id = {each.id: each for each in asked}
        deadline = Deadline(_SECONDS_TO_BEGIN, self._clock)
        decided: Decisions = {}
        problems: list[NotScreened] = []
        ahead = list(_chunks(list(by_id.values())))
        while ahead:
            some = ahead.pop(0)
            try:
                decided |= self._ask(some, deadline)
            except NotScreened as problem:
                problems.append(problem)
                if str(problem) in (_FUNCTION_ERROR, _MALFORMED) and len(some) > 1:
                    ahead.extend([each] for each in some)
        if problems and not decided:
            raise problems[0]
        return decided

    def decide_all(self, asked: Sequence[Asked]) -> Decisions:
        """As :func:`decide`, for any number.

        :raises NotScreened: if one is not decided.
        """
        decided: Decisions = {}
        for at in range(0, len(asked), MOST):
            decided |= self.decide(asked[at : at + MOST])
        if not all(each.id in decided for each in asked):
            raise NotScreened("Undecided")
        return decided

    def _ask(self, asked: Sequence[Asked], deadline: Deadline) -> Decisions:
        told = {"version": VERSION, "utterances": [_told(each) for each in asked]}
        payload = json.dumps(told, ensure_ascii=False).encode()
        for attempt in itertools.count():
            if attempt:
                deadline.pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            if not deadline.remaining():
                raise NotScreened("OutOfTime")
            try:
                answer = self._client.invoke(FunctionName=self._function, Payload=payload)
            except (ClientError, BotoCoreError) as problem:
                code = error_code(problem)
                if code not in _PASSING:
                    raise NotScreened(code) from None
            else:
                break
        content = answer["Payload"].read()
        if "FunctionError" in answer:
            raise NotScreened(_FUNCTION_ERROR)
        return _decisions(content, {each.id for each in asked})


def _told(asked: Asked) -> dict[str, str]:
    return {
        "id": asked.id,
        "conversationId": asked.conversation_id,
        "role": asked.role,
        "text": asked.text,
        "source": asked.source,
    }


def _chunks(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """As many as an invocation takes."""
    some: list[Asked] = []
    size = 0
    for each in asked:
        if some and (len(some) == MOST or size + len(each.text) > _MOST_CHARACTERS):
            yield some
            some, size = [], 0
        some.append(each)
        size += len(each.text)
    if some:
        yield some


def _decisions(content: bytes, ids: set[str]) -> Decisions:
    """What the answer decides clearly, by id."""
    try:
        answer = json.loads(content)
    except ValueError:
        raise NotScreened(_MALFORMED) from None
    entries = answer.get("utterances") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise NotScreened(_MALFORMED)
    found: Decisions = {}
    for entry in entries:
        its = entry.get("id") if isinstance(entry, Mapping) else None
        if not isinstance(its, str) or its not in ids:
            continue
        text, refused = entry.get("text"), entry.get("refused", False)
        if refused is True:
            found[its] = None
        elif refused is False and isinstance(text, str):
            found.setdefault(its, storable(text))  # a refusal stays one
    return found


@cache
def on_utterance() -> OnUtterance:
    """The function that the environment names."""
    config = Config(connect_timeout=1, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    return OnUtterance(boto3.client("lambda", config=config), os.environ["ON_UTTERANCE_FUNCTION"])
