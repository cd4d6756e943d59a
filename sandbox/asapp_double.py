"""ASAPP AutoTranscribe as an HTTP server on this machine, for tests and the demo.

Paths, fields, codes and limits are those of ASAPP's public pages (reference/asapp-api.md). It is
stricter than ASAPP may be: it refuses an unknown field, so that nothing leaks unseen.
"""

import asyncio
import secrets
import socket
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.asapp_requests import (
    ACTIONS,
    MESSAGES,
    START,
    STOP,
    Failure,
    Received,
    Refusal,
    check,
    checked_body,
    checked_external_id,
)
from sandbox.asapp_webhook import Delivery, Post, Sent, Webhook, message
from sandbox.conversations import Role, Utterance

__all__ = ["AsappDouble", "Delivery", "Failure", "Post", "Received", "Sent", "Unheard"]

AUDIO_BYTES_PER_MS = 16  # Connect streams 16-bit mono PCM at 8 kHz
MAX_MESSAGES = 1000  # of one GET; there is no second page
_AS_IT_COMES = Delivery()


@dataclass(frozen=True)
class Unheard:
    """An utterance that was spoken while nothing transcribed the call."""

    guid: str
    utterance: Utterance


@dataclass
class _Call:
    """What ASAPP knows of one guid; ``start`` is the body of its last start."""

    start: dict[str, Any] = field(default_factory=dict)
    running: bool = False
    stream_ids: dict[Role, str] = field(default_factory=dict)
    transcripts: dict[Role, int] = field(default_factory=dict)
    spoken_until_ms: int = 0  # scripted time
    audio_from_ms: int | None = None  # scripted time; None until somebody speaks on the streams
    audio_began_at: float = 0.0  # the same in Unix seconds


