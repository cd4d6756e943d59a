"""What ASAPP accepts, and how it says no: the checks of ``asapp_double``, without any state.

ASAPP does not publish the codes of 401 and 404, nor one for a request that cannot be read: 401-01,
404-01 and 400-02 stand in.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs

from starlette.responses import Response

from sandbox.conversations import LANGUAGE_TAG

START, STOP, MESSAGES = "start-streaming", "stop-streaming", "messages"
ACTIONS = {
    ("POST", f"/mg-autotranscribe/v1/{START}"): START,
    ("POST", f"/mg-autotranscribe/v1/{STOP}"): STOP,
    ("GET", f"/conversation/v1/conversation/{MESSAGES}"): MESSAGES,
}
GATEWAY, AUTOTRANSCRIBE, UNREADABLE = "400-201", "400-202", "400-02"
STREAM_ARN = re.compile(
    r"arn:aws[a-z-]*:kinesisvideo:[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}"
    r":stream/[A-Za-z0-9_.-]{1,256}/[0-9]+"
)
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
    """A request as it came, but for the value of ``asapp-api-secret``, which is blanked.

    :ivar at: Unix time of arrival, in seconds.
    :ivar status: The HTTP status that it got; None while it has no answer.
    :ivar took_effect: It started or stopped transcription, whatever the answer said.
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
        """``start-streaming``, ``stop-streaming``, ``messages``; None where ASAPP has nothing."""
        return ACTIONS.get((self.method, self.path))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Failure:
    """An answer that is not the usual one. Without a body it is ASAPP's error envelope.

    :param takes_effect: The request is carried out all the same; only its answer is lost.
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
        """What a proxy in between would answer."""
        return cls(status=status, body="<html>Welcome</html>", content_type="text/html")

    def response(self) -> Response:
        code = self.code or f"{self.status}-01"
        error = {"requestId": str(uuid.uuid4()), "code": code, "message": self.message}
        body = json.dumps({"error": error}) if self.body is None else self.body
        return Response(body, self.status, {**self.headers, "content-type": self.content_type})


class Refusal(Exception):
    """ASAPP says no, with this status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.response = Failure(status, code, message).response()


def check(headers: Mapping[str, str], keys: tuple[str, str], action: str | None) -> str:
    """The keys (id, secret), the path and the content type, which every request must have.

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

    :raises Refusal: 400-201, 400-202 or, where it is not JSON, 400-02.
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
