"""The server's side of a WebSocket, as far as the fake backend needs it: RFC 6455, whole texts."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any, BinaryIO

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE = 0x1, 0x8


class WebSocket:
    """One connection, after its handshake."""

    def __init__(self, connection: socket.socket, reader: BinaryIO) -> None:
        self._connection, self._reader = connection, reader
        self._lock = threading.Lock()

    @staticmethod
    def answer_to(headers: Message, protocol: str) -> bytes:
        """The answer that accepts the handshake, with one of the subprotocols."""
        key = headers["Sec-WebSocket-Key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept.decode()}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        ).encode()

    def send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        if len(body) < 126:
            length = bytes([len(body)])
        elif len(body) < 65_536:
            length = bytes([126]) + struct.pack("!H", len(body))
        else:
            length = bytes([127]) + struct.pack("!Q", len(body))
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(bytes([0x80 | _TEXT]) + length + body)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the browser sends, until it closes or the connection is cut."""
        while True:
            try:
                code, body = self._frame()
            except (OSError, struct.error, IndexError, ValueError):
                return
            if code == _CLOSE:
                return
            if code == _TEXT:
                yield json.loads(body)

    def cut(self) -> None:
        """As a network does it: without a word."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._reader.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._reader.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._reader.read(8))
        mask = self._reader.read(4)
        body = self._reader.read(length)
        return first & 0x0F, bytes(each ^ mask[n % 4] for n, each in enumerate(body))