class AsappDouble:
    """ASAPP on a free port of 127.0.0.1, from ``with`` to the end of it.

    ``webhook`` says where transcripts go, ``speak`` makes people talk, ``fail_next`` scripts
    failures; ``requests``, ``posts`` and ``unheard`` tell what happened. Only the server's own
    thread adds to them, and each look is a copy: use them from any thread.

    :param pace: Real seconds per scripted second; 0 is as fast as possible.
    :param delivery: How messages travel. Default: each once, at once, in the order of their end.
    :param answer_after_ms: How long a start or a stop takes; so long its guid is pending.
    :param keep_stream_ids: Streams survive a stop and a resume. ASAPP does not say whether they do.
    :param redaction_rules: Whether the account has any; without, to ask for redaction is refused.
    :param client_timestamp: Which moment ``clientTimestamp`` is. ASAPP does not say.
    :param posts_at_once: How many POSTs to the webhook may be under way; 1 keeps their order exact.

    Example::

        with AsappDouble() as asapp:
            asapp.webhook(url, headers={"x-webhook-secret": secret})
            ...  # a start request to asapp.url, with asapp.api_id and asapp.api_secret
            posts = asapp.speak(guid, conversation.utterances).result(timeout=60)
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        delivery: Delivery = _AS_IT_COMES,
        answer_after_ms: int = 0,
        keep_stream_ids: bool = False,
        redaction_rules: bool = True,
        client_timestamp: Literal["start", "end"] = "start",
        posts_at_once: int = 16,
    ) -> None:
        self.pace = pace
        self.delivery = delivery
        self.answer_after_ms = answer_after_ms
        self.keep_stream_ids = keep_stream_ids
        self.redaction_rules = redaction_rules
        self.client_timestamp = client_timestamp
        self.api_id = f"sandbox-{secrets.token_hex(4)}"
        self.api_secret = secrets.token_urlsafe()
        self._webhook = Webhook(posts_at_once)
        self._failures: dict[str, deque[Failure]] = {name: deque() for name in ACTIONS.values()}
        self._requests: list[Received] = []
        self._posts: list[Post] = []
        self._unheard: list[Unheard] = []
        self._calls: dict[str, _Call] = defaultdict(_Call)
        self._pending: set[str] = set()
        self._speaking: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        silent: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False}
        config = uvicorn.Config(
            self._app, interface="asgi3", lifespan="off", timeout_graceful_shutdown=1, **silent
        )
        self._server = uvicorn.Server(config)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="asapp", daemon=True
        )
        self._thread.start()
        if not ready.wait(timeout=10):
            raise RuntimeError("the ASAPP double did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)

    def webhook(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        """Where transcripts are posted, with the secret in a header or in a URL parameter."""
        self._webhook.aim(url, headers or {}, params or {})

    def fail_next(self, action: str, failure: Failure, times: int = 1) -> None:
        """Answer the next well-formed request so; the failures of one action queue up.

        :param action: ``start-streaming``, ``stop-streaming`` or ``messages``, or the whole path.
        """
        self._failures[action.rpartition("/")[2]].extend([failure] * times)

    def speak(self, guid: str, utterances: Sequence[Utterance]) -> "Future[list[Post]]":
        """Let people say this on the call, now. ASAPP hears what ends while transcription runs.

        The scripted silence since the last word on this call passes too, at the pace.

        :return: What ASAPP heard, once every POST has its answer, or its timeout of 60 s.
        """
        return asyncio.run_coroutine_threadsafe(self._speak(guid, utterances), self._loop)

    @property
    def requests(self) -> list[Received]:
        """Every request, in the order of arrival."""
        return list(self._requests)

    @property
    def posts(self) -> list[Post]:
        """Every transcribed utterance, posted or dropped, in the order of its end."""
        return list(self._posts)

    @property
    def unheard(self) -> list[Unheard]:
        """Every utterance that was spoken while nothing transcribed the call."""
        return list(self._unheard)

    def successful_starts(self, guid: str) -> list[Received]:
        """The requests that really started, or resumed, transcription of this call."""
        return self._effective(START, guid)

    def successful_stops(self, guid: str) -> list[Received]:
        """The requests that really stopped transcription of this call."""
        return self._effective(STOP, guid)

    def _effective(self, action: str, guid: str) -> list[Received]:
        done = [r for r in self.requests if r.took_effect and r.action == action]
        return [request for request in done if request.json()["guid"] == guid]

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        ready.set()  # the socket listens already: who connects early waits in its queue
        await self._server.serve(sockets=[listener])
        for task in self._speaking:
            task.cancel()
        await asyncio.gather(*self._speaking, return_exceptions=True)
        await self._webhook.close()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers, url = dict(request.headers), request.url
        shown = headers | ({"asapp-api-secret": "***"} if "asapp-api-secret" in headers else {})
        body = await request.body()
        received = Received(request.method, url.path, url.query, shown, body, time.time())
        self._requests.append(received)
        try:
            action = check(headers, (self.api_id, self.api_secret), received.action)
            response = await self._answer(action, received)
        except Refusal as refusal:
            response = refusal.response
        received.status = response.status_code
        await response(scope, receive, send)

    async def _answer(self, action: str, received: Received) -> Response:
        if action == MESSAGES:
            guid = checked_external_id(received.query)
            failure = self._next_failure(action)
            return failure.response() if failure else JSONResponse(self._messages(guid))
        body = checked_body(action, received.body, redaction_rules=self.redaction_rules)
        guid = body["guid"]
        if guid in self._pending:
            raise Refusal(409, "409-202", "another request for this guid is pending")
        self._pending.add(guid)
        try:
            await asyncio.sleep(self.answer_after_ms / 1000)
            failure = self._next_failure(action)
            if failure and not failure.takes_effect:
                return failure.response()
            answer = self._start(guid, body) if action == START else self._stop(guid)
            received.took_effect = True
            return failure.response() if failure else JSONResponse(answer)
        finally:
            self._pending.discard(guid)

    def _next_failure(self, action: str) -> Failure | None:
        return self._failures[action].popleft() if self._failures[action] else None

    def _start(self, guid: str, body: dict[str, Any]) -> dict[str, Any]:
        call = self._calls[guid]
        if call.running:
            raise Refusal(409, "409-201", "transcription already started")
        if not (call.stream_ids and self.keep_stream_ids):
            call.stream_ids = {role: str(uuid.uuid4()) for role in get_args(Role)}
            call.transcripts = dict.fromkeys(call.stream_ids, 0)
            call.audio_from_ms, call.audio_began_at = None, time.time()
        call.start, call.running = body, True
        return _answer_of(call)

    def _stop(self, guid: str) -> dict[str, Any]:
        if guid not in self._calls or not self._calls[guid].start:
            raise Refusal(400, "400-203", "no call with that guid")
        call = self._calls[guid]
        if not call.running:
            raise Refusal(409, "409-201", "transcription already stopped")
        call.running = False
        answer = _answer_of(call)
        from_ms = call.audio_from_ms
        audio_ms = 0 if from_ms is None else call.spoken_until_ms - from_ms
        for role, participant in answer["autotranscribeResponse"].items():
            participant["summary"] = {
                "totalAudioBytes": audio_ms * AUDIO_BYTES_PER_MS,
                "audioDurationMs": audio_ms,
                "streamingSeconds": round(audio_ms / 1000),
                "transcripts": call.transcripts[role],
            }
        return answer

    def _messages(self, guid: str) -> dict[str, Any]:
        items = []
        for post in [post for post in self._posts if post.guid == guid][:MAX_MESSAGES]:
            moment = post.start_ms if self.client_timestamp == "start" else post.end_ms
            identity = f"{post.stream_id}/{post.start_ms}"
            items.append(
                {
                    "text": post.text,
                    "sender": {"role": post.role, "externalId": post.sender},
                    "messageId": str(uuid.uuid5(uuid.NAMESPACE_OID, identity)),
                    "createdTimestamp": _iso(post.audio_began_at + post.end_ms / 1000),
                    "clientTimestamp": _iso(post.audio_began_at + moment / 1000),
                }
            )
        return {"items": items}

    async def _speak(self, guid: str, utterances: Sequence[Utterance]) -> list[Post]:
        if task := asyncio.current_task():
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)
        call = self._calls[guid]
        spoken = sorted(utterances, key=lambda u: u.end_ms)
        plan = self.delivery.plan(spoken)
        # At one moment, words end before messages leave.
        ends = [(float(u.end_ms), 0, index) for index, u in enumerate(spoken)]
        leaves = [(due, 1, index) for index, times in enumerate(plan) for due in times]
        heard: dict[int, Post] = {}
        began, began_ms = self._loop.time(), call.spoken_until_ms
        async with asyncio.TaskGroup() as sending:
            for moment_ms, kind, index in sorted(ends + leaves):
                wait = began + (moment_ms - began_ms) / 1000 * self.pace - self._loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                if kind == 1 and index in heard:
                    sending.create_task(self._webhook.send(heard[index]))
                elif kind == 0 and (post := self._hear(guid, call, spoken[index])):
                    post.dropped = not plan[index]
                    heard[index] = post
        return list(heard.values())

    def _hear(self, guid: str, call: _Call, utterance: Utterance) -> Post | None:
        until_now = call.spoken_until_ms
        call.spoken_until_ms = max(until_now, utterance.end_ms)
        if not call.running:
            self._unheard.append(Unheard(guid, utterance))
            return None
        if call.audio_from_ms is None:
            call.audio_from_ms = min(until_now, utterance.start_ms)
        role = utterance.role
        post = Post(
            guid=guid,
            stream_id=call.stream_ids[role],
            role=role,
            sender=call.start[f"{role}Id"],
            start_ms=max(utterance.start_ms - call.audio_from_ms, 0),
            end_ms=utterance.end_ms - call.audio_from_ms,
            text=utterance.text,
            audio_began_at=call.audio_began_at,
        )
        detailed = bool(call.start.get("autotranscribeParams", {}).get("detailedToken"))
        post.body = message(post, detailed_token=detailed)
        call.transcripts[role] += 1
        self._posts.append(post)
        return post


def _answer_of(call: _Call) -> dict[str, Any]:
    participants = {
        role: {"streamId": stream_id, "status": {"code": 1000, "description": "OK"}}
        for role, stream_id in call.stream_ids.items()
    }
    return {"isOk": True, "autotranscribeResponse": participants}


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
