"""Signs in at the live page's servers as the page does, and subscribes to its events."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import struct
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from sandbox.live.live_calls import LiveCalls, User
from sandbox.stacks.emulator import SandboxError

_SECONDS = 60.0


def _base64url(value: bytes) -> str:
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
        "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    form = httpx.get(f"{sign_in['url']}/oauth2/authorize", params=asked, timeout=_SECONDS).text
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    given = fields | {"username": user.name, "password": user.password}
    answer = httpx.post(f"{sign_in['url']}/login", data=given, timeout=_SECONDS)
    back = urlsplit(answer.headers["location"])
    query = parse_qs(back.query)
    if f"{back.scheme}://{back.netloc}/" != live.page_url or query["state"] != ["a-state"]:
        raise SandboxError(f"the sign-in leads to {back.netloc}, not back to the page")
    wanted = {"grant_type": "authorization_code", "code": query["code"][0]}
    wanted |= {name: asked[name] for name in ("client_id", "redirect_uri")}
    url = f"{sign_in['url']}/oauth2/token"
    token = httpx.post(url, data=wanted | {"code_verifier": verifier}, timeout=_SECONDS).json()
    identity: str = token["id_token"]
    return identity


class Events:
    """The protocol of AppSync Events on a real socket."""

    def __init__(self, live: LiveCalls, token: str) -> None:
        events = live.config["events"]
        self._auth = {"host": events["httpHost"], "Authorization": f"Bearer {token}"}
        url = urlsplit(events["realtimeUrl"])
        # The name does not resolve here; the header says which API is meant.
        self._socket = socket.create_connection(("127.0.0.1", url.port or 80), timeout=_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        header = _base64url(json.dumps(self._auth).encode())
        self._socket.sendall(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: aws-appsync-event-ws, header-{header}\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._one = threading.Lock()
        self._send({"type": "connection_init"})

    def wait_forever(self) -> None:
        """From now on, wait for messages without a time limit, until the connection is closed."""
        self._socket.settimeout(None)

    def close(self) -> None:
        """What waits for a message gets ``closed``."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, message: dict[str, Any]) -> None:
        content, mask = json.dumps(message).encode(), os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
        size = len(content)
        head = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        with self._one:
            self._socket.sendall(b"\x81" + head + mask + masked)

    def next(self) -> dict[str, Any]:
        head = self._file.read(2)
        if not head.startswith(b"\x81"):
            return {"type": "closed"}
        size = head[1]
        if size > 125:
            kind, width = (">H", 2) if size == 126 else (">Q", 8)
            (size,) = struct.unpack(kind, self._file.read(width))
        message: dict[str, Any] = json.loads(self._file.read(size))
        return message

    def until(self, *kinds: str) -> dict[str, Any]:
        ends = time.monotonic() + _SECONDS
        while (message := self.next())["type"] not in kinds:
            if time.monotonic() > ends:
                raise SandboxError(f"no {' or '.join(kinds)} within {_SECONDS:.0f} s")
        return message

    def ask(self, channel: str) -> None:
        """Subscribe, without waiting for the answer. The subscription has the channel's name."""
        message = {"type": "subscribe", "id": channel, "channel": channel}
        self._send(message | {"authorization": self._auth})

    def subscribe(self, channel: str) -> bool:
        self.ask(channel)
        answer = self.until("subscribe_success", "subscribe_error")
        return bool(answer["type"] == "subscribe_success")

    def publish(self, channel: str) -> str:
        message = {"type": "publish", "id": "p", "channel": channel, "events": ["{}"]}
        self._send(message | {"authorization": self._auth})
        return str(self.until("publish_success", "publish_error")["type"])

    def data(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.until("data")["event"])
        return event
