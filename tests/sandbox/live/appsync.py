"""A client of AppSync Events that says what it likes."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

from sandbox.live.live_calls import LiveCalls

_SECONDS = 60.0


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


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
