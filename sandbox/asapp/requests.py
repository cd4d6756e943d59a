"""What ASAPP accepts, and how it refuses: the checks of ``double``, without state.

The codes 400-01, 401-01 and 404-01 are from the examples in ASAPP's API reference. Assumed: which
of them a wrong request to File Exporter gets, and 400-02 for a request that cannot be read.
"""

import asyncio
import json
import re
import socket
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sandbox.asapp.conversations import LANGUAGE_TAG

START, STOP, MESSAGES = "start-streaming", "stop-streaming", "messages"
HEALTH = "health"
LIST_FEEDS, LIST_FEED_FILES, GET_FEED_FILE = "listfeeds", "listfeedfiles", "getfeedfile"
_OF_A_DAY = ("feed", "version", "format", "date")
FEED_PARAMETERS = {
    LIST_FEEDS: (),
    "listfeedversions": ("feed",),
    "listfeedformats": ("feed", "version"),
    "listfeeddates": ("feed", "version", "format"),
    "listfeedintervals": _OF_A_DAY,
    LIST_FEED_FILES: _OF_A_DAY,
    GET_FEED_FILE: (*_OF_A_DAY, "fileName"),
}
"""What each action of File Exporter requires; the last two take ``interval`` as well."""
ACTIONS = {
    ("GET", "/v1/health"): HEALTH,
    ("POST", f"/mg-autotranscribe/v1/{START}"): START,
    ("POST", f"/mg-autotranscribe/v1/{STOP}"): STOP,
    ("GET", f"/conversation/v1/conversation/{MESSAGES}"): MESSAGES,
    **{("POST", f"/fileexporter/v1/static/{name}"): name for name in FEED_PARAMETERS},
}
FEED_FILE, FEED_FILES = "feedfile", "/feedfiles/"  # ours: where getfeedfile's URLs lead
GATEWAY, AUTOTRANSCRIBE = "400-201", "400-202"
PARAMETER, UNREADABLE = "400-01", "400-02"
STREAM_ARN = re.compile(
    r"arn:aws[a-z-]*:kinesisvideo:[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}"
    r":stream/[A-Za-z0-9_.-]{1,256}/[0-9]+"
)
_FORMS = {
    "version": re.compile(r"version=[0-9]+"),
    "format": re.compile(r"format=[a-z]+"),
    "date": re.compile(r"dt=([0-9]{4}-[0-9]{2}-[0-9]{2})"),
    "interval": re.compile(r"hr=[0-9]{2}(/mi=[0-9]{2})?"),
}
FRAGMENT_NUMBER = re.compile(r"[0-9]{10,128}")  # real ones have about 47 digits
REDACTION_OUTPUTS = ("redacted", "unredacted", "redacted_and_unredacted")

_Fields = Mapping[str, tuple[type, bool]]  # name: (type, required)
_STOP_FIELDS: _Fields = {"namespace": (str, True), "guid": (str, True)}
_START_FIELDS: _Fields = {
    **_STOP_FIELDS,
    "customerId": (str, True),
    "agentId": (str, True),
    "autotranscribeParams": (dict, False),
    "amazonConnectParams": (dict, True),
}
_AUTOTRANSCRIBE_FIELDS: _Fields = {
    "language": (str, False),
    "detailedToken": (bool, False),
    "audioRecordingAllowed": (bool, False),
    "redactionOutput": (str, False),
}
_CONNECT_FIELDS: _Fields = {
    "streamArn": (str, True),
    "startSelectorType": (str, True),
    "afterFragmentNumber": (str, False),
}


