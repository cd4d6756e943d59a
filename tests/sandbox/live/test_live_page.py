"""The live page's servers on the emulator: sign in, subscribe, read, and be refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.asapp.double import Delivery
from sandbox.live.live_calls import LiveCalls, User
from sandbox.stacks.running import Sandbox, running_sandbox

_SECONDS = 60.0
CALL = "5e55a6e0-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def sandbox(installed: None) -> Iterator[Sandbox]:
    with running_sandbox(delivery=Delivery(), pace=0.01, with_live=True) as running:
        running.deployment.stop_schedules()
        yield running


@pytest.fixture(scope="module")
def live(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCalls]:
    bundle = tmp_path_factory.mktemp("bundle")
    (bundle / "index.html").write_text("the page")
    made = sandbox.live
    assert made is not None
    with made.page(bundle):
        yield made


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed_in(live: LiveCalls, user: User) -> str:
    """The identity token, by the authorisation code with PKCE, as the page gets it."""
    sign_in = live.config["signIn"]
    verifier = secrets.token_urlsafe(40)
    asked = {
        "client_id": sign_in["clientId"],
        "response_type": "code",
        "scope": " ".join(sign_in["scopes"]),
        "redirect_uri": sign_in["redirectUri"],
        "state": "a-state",
        "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    form = httpx.get(f"{sign_in['url']}/oauth2/authorize", params=asked, timeout=_SECONDS).text
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    given = fields | {"username": user.name, "password": user.password}
    answer = httpx.post(f"{sign_in['url']}/login", data=given, timeout=_SECONDS)
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}/" == live.page_url
    query = parse_qs(back.query)
    assert query["state"] == ["a-state"]
    wanted = {"grant_type": "authorization_code", "code": query["code"][0]}
    wanted |= {name: asked[name] for name in ("client_id", "redirect_uri")}
    url = f"{sign_in['url']}/oauth2/token"
    token = httpx.post(url, data=wanted | {"code_verifier": verifier}, timeout=_SECONDS).json()
    identity: str = token["id_token"]
    return identity


@pytest.fixture(scope="module")
def tokens(live: LiveCalls) -> dict[str, str]:
    return {user.name: signed_in(live, user) for user in live.users}


class Events:
    """The protocol of AppSync Events on a real socket."""

    def __init__(self, live: LiveCalls, token: str) -> None:
        events = live.config["events"]
        self._auth = {"host": events["httpHost"], "Authorization": f"Bearer {token}"}
        url = urlsplit(events["realtimeUrl"])
        # The name does not resolve here; the header says which API is meant.
        self._socket = socket.create_connection(("127.0.0.1", url.port or 80), timeout=_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        header = base64url(json.dumps(self._auth).encode())
        self._socket.sendall(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: aws-appsync-event-ws, header-{header}\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._send({"type": "connection_init"})

    def _send(self, message: dict[str, Any]) -> None:
        content, mask = json.dumps(message).encode(), os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
        size = len(content)
        head = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self._socket.sendall(b"\x81" + head + mask + masked)

    def next(self) -> dict[str, Any]:
        kind, size = self._file.read(2)
        if kind != 0x81:
            return {"type": "closed"}
        if size == 126:
            (size,) = struct.unpack(">H", self._file.read(2))
        message: dict[str, Any] = json.loads(self._file.read(size))
        return message

    def until(self, *kinds: str) -> dict[str, Any]:
        ends = time.monotonic() + _SECONDS
        while (message := self.next())["type"] not in kinds:
            assert time.monotonic() < ends
        return message

    def subscribe(self, channel: str) -> bool:
        message = {"type": "subscribe", "id": channel, "channel": channel}
        self._send(message | {"authorization": self._auth})
        answer = self.until("subscribe_success", "subscribe_error")
        return bool(answer["type"] == "subscribe_success")

    def publish(self, channel: str) -> str:
        message = {"type": "publish", "id": "p", "channel": channel, "events": ["{}"]}
        self._send(message | {"authorization": self._auth})
        return str(self.until("publish_success", "publish_error")["type"])

    def data(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.until("data")["event"])
        return event


def post(sandbox: Sandbox, text: str) -> None:
    webhook = sandbox.deployment.settings.webhook
    message = {
        "type": "transcript",
        "externalConversationId": CALL,
        "streamId": "stream",
        "sender": {"externalId": "+15550100199", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 10,
            "end": 20,
            "utterance": [{"text": text}],
        },
    }
    secret = {webhook.secret_name: sandbox.deployment.webhook_secret}
    answer = httpx.post(
        sandbox.deployment.webhook_url, json=message, headers=secret, timeout=_SECONDS
    )
    assert answer.status_code == 200


def read(live: LiveCalls, path: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{live.config['readUrl']}{path}", headers=headers, timeout=_SECONDS)


def test_a_supervisor_gets_what_is_said_and_reads_the_same_utterance(
    sandbox: Sandbox, live: LiveCalls, tokens: dict[str, str]
) -> None:
    events = Events(live, tokens["supervisor"])
    assert events.subscribe(f"/live/conversations/{CALL}")
    text = "<img onerror=alert(1)> \u202e ¿sí?"
    post(sandbox, text)
    heard = events.data()
    assert (heard["type"], heard["text"], heard["verified"]) == ("utterance", text, False)
    answer = read(live, f"/conversations/{CALL}", tokens["supervisor"]).json()
    (said,) = answer["utterances"]
    assert (said["id"], said["text"]) == (heard["id"], text)
    assert "+15550100199" not in json.dumps([heard, answer])


def test_an_agent_gets_nothing_of_a_call_that_is_not_theirs(
    live: LiveCalls, tokens: dict[str, str]
) -> None:
    events = Events(live, tokens["agent-1"])
    for channel in (f"/live/conversations/{CALL}", "/live/calls", "/live/*"):
        assert not events.subscribe(channel)
    assert read(live, f"/conversations/{CALL}", tokens["agent-1"]).status_code == 404
    assert read(live, "/calls", tokens["agent-1"]).status_code == 403
    assert read(live, "/calls", tokens["supervisor"]).status_code == 200


def test_nobody_connects_or_reads_without_a_good_token_and_nobody_publishes(
    live: LiveCalls, tokens: dict[str, str]
) -> None:
    good = tokens["supervisor"]
    for bad in ("", "x.y.z", f"{good[:-4]}AAAA"):
        assert read(live, "/calls", bad).status_code == 401
        assert Events(live, bad).until("connection_error", "closed")["type"] != "connection_ack"
    supervisor = Events(live, good)
    assert not supervisor.subscribe("/live/*")
    assert supervisor.publish(f"/live/conversations/{CALL}") == "publish_error"


def test_the_page_says_who_may_frame_it_and_where_it_connects(live: LiveCalls) -> None:
    answer = httpx.get(live.page_url, timeout=_SECONDS)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors https://sandbox.my.connect.aws;" in policy
    assert "unsafe" not in policy
    assert httpx.get(f"{live.page_url}config.json", timeout=_SECONDS).json() == live.config


def test_a_page_that_is_not_built_says_what_to_run(live: LiveCalls, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="run: make web"), live.page(tmp_path):
        pass
