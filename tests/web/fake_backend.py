"""A small fake of what is behind the page: it speaks the contract of ``docs/live.md``, and refuses
what the servers refuse. Sign-in, read API and AppSync Events are on one origin, the page on
another one, and the agent workspace on another site."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from connect_settings.page_headers import security_headers
from tests.web.web_socket import WebSocket

DIST = Path(__file__).parents[2] / "web" / "dist"
WORKSPACE = Path(__file__).parent / "workspace.html"
CLIENT = "the-client"
USERS = {"sam": ["supervisors"], "sue": ["supervisors"], "jane": [], "omar": []}
PAGE_SIZE = 1000
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass
class Asked:
    """One request, as a proxy or a log would see it."""

    method: str
    path: str
    referrer: str


@dataclass
class Call:
    picture: dict[str, Any]
    utterances: list[dict[str, Any]] = field(default_factory=list)

    @property
    def agents(self) -> set[str]:
        return {leg["agent"] for leg in self.picture["legs"]}


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class FakeBackend:
    """:ivar loses_events: Events get lost from now on, as they may: delivery is at most once.
    :ivar is_down: No WebSocket is accepted.
    :ivar isolates: The sign-in page has ``Cross-Origin-Opener-Policy: same-origin``.
    :ivar handshakes: So many WebSockets were asked for.
    :ivar failing: So many requests to the read API are refused next, with status 503.
    :ivar undecided: So many subscriptions are refused next, as the authorizer cannot find out.
    """

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.erased: set[str] = set()
        self.asked: list[Asked] = []
        self.refused: list[tuple[str, str]] = []
        self.tokens: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.loses_events = self.is_down = self.isolates = False
        self.failing = self.undecided = self.handshakes = 0
        self.token_seconds = 3600
        self._last = 0
        self._codes: dict[str, tuple[str, str, str]] = {}
        self._subscriptions: dict[WebSocket, dict[str, str]] = {}
        self._lock = threading.RLock()
        self._servers = [self._serve(self._page), self._serve(self._api), self._serve(self._host)]
        self.page_url, self.api_url, _ = (
            f"http://127.0.0.1:{server.server_port}" for server in self._servers
        )
        # A name of its own, as AppSync's is. A browser takes it for loopback.
        self.realtime_url = f"ws://events.localhost:{self._servers[1].server_port}/event/realtime"
        self.workspace_url = f"http://localhost:{self._servers[2].server_port}"

    # What happens in the calls

    def begin(self, id: str, agent: str = "jane", seconds_ago: float = 0, queue: str = "") -> Call:
        at = int(time.time() * 1000 - seconds_ago * 1000)
        leg: dict[str, Any] = {"contactId": id, "agent": agent, "queue": queue}
        leg |= {"state": "connected"}
        leg |= {"from": at, "at": at}
        picture = {
            "conversationId": id,
            "version": 0,
            "state": "streaming",
            "listening": True,
            "notListening": "",
            "startedAt": at,
            "changedAt": at,
            "completeness": "",
            "legs": [leg | {"holds": []}],
        }
        with self._lock:
            self.calls[id] = Call(picture)
        self.change(id)
        return self.calls[id]

    def change(self, id: str, **changes: Any) -> None:
        with self._lock:
            picture = self.calls[id].picture
            picture |= changes
            picture["version"] += 1
            event = {"type": "conversation"} | json.loads(json.dumps(picture))
        self.publish(f"/live/conversations/{id}", event)
        self.publish("/live/calls", event)

    def hold(self, id: str) -> None:
        leg = self.calls[id].picture["legs"][-1]
        now = int(time.time() * 1000)
        leg["holds"].append({"from": now, "to": None})
        leg |= {"state": "paused", "at": now}
        self.change(id, state="paused", listening=False, notListening="on_hold")

    def resume(self, id: str) -> None:
        leg = self.calls[id].picture["legs"][-1]
        now = int(time.time() * 1000)
        leg["holds"][-1]["to"] = now
        leg |= {"state": "connected", "at": now}
        self.change(id, state="streaming", listening=True, notListening="")

    def transfer(self, id: str, agent: str, contact_id: str) -> None:
        legs, now = self.calls[id].picture["legs"], int(time.time() * 1000)
        legs[-1] |= {"state": "ended", "at": now}
        new: dict[str, Any] = {"contactId": contact_id, "agent": agent, "queue": ""}
        new |= {"state": "connected", "from": now}
        legs.append(new | {"at": now, "holds": []})
        self.change(id)

    def end(self, id: str, completeness: str = "") -> None:
        self.calls[id].picture["legs"][-1] |= {"state": "ended", "at": int(time.time() * 1000)}
        self.change(id, state="ended", listening=False, notListening="ended")
        if completeness:
            self.change(id, completeness=completeness)

    def erase(self, id: str) -> None:
        with self._lock:
            del self.calls[id]
            self.erased.add(id)
        for channel in (f"/live/conversations/{id}", "/live/calls"):
            self.publish(channel, {"type": "erased", "conversationId": id})

    def say(self, id: str, role: str, text: str, **more: Any) -> dict[str, Any]:
        """Each is spoken after the one before, if its time is not given."""
        with self._lock:
            now = self._last = max(int(time.time() * 1000), self._last + 1)
        said = {
            "id": f"{id}/utterance#s#{secrets.token_hex(6)}",
            "role": role,
            "at": now,
            "endAt": now,
            "text": text,
            "source": "webhook",
            "verified": True,
            "storedAt": now,
        } | more
        with self._lock:
            self.calls[id].utterances.append(said)
        told = {"type": "utterance", "conversationId": id} | said
        if len(text.encode()) > 100_000:
            told |= {"text": "", "textOmitted": True}
        if said["source"] != "webhook":
            return said
        self.publish(f"/live/conversations/{id}", told)
        words = {"type": "words", "conversationId": id, "role": role, "at": said["at"]}
        self.publish("/live/calls", words | {"text": text[:160]})
        return said

    def publish(self, channel: str, event: dict[str, Any]) -> None:
        if self.loses_events:
            return
        with self._lock:
            open_now = [
                (to, id)
                for to, all in self._subscriptions.items()
                for id, name in all.items()
                if name == channel
            ]
        for to, id in open_now:
            to.send({"type": "data", "id": id, "event": json.dumps(event)})

    def subscribers(self, channel: str) -> int:
        with self._lock:
            return sum(
                name == channel for all in self._subscriptions.values() for name in all.values()
            )

    def cut(self) -> None:
        """Every WebSocket, without a word."""
        with self._lock:
            cut = list(self._subscriptions)
            self._subscriptions.clear()
        for each in cut:
            each.cut()

    def forget_tokens(self) -> None:
        """As if they had expired."""
        self.tokens.clear()

    def close(self) -> None:
        self.cut()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # Who may

    def user_of(self, authorization: str | None) -> str | None:
        return self.tokens.get((authorization or "").removeprefix("Bearer "))

    def may_see(self, user: str, id: str) -> bool:
        if id in self.erased:
            return False
        if "supervisors" in USERS[user]:
            return True
        call = self.calls.get(id)
        return call is not None and user in call.agents

    # The servers

    def _serve(self, answer: Callable[[Handler], None]) -> ThreadingHTTPServer:
        handler = type("Handler", (Handler,), {"answer": answer, "backend": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @property
    def _security(self) -> dict[str, str]:
        """As whoever hosts the page sends them."""
        events = self.realtime_url.removesuffix("/event/realtime")
        return security_headers(f"{self.api_url} {events}", self.workspace_url)

    def _page(self, request: Handler) -> None:
        path = urlsplit(request.path).path.lstrip("/") or "index.html"
        if path == "config.json":
            request.say(200, json.dumps(self.config), "application/json", self._security)
            return
        file = (DIST / path).resolve()
        if not file.is_file() or not file.is_relative_to(DIST):
            request.say(404, "not found", "text/plain", self._security)
            return
        request.say(200, file.read_bytes(), TYPES[file.suffix], self._security)

    @property
    def config(self) -> dict[str, Any]:
        return {
            "region": "eu-central-1",
            "readUrl": f"{self.api_url}/v1",
            "events": {
                "httpHost": "abc.appsync-api.eu-central-1.amazonaws.com",
                "realtimeUrl": self.realtime_url,
            },
            "signIn": {
                "url": self.api_url,
                "clientId": CLIENT,
                "scopes": ["openid", "profile"],
                "redirectUri": f"{self.page_url}/",
            },
            "connect": {"instanceUrl": self.workspace_url},
        }

    def _host(self, request: Handler) -> None:
        text = WORKSPACE.read_text("utf-8").replace("%APP%", f"{self.page_url}/?home=workspace")
        request.say(200, text, TYPES[".html"], {})

    def _api(self, request: Handler) -> None:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if request.command == "OPTIONS":
            request.say(204, "", "text/plain", self._cors)
        elif url.path == "/oauth2/authorize":
            self._authorize(request, query)
        elif url.path == "/oauth2/token":
            form = parse_qs(request.body.decode())
            self._token(request, {name: values[0] for name, values in form.items()})
        elif url.path == "/logout":
            wanted = {"client_id": CLIENT, "logout_uri": f"{self.page_url}/"}
            where = f"{self.page_url}/" if query == wanted else "/error"
            request.say(302, "", "text/plain", {"Location": where})
        elif url.path == "/event/realtime":
            self._realtime(request)
        elif url.path.startswith("/v1/"):
            status, answer = self._read(request, url.path.removeprefix("/v1"), query)
            more = self._cors | {"Cache-Control": "no-store"}
            request.say(status, json.dumps(answer), "application/json", more)
        else:
            request.say(404, "not found", "text/plain", {})

    @property
    def _cors(self) -> dict[str, str]:
        return {
            "Access-Control-Allow-Origin": self.page_url,
            "Access-Control-Allow-Headers": "authorization",
            "Access-Control-Allow-Methods": "GET",
        }

    def _authorize(self, request: Handler, query: dict[str, str]) -> None:
        """Cognito's page; a click on a name stands for user name and password."""
        is_ours = (
            query.get("client_id") == CLIENT
            and query.get("redirect_uri") == f"{self.page_url}/"
            and query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == 43
            and query.get("scope") == "openid profile"
            and query.get("state")
        )
        if not is_ours:
            request.say(400, "this is no request of the client", "text/plain", {})
            return
        if (user := query.get("user")) in USERS:
            code = secrets.token_urlsafe()
            self._codes[code] = (user, query["code_challenge"], query["redirect_uri"])
            back = urlencode({"code": code, "state": query["state"]})
            where = f"{query['redirect_uri']}?{back}"
            request.say(302, "", "text/plain", {"Location": where})
            return
        links = "".join(
            f'<p><a href="?{html.escape(urlencode(query | {"user": name}))}">{name}</a></p>'
            for name in USERS
        )
        text = f"<!doctype html><html lang=en><title>Sign in</title><h1>Sign in</h1>{links}"
        headers = {"X-Frame-Options": "DENY"}
        headers |= {"Cross-Origin-Opener-Policy": "same-origin"} if self.isolates else {}
        request.say(200, text, TYPES[".html"], headers)

    def _token(self, request: Handler, form: dict[str, str]) -> None:
        user = self._user_by(form) if form.pop("client_id", None) == CLIENT else None
        if user is None:
            request.say(400, '{"error": "invalid_grant"}', "application/json", self._cors)
            return
        now = int(time.time())
        claims = {
            "sub": hashlib.sha256(user.encode()).hexdigest(),
            "cognito:username": user,
            "cognito:groups": USERS[user],
            "exp": now + self.token_seconds,
            "jti": secrets.token_hex(8),
        }
        token = f"{_encoded({'alg': 'none'})}.{_encoded(claims)}.{secrets.token_urlsafe()}"
        self.tokens[token] = user
        answer: dict[str, Any] = {"id_token": token, "expires_in": self.token_seconds}
        if form["grant_type"] == "authorization_code":
            answer["refresh_token"] = secrets.token_urlsafe()
            self.refresh_tokens[answer["refresh_token"]] = user
        request.say(200, json.dumps(answer), "application/json", self._cors)

    def _user_by(self, form: dict[str, str]) -> str | None:
        if form["grant_type"] == "refresh_token":
            return self.refresh_tokens.get(form["refresh_token"])
        user, challenge, redirect_uri = self._codes.pop(form["code"], ("", "", ""))
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        is_right = proof == challenge and form["redirect_uri"] == redirect_uri
        return user if user and is_right else None

    def _read(
        self, request: Handler, path: str, query: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        user = self.user_of(request.headers["Authorization"])
        if user is None:
            return 401, {"message": "Unauthorized"}
        with self._lock:
            if self.failing:
                self.failing -= 1
                return 503, {"error": "the table cannot be read"}
            now = int(time.time() * 1000)
            if path == "/calls":
                if "supervisors" not in USERS[user]:
                    self.refused.append((user, path))
                    return 403, {"error": "the list is for supervisors"}
                pictures = [call.picture for call in self.calls.values()]
                pictures.sort(key=lambda each: -each["changedAt"])
                return 200, {"at": now, "more": False, "calls": pictures}
            return self._conversation(user, unquote(path.removeprefix("/conversations/")), query)

    def _conversation(
        self, user: str, contact: str, query: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        found = [
            id
            for id, call in self.calls.items()
            if contact == id or contact in {leg["contactId"] for leg in call.picture["legs"]}
        ]
        if not found or not self.may_see(user, found[0]):
            self.refused.append((user, contact))
            return 404, {"error": "nothing is known"}
        if not re.fullmatch("[0-9]*", query.get("after", "")):
            return 400, {"error": "after is no number of ours"}
        call, after = self.calls[found[0]], int(query.get("after") or -1)
        rest = sorted(
            (each for each in call.utterances if each["storedAt"] > after),
            key=lambda each: each["storedAt"],
        )
        part = rest[:PAGE_SIZE]
        more = len(rest) > len(part)
        last = part[-1]["storedAt"] if part else max(after, 0)
        recovered = sum(each["source"] != "webhook" for each in call.utterances)
        return 200, {
            "conversation": call.picture,
            "counts": {
                "fromWebhook": len(call.utterances) - recovered,
                "recovered": recovered,
                "unverified": sum(not each["verified"] for each in call.utterances),
            },
            "utterances": part,
            "more": more,
            "next": str(last if more else max(0, last - 5000)),
        }

    def _realtime(self, request: Handler) -> None:
        self.handshakes += 1
        protocols = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
        header = next((each for each in protocols if each.startswith("header-")), "header-e30")
        said = _decoded(header.removeprefix("header-"))
        is_ours = "aws-appsync-event-ws" in protocols and "=" not in header
        if self.is_down or not is_ours or not self._admits(said):
            request.say(401, "{}", "application/json", {})
            return
        request.connection.sendall(WebSocket.answer_to(request.headers, "aws-appsync-event-ws"))
        request.close_connection = True
        open_now = WebSocket(request.connection, request.rfile)  # type: ignore[arg-type]
        with self._lock:
            self._subscriptions[open_now] = {}
        for message in open_now.messages():
            self._message(open_now, message)
        with self._lock:
            self._subscriptions.pop(open_now, None)

    def _admits(self, header: dict[str, str]) -> str | None:
        if header.get("host") != self.config["events"]["httpHost"]:
            return None
        return self.user_of(header.get("Authorization"))

    def _message(self, to: WebSocket, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                to.send({"type": "connection_ack", "connectionTimeoutMs": 300_000})
            case "unsubscribe":
                with self._lock:
                    self._subscriptions.get(to, {}).pop(message["id"], None)
            case "subscribe":
                user, channel = self._admits(message["authorization"]), message["channel"]
                known = re.fullmatch(r"/live/conversations/([A-Za-z0-9-]{1,50})", channel)
                is_list = channel == "/live/calls"
                is_undecided = self.undecided > 0
                self.undecided -= is_undecided
                if (
                    user
                    and not is_undecided
                    and (
                        (is_list and "supervisors" in USERS[user])
                        or (known and self.may_see(user, known[1]))
                    )
                ):
                    with self._lock:
                        self._subscriptions.setdefault(to, {})[message["id"]] = channel
                    to.send({"type": "subscribe_success", "id": message["id"]})
                    return
                self.refused.append((user or "", channel))
                error = {"errorType": "UnauthorizedException", "message": "not permitted"}
                to.send({"type": "subscribe_error", "id": message["id"], "errors": [error]})


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    backend: FakeBackend
    answer: Callable[[Handler], None]
    body = b""

    def do_GET(self) -> None:
        referrer = self.headers.get("Referer", "")
        self.backend.asked.append(Asked(self.command, self.path, referrer))
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).answer(self)

    do_POST = do_OPTIONS = do_GET

    def say(self, status: int, body: str | bytes, kind: str, headers: dict[str, str]) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (headers | {"Content-Type": kind}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
