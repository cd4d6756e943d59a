"""A small web server in the place of what was deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.running_server import running


@dataclass(frozen=True)
class Served:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@contextmanager
def serving(
    answer: Callable[[str], Served], post: Callable[[Message], int] = lambda _: 405
) -> Iterator[str]:
    """Its URL, without a slash.

    :param answer: What a GET of a path gets.
    :param post: The status that a POST gets, by its headers.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(answer(self.path))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(Served(post(self.headers)))

        def _send(self, served: Served) -> None:
            content = served.body.encode()
            self.send_response(served.status)
            for name, value in {**served.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
