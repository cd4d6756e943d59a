"""Serves the built page on loopback, with the headers that it has on AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.stacks.emulator import SandboxError


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, and ``config.json``."""

    def __init__(
        self, *arguments: Any, config: bytes, headers_sent: Mapping[str, str], **more: Any
    ) -> None:
        self._config, self._headers_sent = config, headers_sent
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/config.json":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self._config)))
        self.end_headers()
        self.wfile.write(self._config)

    def end_headers(self) -> None:
        for name, value in self._headers_sent.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: an address may have an authorisation code in it."""


@contextmanager
def served_page(
    bundle: Path, port: int, config: Mapping[str, Any], headers: Mapping[str, str]
) -> Iterator[None]:
    """Serve the page until the end of ``with``.

    :param bundle: The folder that ``make web`` has built.
    """
    if not (bundle / "index.html").is_file():
        raise SandboxError(f"{bundle} has no page; run: make web")
    handler = partial(
        _Handler,
        directory=str(bundle),
        config=json.dumps(config).encode(),
        headers_sent=headers,
    )
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, name="page", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
