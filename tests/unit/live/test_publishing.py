"""Each event of the bus reaches its channel and the list, signed, as AppSync Events takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from publish_live import handler as publish_live
from publish_live.handler import NotPublished, messages

CALL = "1f2e3d4c-0000-4000-8000-000000000001"
HOST = "abc.appsync-api.eu-central-1.amazonaws.com"
DETAIL: dict[str, Any] = {
    "id": f"{CALL}/u",
    "conversationId": CALL,
    "streamId": "s-1",
    "role": "customer",
    "verified": True,
    "startMs": 400,
    "endMs": 900,
    "text": "<b>I need help</b>",
    "source": "webhook",
    "receivedAt": 50_000,
    "storedAt": 50_010,
}


def event(detail: dict[str, Any], kind: str = "Utterance") -> dict[str, Any]:
    return {"source": "connect-autotranscribe", "detail-type": kind, "detail": detail}


def made(**changes: Any) -> dict[str, Any]:
    return next(iter(messages(event(DETAIL | changes))))[1]


def test_an_utterance_goes_to_its_call_and_its_first_words_to_the_list() -> None:
    (first, second) = messages(event(DETAIL | {"streamStartedAt": 40_000, "senderId": "+1555"}))
    assert first == (
        f"/live/conversations/{CALL}",
        {
            "type": "utterance",
            "id": f"{CALL}/u",
            "conversationId": CALL,
            "role": "customer",
            "at": 40_400,
            "endAt": 40_900,
            "text": "<b>I need help</b>",
            "source": "webhook",
            "verified": True,
            "storedAt": 50_010,
            "streamId": "s-1",
        },
    )
    words = {"role": "customer", "at": 40_400, "text": "<b>I need help</b>"}
    assert second == ("/live/calls", {"type": "words", "conversationId": CALL} | words)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, (49_500, 50_000)),
        ({"streamStartedAt": 40_000, "malformed": ["times"]}, (40_400, 40_400)),
        ({"startMs": 900, "endMs": 400}, (50_000, 50_000)),
    ],
)
def test_each_utterance_has_a_moment(changes: dict[str, Any], at: tuple[int, int]) -> None:
    utterance = made(**changes)
    assert (utterance["at"], utterance["endAt"]) == at


def test_a_recovered_one_has_its_own_moment() -> None:
    times = ("streamId", "startMs", "endMs")
    detail = {k: v for k, v in DETAIL.items() if k not in times} | {"startedAt": 7, "endedAt": 9}
    utterance = next(iter(messages(event(detail))))[1]
    assert (utterance["at"], utterance["endAt"], "streamId" in utterance) == (7, 9, False)


@pytest.mark.parametrize("character", ["x", "é", "😀", '"', "\x01"])
def test_a_text_with_which_an_event_would_be_too_long_is_left_out_and_the_event_says_so(
    character: str,
) -> None:
    sent = [made(text=character * (2**power)) for power in range(8, 19)]
    for event in sent:
        body = json.dumps(json.dumps(event, ensure_ascii=False), ensure_ascii=False)
        assert len(body.encode()) < 210 * 1024
        assert bool(event["text"]) != event.get("textOmitted", False)
    assert sent[0]["text"]
    assert sent[-1]["textOmitted"]


def test_a_change_of_a_call_goes_to_its_channel_and_to_the_list() -> None:
    call = {"conversationId": CALL, "version": 3, "state": "paused"}
    sent = list(messages(event({"id": "x"} | call, "Conversation")))
    shown = {"type": "conversation"} | call
    assert sent == [(f"/live/conversations/{CALL}", shown), ("/live/calls", shown)]


def test_an_erased_call_is_closed_on_its_channel_and_in_the_list() -> None:
    detail = {"id": "x", "conversationId": CALL, "erasedAt": 1, "erasure": "e"}
    sent = list(messages(event(detail, "ConversationErased")))
    shown = {"type": "erased", "conversationId": CALL}
    assert sent == [(f"/live/conversations/{CALL}", shown), ("/live/calls", shown)]


@pytest.mark.parametrize("bad", ["a/b", "*", "", "x" * 51, "-a", "a_b", "é"])
def test_a_conversation_whose_id_cannot_name_a_channel_has_none(bad: str) -> None:
    assert list(messages(event(DETAIL | {"conversationId": bad}))) == []


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 5_000


class Events:
    def __init__(
        self, status: int = 200, body: bytes = b'{"successful": [], "failed": []}'
    ) -> None:
        self.sent: list[tuple[str, str, dict[str, str], dict[str, Any]]] = []
        self._answer = status, body

    def request(self, method: str, path: str, headers: Any, deadline: Any, body: bytes) -> Any:
        from shared.http import Response

        self.sent.append((method, path, dict(headers), json.loads(body)))
        return Response(self._answer[0], {}, self._answer[1])


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_HOST", HOST)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_it_is_posted_signed_and_as_text_inside_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    events = Events()
    monkeypatch.setattr(publish_live, "_events", lambda: events)
    publish_live.handler(event(DETAIL), Context())
    assert [each[3]["channel"] for each in events.sent] == [
        f"/live/conversations/{CALL}",
        "/live/calls",
    ]
    method, path, headers, body = events.sent[0]
    assert (method, path) == ("POST", "/event")
    assert [json.loads(each)["text"] for each in body["events"]] == ["<b>I need help</b>"]
    assert "x-amz-target" not in headers
    signer = SigV4Auth(Credentials("AKID", "secret"), "appsync", "eu-central-1")
    request = AWSRequest("POST", f"https://{HOST}/event", data=json.dumps(body).encode())
    request.headers["content-type"] = headers["content-type"]
    request.headers["host"] = HOST
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["x-amz-date"] = headers["x-amz-date"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("status", "body"), [(401, b"{}"), (500, b""), (200, b'{"failed": [{"code": 1}]}')]
)
def test_lambda_tries_again_if_appsync_refuses(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_live, "_events", lambda: Events(status, body))
    with pytest.raises(NotPublished):
        publish_live.handler(event(DETAIL), Context())
