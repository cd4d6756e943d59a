"""A proxy to hosts whose names nobody else knows."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_READ = 65_536


class Tunnel:
    """A context manager.

    :param addresses: Where each host is, as ``host:port``. It leads nowhere else.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        handler = partial(_Handler, addresses=addresses)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        super().__init__(*arguments)

    def do_CONNECT(self) -> None:
        address = self._addresses.get(self.path.removesuffix(":443"))
        if address is None:
            self.send_error(502)
            return
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            other = {there: self.connection, self.connection: there}
            while True:
                readable, _, _ = select.select([*other], [], [])
                for side in readable:
                    try:
                        data = side.recv(_READ)
                        other[side].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return

    def log_message(self, *_: object) -> None:
        """Nothing."""
