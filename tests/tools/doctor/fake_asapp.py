"""ASAPP's API behind a socket, as far as the doctor asks it.

The shapes are those of https://docs.asapp.com/apis/configuration/redaction-entities/list-redaction-entities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def entity(id: str, *, redacted: bool) -> dict[str, Any]:
    policies = {"customerImmediate": False, "agentImmediate": False, "autoTranscribe": redacted}
    return {"id": id, "description": f"Redacts {id}", "policies": policies}


@dataclass
class AsappAccount:
    """What is there; as it is made, all is well.

    :param answers: In place of the usual answer of a path: the status and the body.
    """

    api_id: str
    api_secret: str
    health: str = "SUCCESS"
    entities: list[dict[str, Any]] = field(
        default_factory=lambda: [
            entity("CREDIT_CARD_NUMBER", redacted=True),
            entity("SSN", redacted=True),
            entity("PERSON_NAME", redacted=False),
        ]
    )
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def answer(self, path: str, headers: Any) -> tuple[int, str]:
        url = urlsplit(path)
        self.asked.append(path)
        if url.path in self.answers:
            return self.answers[url.path]
        given = headers["asapp-api-id"], headers["asapp-api-secret"]
        if given != (self.api_id, self.api_secret):
            return 401, error("401-01", "Unauthorized")
        if url.path == "/v1/health":
            return 200, json.dumps({"healthCheck": self.health})
        if url.path == "/configuration/v1/redaction-entities":
            return 200, json.dumps(self._page(parse_qs(url.query)))
        self.mistakes.append(path)
        return 404, error("404-01", "Not Found")

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Two a page, however many are asked for: who reads no second page sees little."""
        assert 1 <= int(query["limit"][0]) <= 100
        place = int(query.get("cursor", ["0 of them"])[0].split()[0])
        more = place + 2 < len(self.entities)
        return {
            "redactionEntities": self.entities[place : place + 2],
            "nextCursor": f"{place + 2} of them" if more else None,
            "prevCursor": None,
        }


def error(code: str, message: str) -> str:
    return json.dumps({"error": {"requestId": "8e033668", "code": code, "message": message}})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: FakeAsapp

    def do_GET(self) -> None:
        try:
            status, body = self.server.account.answer(self.path, self.headers)
        except Exception as mistake:
            self.server.account.mistakes.append(repr(mistake))
            status, body = 500, "{}"
        self.send_response(status)
        if status == 302:
            self.send_header("Location", body)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


class FakeAsapp(ThreadingHTTPServer):
    account: AsappAccount

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
