"""Asks ASAPP to start and stop a transcription.

Source: ASAPP's *AutoTranscribe Media Gateway* API. Every answer of ASAPP becomes an
:class:`Outcome`. Nothing here raises because of ASAPP or the network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.asapp.requests import Answer, AsappRequests, BadCredentials, Credentials
from shared.http import Origin
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

_NAMESPACE = "amazonconnect"
_ALREADY = "409-201"
_NO_SUCH_CALL = "400-203"
_CERTAIN_REFUSAL = re.compile(r"(http_)?4(?!01|29)\d\d(-\d{2,3})?")
_LONGEST_ID = 256
_MOST_TRANSCRIPTS = 1_000_000
"""Of one stream: that would be ten utterances a second, for a day."""
_PARTICIPANT_OK = 1000
_PARTICIPANT_CODE = re.compile(r"\d{1,5}")
_PARTICIPANT_CODES = {
    4050: "language not supported",
    4083: "idle for 60 seconds",
    4090: "streaming for longer than ASAPP's limit, 3 hours by default",
    4092: "only smart-formatted text can be redacted",
    4093: "redaction and detailed tokens exclude each other",
    4094: "unredacted text refused: the account always redacts",
    5000: "internal error",
    5001: "shutting down",
    5002: "no instance",
}
"""From the table of ASAPP's WebSocket API, which shares 1000 with this one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    :param status: ``done``, ``already`` (409-201, and 400-203 for a stop: what ASAPP does not know
        it does not transcribe), ``rejected``, ``unavailable``, or ``disabled``: the switch stops
        all transcription, and nothing was sent.
    :param reason: ASAPP's code (``400-201``), a participant's status code, or ours
        (``timeout``, ``connection``, ``not_json``, ``http_503``, ``credentials``); ``""`` for done.
    :param transcripts: By stream id, how many utterances ASAPP says it produced (stop only).
    :param is_unclear: Whether an earlier try may have been carried out, although this one was not.
    """

    status: str
    reason: str = ""
    customer_stream_id: str = ""
    agent_stream_id: str = ""
    transcripts: Mapping[str, int] = field(default_factory=dict)
    is_unclear: bool = False

    @property
    def succeeded(self) -> bool:
        return self.status in ("done", "already")

    @property
    def is_certain(self) -> bool:
        """Whether it is known what ASAPP does now: what was asked, or, after a refused start,
        nothing."""
        refused = self.status == "rejected" and _CERTAIN_REFUSAL.fullmatch(self.reason)
        return self.succeeded or self == DISABLED or bool(refused and not self.is_unclear)


DISABLED = Outcome("disabled", "switched_off")


class Asapp:
    """ASAPP's API at one host, with our credentials as :class:`AsappRequests` takes them.

    :param autotranscribe_params: ``language``, ``detailedToken``, ``audioRecordingAllowed``,
        ``redactionOutput``: fixed at deployment, sent with every start.
    :param is_off: Whether all transcription is stopped; asked before each start. Default: never.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Callable[[bool, Deadline], Credentials],
        autotranscribe_params: Mapping[str, Any],
        is_off: Callable[[Deadline], bool] = lambda _: False,
    ) -> None:
        self._is_off = is_off
        self._requests = AsappRequests(origin, credentials)
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
        if self._is_off(deadline):
            return DISABLED
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
        outcome = self._post("/mg-autotranscribe/v1/stop-streaming", body, deadline)
        if outcome.reason == _NO_SUCH_CALL:
            return Outcome("already", _NO_SUCH_CALL)
        return outcome

    def _post(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Outcome:
        try:
            answer = self._requests.post(path, body, deadline)
        except BadCredentials as problem:
            logger.error("no credentials for ASAPP", extra={"problem": str(problem)})
            return Outcome("unavailable", "credentials")
        if not answer.code:
            return _accepted(answer)
        if answer.code == _ALREADY:
            return Outcome("already", answer.code)
        status = "unavailable" if answer.may_pass else "rejected"
        return Outcome(status, answer.code, is_unclear=answer.is_unclear)


def _accepted(answer: Answer) -> Outcome:
    """A 200 can still report a failure: in ``isOk``, or in a participant's status."""
    participants = answer.content.get("autotranscribeResponse")
    participants = participants if isinstance(participants, dict) else {}
    customer = _participant(participants, "customer")
    agent = _participant(participants, "agent")
    statuses = (participant.get("status") for participant in (customer, agent))
    codes = [status.get("code") for status in statuses if isinstance(status, dict)]
    failed = [code for code in codes if code != _PARTICIPANT_OK]
    if answer.content.get("isOk") is not True or failed:
        code = str(failed[0]) if failed else ""
        code = code if _PARTICIPANT_CODE.fullmatch(code) else "not_ok"
        meaning = _PARTICIPANT_CODES.get(int(code), "unknown") if code.isdigit() else "unknown"
        logger.warning(
            "ASAPP accepted the request and failed", extra={"code": code, "meaning": meaning}
        )
        return Outcome("rejected", code)
    return Outcome(
        "done",
        customer_stream_id=_stream_id(customer),
        agent_stream_id=_stream_id(agent),
        transcripts={
            _stream_id(participant): count
            for participant in (customer, agent)
            if _stream_id(participant) and (count := _transcripts(participant)) is not None
        },
    )


def _participant(participants: Mapping[str, Any], role: str) -> dict[str, Any]:
    value = participants.get(role)
    return value if isinstance(value, dict) else {}


def _stream_id(participant: Mapping[str, Any]) -> str:
    """``""`` also for one that no key of the table can hold."""
    value = participant.get("streamId")
    is_id = isinstance(value, str) and len(value) <= _LONGEST_ID and value.isprintable()
    return str(value) if is_id else ""


def _transcripts(participant: Mapping[str, Any]) -> int | None:
    """How many utterances ASAPP has made of the stream; None if it gives no such number."""
    summary = participant.get("summary")
    value = summary.get("transcripts") if isinstance(summary, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TRANSCRIPTS else None