@dataclass
class Received:
    """A request as it came, without the value of ``asapp-api-secret``.

    :ivar at: Unix time of arrival, in seconds.
    :ivar status: The HTTP status that it got; None while it has no answer.
    :ivar took_effect: It started or stopped transcription, even if the answer said otherwise.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    status: int | None = None
    took_effect: bool = False

    @property
    def action(self) -> str | None:
        """``start-streaming``, ``messages``, ``listfeeds`` …; ``feedfile`` is a download by URL.

        None if ASAPP has no such path.
        """
        if self.method == "GET" and self.path.startswith(FEED_FILES):
            return FEED_FILE
        return ACTIONS.get((self.method, self.path))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Failure:
    """A scripted answer. Default of the body: ASAPP's error envelope.

    :param takes_effect: The request is performed in spite of this answer.
    """

    status: int = 503
    code: str = ""
    message: str = "scripted failure"
    body: str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    takes_effect: bool = False

    @classmethod
    def not_ok(cls, error_message: str) -> Self:
        """A 200 that reports a failure."""
        return cls(status=200, body=json.dumps({"isOk": False, "errorMessage": error_message}))

    @classmethod
    def html(cls, status: int = 200) -> Self:
        """The answer of a proxy between us and ASAPP."""
        return cls(status=status, body="<html>Welcome</html>", content_type="text/html")

    def response(self) -> Response:
        code = self.code or f"{self.status}-01"
        error = {"requestId": str(uuid.uuid4()), "code": code, "message": self.message}
        body = json.dumps({"error": error}) if self.body is None else self.body
        return Response(body, self.status, {**self.headers, "content-type": self.content_type})


@dataclass(frozen=True)
class Damaged:
    """The usual answer, damaged on its way. The request is carried out.

    :param delay_seconds: How late the answer begins.
    :param drip_seconds: The pause after each piece of its body.
    :param drip_bytes: The size of a piece, if there is a pause.
    :param cut_after_bytes: The connection closes after that many bytes of the body, fewer than
        Content-Length says.
    :param reset: The connection is reset: at the cut if there is one, else before any answer.
    :param malformed_line: The line of the body, counted from 1, that is made invalid JSON of the
        same length.
    """

    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    drip_bytes: int = 1
    cut_after_bytes: int | None = None
    reset: bool = False
    malformed_line: int | None = None

    @property
    def mute(self) -> bool:
        """Whether there is no answer at all."""
        return self.reset and self.cut_after_bytes is None

    async def send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer with this damage."""
        left = self.cut_after_bytes
        line = 1

        async def spoil(message: Message) -> None:
            nonlocal left, line
            if message["type"] != "http.response.body":
                return await send(message)
            body = bytes(message.get("body", b""))
            if self.malformed_line:
                lines = body.splitlines(keepends=True)
                for index in range(len(lines)):
                    if line == self.malformed_line:
                        lines[index] = lines[index].replace(b"{", b"[", 1)
                    line += lines[index].endswith(b"\n")
                body = b"".join(lines)
            if left is not None:
                body, left = body[:left], left - len(body)
            size = self.drip_bytes if self.drip_seconds else max(len(body), 1)
            for at in range(0, len(body), size):
                piece = {"type": message["type"], "body": body[at : at + size], "more_body": True}
                await send(piece)
                await asyncio.sleep(self.drip_seconds)
            if left is not None and left < 0:
                raise _Cut
            await send({**message, "body": b""})

        await asyncio.sleep(self.delay_seconds)
        try:
            if self.mute:
                raise _Cut
            await response(scope, receive, spoil)
        except _Cut:
            # If an answer is not finished, the server closes the connection.
            if self.reset:
                transport: asyncio.Transport = scope["state"]["transport"]
                linger = struct.pack("ii", 1, 0)  # on, and for no time: close means reset
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                transport.abort()


class _Cut(Exception):
    """Stops sending an answer."""


