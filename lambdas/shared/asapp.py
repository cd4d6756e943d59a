"""What we tell ASAPP: start and stop a transcription.

Source: ASAPP's *AutoTranscribe Media Gateway* API. An answer of ASAPP, whatever it is, becomes an
:class:`Outcome`; nothing here raises because of ASAPP or the network.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.http import NoAnswer, Origin, Response
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

_NAMESPACE = "amazonconnect"
_TRIES = 4
_SECONDS_A_TRY = 2.2
_SHORTEST_TRY_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.2
_PARTICIPANT_OK = 1000
_ALREADY = "409-201"
_PENDING = "409-202"
_CODE = re.compile(r"\d{3}-\d{2,3}")
_PARTICIPANT_CODE = re.compile(r"\d{1,5}")


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    :param status: ``done``, ``already`` (409-201), ``rejected`` or ``unavailable``.
    :param reason: ASAPP's code (``400-203``), a participant's status code, or ours
        (``timeout``, ``connection``, ``not_json``, ``http_503``, ``credentials``); ``""`` for done.
    :param transcripts: By stream id, how many utterances ASAPP says it produced (stop only).
    """

    status: str
    reason: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    transcripts: Mapping[str, int] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.status in ("done", "already")


class Asapp:
    """ASAPP's API at one host.

    :param credentials: Gives the credentials; ``True`` asks for a fresh reading of the secret.
        Raises :class:`BadCredentials`.
    :param autotranscribe_params: ``language``, ``detailedToken``, ``audioRecordingAllowed``,
        ``redactionOutput``: fixed at deployment, sent with every start.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Callable[[bool, Deadline], Credentials],
        autotranscribe_params: Mapping[str, Any],
    ) -> None:
        self._origin = origin
        self._credentials = credentials
        self._autotranscribe_params = dict(autotranscribe_params)

    def start(
        self,
        guid: str,
        *,
        customer_id: str,
        agent_id: str,
        stream_arn: str,
        after_fragment_number: str,
        deadline: Deadline,
    ) -> Outcome:
        """Start or resume. What is not named here never goes to ASAPP.

        :param after_fragment_number: ``""`` starts at ``NOW``.
        """
        position = (
            {"startSelectorType": "FRAGMENT_NUMBER", "afterFragmentNumber": after_fragment_number}
            if after_fragment_number
            else {"startSelectorType": "NOW"}
        )
        body = {
            "namespace": _NAMESPACE,
            "guid": guid,
            "customerId": customer_id,
            "agentId": agent_id,
            "autotranscribeParams": self._autotranscribe_params,
            "amazonConnectParams": {"streamArn": stream_arn, **position},
        }
        return self._post("/mg-autotranscribe/v1/start-streaming", body, deadline)

    def stop(self, guid: str, deadline: Deadline) -> Outcome:
        """Pause or end."""
        body = {"namespace": _NAMESPACE, "guid": guid}
        return self._post("/mg-autotranscribe/v1/stop-streaming", body, deadline)

    def _post(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Outcome:
        """POST until ASAPP decides or time is over.

        Tried again: no answer, 429, 5xx, 409-202 (another request for this guid is pending), and
        once a 401, with the secret read anew, because it may have been rotated.
        """
        content = json.dumps(body).encode()
        outcome = Outcome("unavailable", "timeout")
        fresh = False
        for attempt in range(_TRIES):
            if attempt:
                pause = _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311
                time.sleep(min(pause, deadline.remaining()))
            if deadline.remaining() < _SHORTEST_TRY_SECONDS:
                break
            try:
                credentials = self._credentials(fresh, deadline)
            except BadCredentials as problem:
                logger.error("no credentials for ASAPP", extra={"problem": str(problem)})
                return Outcome("unavailable", "credentials")
            seconds = min(_SECONDS_A_TRY, deadline.remaining())
            try:
                response = self._origin.post(path, content, credentials.headers, seconds=seconds)
            except NoAnswer as problem:
                reason = "timeout" if str(problem) == "timeout" else "connection"
                outcome = Outcome("unavailable", reason)
                continue
            outcome = _outcome(response)
            if response.status == 401 and not fresh:
                fresh = True
            elif outcome.status != "unavailable":
                break
        return outcome


def error_code(response: Response) -> str:
    """ASAPP's code (``400-203``), or ``http_503`` where it gives none."""
    error = _object(response.body).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    known = isinstance(code, str) and _CODE.fullmatch(code)
    return str(code) if known else f"http_{response.status}"


def _outcome(response: Response) -> Outcome:
    if response.status == 200:
        return _accepted(_object(response.body))
    reason = error_code(response)
    if reason == _ALREADY:
        return Outcome("already", reason)
    again = response.status == 429 or response.status >= 500 or reason == _PENDING
    return Outcome("unavailable" if again else "rejected", reason)


def _accepted(answer: Mapping[str, Any]) -> Outcome:
    """A 200 can still report a failure: in ``isOk``, or in a participant's status."""
    if not answer:
        return Outcome("unavailable", "not_json")
    participants = answer.get("autotranscribeResponse")
    participants = participants if isinstance(participants, dict) else {}
    customer = _participant(participants, "customer")
    agent = _participant(participants, "agent")
    statuses = (participant.get("status") for participant in (customer, agent))
    codes = [status.get("code") for status in statuses if isinstance(status, dict)]
    failed = [code for code in codes if code != _PARTICIPANT_OK]
    if answer.get("isOk") is not True or failed:
        code = str(failed[0]) if failed else ""
        return Outcome("rejected", code if _PARTICIPANT_CODE.fullmatch(code) else "not_ok")
    return Outcome(
        "done",
        customer_stream_id=_stream_id(customer),
        agent_stream_id=_stream_id(agent),
        transcripts={
            _stream_id(p): p["summary"]["transcripts"]
            for p in (customer, agent)
            if _stream_id(p)
            and isinstance(p.get("summary"), dict)
            and isinstance(p["summary"].get("transcripts"), int)
        },
    )


def _participant(participants: Mapping[str, Any], role: str) -> dict[str, Any]:
    value = participants.get(role)
    return value if isinstance(value, dict) else {}


def _stream_id(participant: Mapping[str, Any]) -> str:
    value = participant.get("streamId")
    return value if isinstance(value, str) else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
