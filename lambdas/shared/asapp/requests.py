"""Sends requests to ASAPP's APIs, and repeats them. No other module repeats a request.

Source: ASAPP's pages *Rate limits* and *Errors*: after 429 wait 1, 2, 4 s; after 5xx wait 250, 500,
1,000 ms; no other 4xx again. Two exceptions are ours: 409-202 (another request for the same call is
pending) counts as a 5xx, and a 401 is tried once more with the secret read again, because it may
have been rotated.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.aws.api import AwsError, secret_string
from shared.http import MAX_RESPONSE_BYTES, NoAnswer, Origin, Response
from shared.runtime import Deadline, traceparent

NOT_JSON = "not_json"
PENDING = "409-202"
_SHORTEST_TRY_SECONDS = 0.05
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"\d{3}-\d{2,3}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The API id and secret; never printed."""

    api_id: str = field(repr=False)
    api_secret: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request to ASAPP has."""
        return {
            "asapp-api-id": self.api_id,
            "asapp-api-secret": self.api_secret,
            "Content-Type": "application/json",
        }


class BadCredentials(Exception):
    """The credentials cannot be read, or are not what they must be."""


@dataclass(slots=True)
class AsappCredentials:
    """Reads ``{"apiId": "…", "apiSecret": "…"}`` from Secrets Manager, once, and again if asked.

    :param secret_id: The secret's name or ARN.
    """

    secret_id: str
    _kept: Credentials | None = None

    def __call__(self, fresh: bool, deadline: Deadline) -> Credentials:
        """:raises BadCredentials: if the secret cannot be read or is not of this shape."""
        if self._kept is None or fresh:
            try:
                value = json.loads(secret_string(self.secret_id, "AWSCURRENT", deadline) or "")
                api_id, api_secret = value["apiId"], value["apiSecret"]
                if not (_HEADER_VALUE.fullmatch(api_id) and _HEADER_VALUE.fullmatch(api_secret)):
                    raise ValueError
            except AwsError as error:
                raise BadCredentials(f"{self.secret_id}: {error.code}") from None
            except (ValueError, KeyError, TypeError):
                raise BadCredentials(
                    f'{self.secret_id} is not of the shape {{"apiId": "…", "apiSecret": "…"}}'
                ) from None
            self._kept = Credentials(api_id, api_secret)
        return self._kept


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long ASAPP is asked. The caller's deadline ends it earlier.

    :param tries: With the first one.
    :param seconds_a_try: A try gets all the time that is left if another full one does not fit.
    :param pause_seconds: Before the second try; each one after that is twice as long. All are up to
        a quarter longer by chance, so that many functions do not come back at the same moment.
    """

    tries: int = 4
    seconds_a_try: float = 3.5
    pause_seconds: float = 0.25
    pause_seconds_after_429: float = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What ASAPP said in the end.

    :param status: The HTTP status; 0 if no answer came.
    :param code: ``""`` for a 200 with a JSON object; else ASAPP's code (``400-203``), ``http_503``
        if it gave none, ``not_json`` for another 200, ``timeout`` or ``connection`` for no answer.
    :param content: The JSON object of a 200, else ``{}``.
    :param is_unclear: Whether a try may have reached ASAPP, and nobody knows what came of it.
    """

    status: int
    code: str
    content: Mapping[str, Any] = field(default_factory=dict)
    is_unclear: bool = False

    @property
    def is_refusal(self) -> bool:
        """ASAPP answered, and will not do it however often it is asked."""
        return 300 <= self.status < 500 and not self.may_pass

    @property
    def may_pass(self) -> bool:
        """The same request may succeed later."""
        return self.status in (0, 429) or self.status >= 500 or self.code in (PENDING, NOT_JSON)


class AsappRequests:
    """ASAPP's host, with our credentials.

    :param credentials: Gives the credentials; ``True`` asks for a fresh reading of the secret.
        Raises :class:`BadCredentials`.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Callable[[bool, Deadline], Credentials],
        policy: RetryPolicy = RetryPolicy(),
    ) -> None:
        self._origin = origin
        self._credentials = credentials
        self._policy = policy

    def post(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Answer:
        """POST a JSON object until ASAPP decides, or the tries or the time are used up.

        :raises BadCredentials: if they cannot be read. If ASAPP does not take them, that is a 401.
        """
        return self._send("POST", path, deadline, json.dumps(body).encode())

    def get(self, path: str, deadline: Deadline, *, most_bytes: int = MAX_RESPONSE_BYTES) -> Answer:
        """GET a JSON object in the same way.

        :param path: With its query, encoded.
        :param most_bytes: A longer answer is taken for none.
        """
        return self._send("GET", path, deadline, None, most_bytes)

    def _send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None,
        most_bytes: int = MAX_RESPONSE_BYTES,
    ) -> Answer:
        answer = Answer(0, "timeout")
        fresh, is_unclear, failures = False, False, 0
        while failures < self._policy.tries:
            if failures:
                pause = self._pause(answer, failures)
                if deadline.remaining() < pause + _SHORTEST_TRY_SECONDS:
                    break
                deadline.pause(pause)
            headers = self._credentials(fresh, deadline).headers
            if trace := traceparent():
                headers["traceparent"] = trace
            if deadline.remaining() < _SHORTEST_TRY_SECONDS:
                break
            try:
                response = self._origin.request(
                    method, path, headers, self._limit(deadline), body, most_bytes
                )
                answer = _answer(response)
                is_unclear |= response.is_repeated
            except NoAnswer as problem:
                answer = Answer(0, "timeout" if str(problem) == "timeout" else "connection")
                is_unclear |= problem.was_sent
            if answer.status == 401 and not fresh:
                fresh = True
                continue
            if not answer.may_pass:
                break
            is_unclear |= answer.status >= 500 or answer.code == NOT_JSON
            failures += 1
        return replace(answer, is_unclear=is_unclear)

    def _limit(self, deadline: Deadline) -> Deadline:
        another = 2 * self._policy.seconds_a_try + self._policy.pause_seconds
        if deadline.remaining() < another:
            return deadline
        return deadline.at_most(self._policy.seconds_a_try)

    def _pause(self, answer: Answer, failures: int) -> float:
        limited = answer.status == 429
        first = self._policy.pause_seconds_after_429 if limited else self._policy.pause_seconds
        return first * float(2 ** (failures - 1)) * random.uniform(1, 1.25)  # noqa: S311


def _answer(response: Response) -> Answer:
    if response.status != 200:
        return Answer(response.status, error_code(response))
    content = _object(response.body)
    return Answer(200, "", content) if content is not None else Answer(200, NOT_JSON)


def error_code(response: Response) -> str:
    """ASAPP's code (``400-203``), or ``http_503`` if it gives none."""
    error = (_object(response.body) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    known = isinstance(code, str) and _CODE.fullmatch(code)
    return str(code) if known else f"http_{response.status}"


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
