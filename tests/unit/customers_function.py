"""A function of the customer's, behind Lambda's own protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import unquote

from shared.transcripts import on_utterance
from tests.running_server import running

ARN = "arn:aws:lambda:us-east-1:111111111111:function:screen:live"
Entry = dict[str, Any]


class Raised(Exception):
    """The function raised."""


class Refused(Exception):
    """Lambda refused the invocation, with this error code and status."""


class Customers(ThreadingHTTPServer):
    """:ivar decide: What it makes of each utterance: an entry of its answer.
    :ivar handle: The whole function, of its event.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: list[dict[str, Any]] = []
        self.functions: set[str] = set()
        self.decide: Callable[[Entry], Entry | None] = through
        self.handle: Callable[[dict[str, Any]], Any] = self._usual

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def seen(self) -> list[str]:
        return [each["text"] for event in self.events for each in event["utterances"]]

    def _usual(self, event: dict[str, Any]) -> Any:
        made = (self.decide(each) for each in event["utterances"])
        return {"utterances": [each for each in made if each is not None]}


def through(said: Entry) -> Entry:
    return {"id": said["id"], "text": said["text"]}


def refused(said: Entry) -> Entry:
    return {"id": said["id"], "refused": True}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        server = cast(Customers, self.server)
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.events.append(event)
        server.functions.add(unquote(self.path.split("/")[3]))
        headers: dict[str, str] = {}
        try:
            status, body = 200, json.dumps(server.handle(event))
        except Raised as problem:
            headers["X-Amz-Function-Error"] = "Unhandled"
            status, body = 200, json.dumps({"errorMessage": str(problem)})
        except Refused as problem:
            headers["x-amzn-ErrorType"], status = problem.args
            body = json.dumps({"Message": "words of AWS"})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Not on the screen."""


@contextmanager
def customers_function() -> Iterator[Customers]:
    """A function that has, unlike one of Lambda's, as long as a slow machine needs."""
    with running(Customers()) as server, patch.object(on_utterance, "SECONDS", 60.0):
        yield server
