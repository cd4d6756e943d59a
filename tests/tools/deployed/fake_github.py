"""GitHub's record of deployments behind a socket: two lists of its REST API, in pages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/connect-autotranscribe"
TOKEN = "of-this-run"


@dataclass
class History:
    """:param deployments: The newest first: environment, commit, and states, the newest first."""

    deployments: list[tuple[str, str, list[str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, list[str]]) -> list[dict[str, Any]] | None:
        root = f"/repos/{REPOSITORY}/deployments"
        if path == root:
            (environment,) = query["environment"]
            found: list[dict[str, Any]] = [
                {"id": number, "sha": commit, "environment": named, "task": "deploy"}
                for number, (named, commit, _) in enumerate(self.deployments)
                if named == environment
            ]
        elif match := re.fullmatch(f"{root}/(\\d+)/statuses", path):
            found = [{"state": state} for state in self.deployments[int(match[1])][2]]
        else:
            return None
        size = int(query.get("per_page", ["30"])[0])
        start = (int(query.get("page", ["1"])[0]) - 1) * size
        return found[start : start + size]


class FakeGithub(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.history = History()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeGithub

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.history.asked.append(url.path)
        answer: Any = None
        status = 401
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            answer = self.server.history.answer(url.path, parse_qs(url.query))
            status = 404 if answer is None else 200
        content = json.dumps({"message": "no"} if answer is None else answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