class Refusal(Exception):
    """ASAPP refuses the request, with this status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.response = Failure(status, code, message).response()


def check(headers: Mapping[str, str], keys: tuple[str, str], action: str | None) -> str:
    """Check the keys (id, secret), the path and the content type, as for every request.

    :return: The action.
    :raises Refusal: 401, 404 or 400-02.
    """
    if (headers.get("asapp-api-id"), headers.get("asapp-api-secret")) != keys:
        raise Refusal(401, "401-01", "asapp-api-id or asapp-api-secret is wrong")
    if action is None:
        raise Refusal(404, "404-01", "no such path and method")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    _require(media_type == "application/json", UNREADABLE, "Content-Type is not application/json")
    return action


def checked_body(action: str, content: bytes, *, redaction_rules: bool) -> dict[str, Any]:
    """The body of a start or a stop.

    :raises Refusal: 400-201, 400-202, or 400-02 if it is not JSON.
    """
    try:
        body = json.loads(content)
    except ValueError as error:
        raise Refusal(400, UNREADABLE, "the body is not JSON") from error
    _check_fields(body, _START_FIELDS if action == START else _STOP_FIELDS, "body", GATEWAY)
    _require(body["namespace"] == "amazonconnect", GATEWAY, "namespace is not amazonconnect")
    if action == START:
        _check_connect(body["amazonConnectParams"])
        _check_autotranscribe(body.get("autotranscribeParams", {}), redaction_rules)
    return dict(body)


def checked_external_id(query: str) -> str:
    """The one parameter of GET messages.

    :raises Refusal: 400-02.
    """
    parameters = parse_qs(query)
    ids = parameters.get("externalId", [])
    _require(len(parameters) == len(ids) == 1, UNREADABLE, "give externalId, once, alone")
    return ids[0]


def checked_parameters(action: str, content: bytes) -> dict[str, str]:
    """The body of a request to File Exporter. An action without parameters needs no body.

    :raises Refusal: 400-01, or 400-02 if it is not JSON.
    """
    try:
        body = json.loads(content or b"{}")
    except ValueError as error:
        raise Refusal(400, UNREADABLE, "the body is not JSON") from error
    fields: dict[str, tuple[type, bool]] = {name: (str, True) for name in FEED_PARAMETERS[action]}
    if action in (LIST_FEED_FILES, GET_FEED_FILE):
        fields["interval"] = (str, False)
    _check_fields(body, fields, "body", PARAMETER)
    for name, form in _FORMS.items():
        if name in body:
            _require(form.fullmatch(body[name]), PARAMETER, f"{name} is not like {form.pattern}")
    if "date" in body:
        try:
            date.fromisoformat(body["date"].removeprefix("dt="))
        except ValueError as error:
            raise Refusal(400, PARAMETER, "date is no day") from error
    return dict(body)


def _check_connect(params: dict[str, Any]) -> None:
    _check_fields(params, _CONNECT_FIELDS, "amazonConnectParams", GATEWAY)
    arn, selector = params["streamArn"], params["startSelectorType"]
    fragment = params.get("afterFragmentNumber")
    _require(STREAM_ARN.fullmatch(arn), GATEWAY, "streamArn is not a Kinesis video stream's")
    if selector == "FRAGMENT_NUMBER":
        given = fragment is not None and FRAGMENT_NUMBER.fullmatch(fragment)
        _require(given, GATEWAY, "afterFragmentNumber is not a fragment number")
    else:
        _require(selector == "NOW", GATEWAY, "startSelectorType is not NOW or FRAGMENT_NUMBER")
        _require(fragment is None, GATEWAY, "afterFragmentNumber goes with FRAGMENT_NUMBER only")


def _check_autotranscribe(params: dict[str, Any], redaction_rules: bool) -> None:
    _check_fields(params, _AUTOTRANSCRIBE_FIELDS, "autotranscribeParams", AUTOTRANSCRIBE)
    language = params.get("language", "en-US")
    _require(LANGUAGE_TAG.fullmatch(language), AUTOTRANSCRIBE, "language is not an IETF tag")
    output = params.get("redactionOutput", "redacted")
    _require(output in REDACTION_OUTPUTS, AUTOTRANSCRIBE, "redactionOutput is unknown")
    if params.get("detailedToken") and output != "unredacted":
        raise Refusal(400, AUTOTRANSCRIBE, "detailedToken needs redactionOutput unredacted")
    if "redactionOutput" in params and output != "unredacted":
        _require(redaction_rules, AUTOTRANSCRIBE, "the account has no redaction rules")


def _check_fields(body: object, fields: _Fields, name: str, code: str) -> None:
    if not isinstance(body, dict):
        raise Refusal(400, code, f"{name} is not an object")
    for key in body:
        _require(key in fields, code, f"{name} has an unknown field {key}")
    for key, (kind, required) in fields.items():
        _require(key in body or not required, code, f"{name} lacks {key}")
        good = key not in body or (type(body[key]) is kind and body[key] != "")
        _require(good, code, f"{key} is not a {kind.__name__}, or empty")


def _require(good: object, code: str, message: str) -> None:
    if not good:
        raise Refusal(400, code, message)
