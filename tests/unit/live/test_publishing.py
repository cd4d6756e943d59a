"""Each event of the bus reaches its channel and the list, signed, as AppSync Events takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from publish_live import handler as publish_live
from publish_live.handler import Message, NotPublished, messages

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


NOW = 1_000_000_000
A_MINUTE = 60_000


def event(detail: dict[str, Any], kind: str = "Utterance") -> dict[str, Any]:
    return {"source": "connect-autotranscribe", "detail-type": kind, "detail": detail}


def made(**changes: Any) -> dict[str, Any]:
    return sent(DETAIL | changes)[0][1]


def sent(detail: dict[str, Any], kind: str = "Utterance") -> list[Message]:
    return list(messages(event(detail, kind), NOW))


def test_an_utterance_goes_to_its_call_and_its_first_words_to_the_list() -> None:
    first, second = sent(DETAIL | {"streamStartedAt": 40_000, "senderId": "+1555"})
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


def recovered(source: str) -> dict[str, Any]:
    times = ("streamId", "startMs", "endMs")
    detail = {k: v for k, v in DETAIL.items() if k not in times}
    return detail | {"startedAt": 7, "endedAt": 9, "source": source}


def test_a_recovered_one_has_its_own_moment() -> None:
    utterance = sent(recovered("messages"))[0][1]
    assert (utterance["at"], utterance["endAt"], "streamId" in utterance) == (7, 9, False)


@pytest.mark.parametrize("source", ["messages", "export"])
def test_words_that_were_recovered_after_the_call_go_to_the_call_only(source: str) -> None:
    assert [channel for channel, _ in sent(recovered(source))] == [f"/live/conversations/{CALL}"]


@pytest.mark.parametrize("character", ["x", "é", "😀", '"', "\x01"])
def test_a_text_with_which_an_event_would_be_too_long_is_left_out_and_the_event_says_so(
    character: str,
) -> None:
    every = [made(text=character * (2**power)) for power in range(8, 19)]
    for event in every:
        body = json.dumps(json.dumps(event, ensure_ascii=False), ensure_ascii=False)
        assert len(body.encode()) < 210 * 1024
        assert bool(event["text"]) != event.get("textOmitted", False)
    assert every[0]["text"]
    assert every[-1]["textOmitted"]


def test_a_change_of_a_call_goes_to_its_channel_and_to_the_list() -> None:
    call = {"conversationId": CALL, "version": 3, "state": "paused", "changedAt": 1}
    shown = {"type": "conversation"} | call
    assert sent({"id": "x"} | call, "Conversation") == [
        (f"/live/conversations/{CALL}", shown),
        ("/live/calls", shown),
    ]


@pytest.mark.parametrize(
    ("ended_at_ms", "channels"),
    [
        (NOW - 15 * A_MINUTE, [f"/live/conversations/{CALL}", "/live/calls"]),
        (NOW - 15 * A_MINUTE - 1, [f"/live/conversations/{CALL}"]),
    ],
)
def test_a_comparison_does_not_bring_an_ended_call_back_into_the_list(
    ended_at_ms: int, channels: list[str]
) -> None:
    """It changes the call's item, but not when the call has changed."""
    call = {"conversationId": CALL, "version": 9, "state": "ended", "changedAt": ended_at_ms}
    found = sent({"id": "x"} | call | {"completeness": "complete"}, "Conversation")
    assert [channel for channel, _ in found] == channels


def test_an_erased_call_is_closed_on_its_channel_and_in_the_list() -> None:
    detail = {"id": "x", "conversationId": CALL, "erasedAt": 1, "erasure": "e"}
    shown = {"type": "erased", "conversationId": CALL}
    assert sent(detail, "ConversationErased") == [
        (f"/live/conversations/{CALL}", shown),
        ("/live/calls", shown),
    ]


@pytest.mark.parametrize("bad", ["a/b", "*", "", "x" * 51, "-a", "a_b", "é"])
def test_a_conversation_whose_id_cannot_name_a_channel_has_none(bad: str) -> None:
    assert sent(DETAIL | {"conversationId": bad}) == []


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


def test_the_time_is_that_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    monkeypatch.setattr(publish_live, "_events", lambda: events)
    in_1970 = {"conversationId": CALL, "version": 9, "state": "ended", "changedAt": 1}
    publish_live.handler(event({"id": "x"} | in_1970, "Conversation"), Context())
    assert [each[3]["channel"] for each in events.sent] == [f"/live/conversations/{CALL}"]


@pytest.mark.parametrize(
    ("status", "body"), [(401, b"{}"), (500, b""), (200, b'{"failed": [{"code": 1}]}')]
)
def test_lambda_tries_again_if_appsync_refuses(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_live, "_events", lambda: Events(status, body))
    with pytest.raises(NotPublished):
        publish_live.handler(event(DETAIL), Context())
