"""ASAPP AutoTranscribe as an HTTP server on this machine, for tests and the demo.

Paths, fields, codes and limits are those of ASAPP's public pages, under https://docs.asapp.com
(AutoTranscribe for Amazon Connect, Conversation API, File Exporter). It may be stricter than ASAPP:
it refuses unknown fields, so that a field that we send by mistake is noticed.

Its own record is complete, even if POSTs to the webhook were lost: GET messages and File Exporter
(``file_exporter``) return every utterance that it transcribed.
"""

import asyncio
import secrets
import socket
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.asapp.conversations import Role, Utterance
from sandbox.asapp.file_exporter import Absent, FeedFile, Feeds, s3_failure
from sandbox.asapp.requests import (
    ACTIONS,
    FEED_FILE,
    HEALTH,
    MESSAGES,
    START,
    STOP,
    Damaged,
    Failure,
    Received,
    Refusal,
    check,
    checked_body,
    checked_external_id,
    checked_parameters,
)
from sandbox.asapp.webhook import Delivery, Post, Sent, Webhook, message
from sandbox.asapp.webhook_auth import ClientCertificate, OAuth2

__all__ = [
    "AsappDouble",
    "ClientCertificate",
    "Damaged",
    "Delivery",
    "Failure",
    "OAuth2",
    "Post",
    "Received",
    "Sent",
    "Unheard",
]

AUDIO_BYTES_PER_MS = 16  # Connect streams 16-bit mono PCM at 8 kHz
MAX_MESSAGES = 1000  # of one GET; there is no second page
MESSAGES_KEPT_SECONDS = 7 * 24 * 3600
ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_IT_COMES = Delivery()
_PLAIN = Damaged()
_NO_ADDRESSES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Unheard:
    """An utterance that was spoken while nothing transcribed the call."""

    guid: str
    utterance: Utterance


@dataclass
class _Call:
    """What ASAPP knows of one guid; ``start`` is the body of its last start."""

    conversation_id: str = ""
    posts: list[Post] = field(default_factory=list)
    stopped_at: float = 0.0  # Unix seconds of the last stop
    start: dict[str, Any] = field(default_factory=dict)
    running: bool = False
    stream_ids: dict[Role, str] = field(default_factory=dict)
    transcripts: dict[Role, int] = field(default_factory=dict)
    spoken_until_ms: int = 0  # scripted time
    audio_from_ms: int | None = None  # scripted time; None until somebody speaks on the streams
    audio_began_at: float = 0.0  # the same in Unix seconds

    @property
    def spoken_until(self) -> float:
        """Unix seconds of the end of the last word, by scripted time."""
        audio_ms = 0 if self.audio_from_ms is None else self.spoken_until_ms - self.audio_from_ms
        return self.audio_began_at + audio_ms / 1000


class AsappDouble:
    """A context manager: ASAPP on a free port of 127.0.0.1, from ``with`` to the end of it.

    ``webhook`` sets where transcripts go, ``speak`` makes people talk, and ``fail_next`` scripts
    failures. ``requests``, ``posts`` and ``unheard`` show what happened; they return copies, so use
    them from any thread. ``advance`` moves the clock, ``publish_feed`` publishes without waiting
    for 02:00, and ``put_feed_file`` adds a file with any content.

    If the pace is faster than real time, messages still have the scripted times, which run ahead of
    the clock.

    :param pace: Real seconds per scripted second; 0 is as fast as possible.
    :param delivery: How messages travel. Default: each once, at once, in the order of their end.
    :param answer_after_ms: How long a start or a stop takes. Until then its guid is pending.
    :param keep_stream_ids: Whether streams keep their ids after a stop and a resume. ASAPP does not
        say.
    :param redaction_rules: Whether the account has redaction rules. Without them ASAPP refuses a
        start that asks for redaction.
    :param client_timestamp: Which moment ``clientTimestamp`` is. ASAPP does not say.
    :param posts_at_once: How many POSTs to the webhook may be under way; 1 keeps their exact order.
    :param clock: Unix seconds, for everything that takes hours or days.
    :param messages_after_seconds: How long after a call's last stop GET messages returns it. With 0
        it also returns running calls. ASAPP says only: once the conversation is complete.
    :param absent: The answer of GET messages for a guid that it does not have, and the answer of
        File Exporter for an empty list: the empty list, or 404. ASAPP does not say.
    :param record_text: Turns the webhook's text into the text of messages and feeds, for instance
        with other spaces or another redaction. Default: the same text.
    :param feeds: Whether the account has File Exporter's feeds. ASAPP's default is no.
    :param feed_columns: The columns of ``utterances``: from the fact to the column's name; see
        ``file_exporter``. Default: the documented columns.
    :param feed_lines: The most lines in a feed's file.
    :param file_urls_last_seconds: How long the URL of a feed's file is valid. ASAPP does not say.

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
        clock: Callable[[], float] = time.time,
        messages_after_seconds: float = 0.0,
        absent: Absent = "empty",
        record_text: Callable[[str], str] = str,
        feeds: bool = True,
        feed_columns: Mapping[str, str] | None = None,
        feed_lines: int = 1000,
        file_urls_last_seconds: float = 900.0,
    ) -> None:
        self.pace = pace
        self.delivery = delivery
        self.answer_after_ms = answer_after_ms
        self.keep_stream_ids = keep_stream_ids
        self.redaction_rules = redaction_rules
        self.client_timestamp = client_timestamp
        self.messages_after_seconds = messages_after_seconds
        self.absent = absent
        self.record_text = record_text
        self._clock, self._ahead = clock, 0.0
        self._feeds = Feeds(
            enabled=feeds,
            columns=feed_columns,
            lines_per_file=feed_lines,
            urls_last_seconds=file_urls_last_seconds,
            absent=absent,
        )
        self.api_id = f"sandbox-{secrets.token_hex(4)}"
        self.api_secret = secrets.token_urlsafe()
        self._webhook = Webhook(posts_at_once, self.now)
        self._failures: dict[str, deque[Failure | Damaged]] = {
            name: deque() for name in (*ACTIONS.values(), FEED_FILE)
        }
        self._requests: list[Received] = []
        self._posts: list[Post] = []
        self._unheard: list[Unheard] = []
        self._calls: dict[str, _Call] = defaultdict(_Call)
        self._pending: set[str] = set()
        self._speaking: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio sets this only on sockets that name their protocol. Without it answers take 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        silent: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False}
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            interface="asgi3",
            lifespan="off",
            timeout_graceful_shutdown=1,
            **silent,
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
        oauth2: OAuth2 | None = None,
        certificate: ClientCertificate | None = None,
        authorities: Path | None = None,
        addresses: Mapping[str, str] = _NO_ADDRESSES,
    ) -> None:
        """Post transcripts to this URL from now on. What is under way goes on as it began.

        :param headers: With the secret, if it is in a header.
        :param params: With the secret, if it is in a URL parameter.
        :param oauth2: Fetch access tokens, and send them in a header.
        :param certificate: Present this one.
        :param authorities: A file with the authorities that vouch for the server. Default: the
            public ones.
        :param addresses: In place of DNS: from a name to ``host:port``.
        """
        self._webhook.aim(
            url,
            headers or {},
            params or {},
            oauth2=oauth2,
            certificate=certificate,
            authorities=authorities,
            addresses=addresses,
        )

    @property
    def tokens_fetched(self) -> int:
        """How many access tokens it has got so far."""
        return self._webhook.tokens_fetched

    def fail_next(self, action: str, failure: Failure | Damaged, times: int = 1) -> None:
        """Answer the next well-formed request with this failure. Failures of one action queue up.

        :param action: ``start-streaming``, ``stop-streaming``, ``messages``, ``listfeeds`` … or
            ``getfeedfile``, or the whole path; ``feedfile`` is a download by its URL.
        """
        self._failures[action.rpartition("/")[2]].extend([failure] * times)

    def now(self) -> float:
        """The double's time in Unix seconds."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the double's clock forward."""
        self._ahead += seconds

    def publish_feed(self, day: date | None = None) -> list[date]:
        """Publish in File Exporter now what was said on one day (UTC), or on all days.

        :return: The days that got new files. A day without new words gets none.
        """
        return self._feeds.publish(day)

    def put_feed_file(self, day: date, name: str, block: bytes, times: int = 1) -> None:
        """Put a file of any content and size into the feed of ``utterances``: a block, repeated."""
        self._feeds.put(day, FeedFile(name, "hr=00", block, times))

    def speak(self, guid: str, utterances: Sequence[Utterance]) -> "Future[list[Post]]":
        """Let people say this on the call, now. ASAPP transcribes an utterance if transcription is
        running when it ends.

        The scripted silence since the call's last word passes too, at the pace.

        :return: The transcribed utterances, once every POST has its answer or its timeout of 60 s.
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
        """The requests that started or resumed transcription of this call."""
        return self._effective(START, guid)

    def successful_stops(self, guid: str) -> list[Received]:
        """The requests that stopped transcription of this call."""
        return self._effective(STOP, guid)

    def _effective(self, action: str, guid: str) -> list[Received]:
        done = [r for r in self.requests if r.took_effect and r.action == action]
        return [request for request in done if request.json()["guid"] == guid]

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        ready.set()  # the socket is listening already, so early connections wait in its queue
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
        hindered = _PLAIN
        try:
            if received.action == FEED_FILE:
                response, hindered = self._feed_file(received)
            else:
                action = check(headers, (self.api_id, self.api_secret), received.action)
                response, hindered = await self._answer(action, received)
        except Refusal as refusal:
            response = refusal.response
        received.status = None if hindered.mute else response.status_code
        await hindered.send(response, scope, receive, send)

    async def _answer(self, action: str, received: Received) -> tuple[Response, Damaged]:
        if action in (START, STOP):
            return await self._start_or_stop(action, received)
        if action == HEALTH:
            return JSONResponse({"healthCheck": "SUCCESS"}), _PLAIN
        if action == MESSAGES:
            guid = checked_external_id(received.query)
        else:
            asked = checked_parameters(action, received.body)
        failure = self._next_failure(action)
        if isinstance(failure, Failure):
            return failure.response(), _PLAIN
        if action == MESSAGES:
            answer = self._messages(guid)
        else:
            answer = self._feeds.answer(action, asked, self.now(), self.url)
        return JSONResponse(answer), failure or _PLAIN

    def _feed_file(self, received: Received) -> tuple[Response, Damaged]:
        failure = self._next_failure(FEED_FILE)
        if isinstance(failure, Failure):
            return s3_failure(failure), _PLAIN
        headers, now = received.headers, self.now()
        response = self._feeds.download(received.path, received.query, headers, now)
        return response, failure or _PLAIN

    async def _start_or_stop(self, action: str, received: Received) -> tuple[Response, Damaged]:
        body = checked_body(action, received.body, redaction_rules=self.redaction_rules)
        guid = body["guid"]
        if guid in self._pending:
            raise Refusal(409, "409-202", "another request for this guid is pending")
        self._pending.add(guid)
        try:
            await asyncio.sleep(self.answer_after_ms / 1000)
            failure = self._next_failure(action)
            if isinstance(failure, Failure) and not failure.takes_effect:
                return failure.response(), _PLAIN
            answer = self._start(guid, body) if action == START else self._stop(guid)
            received.took_effect = True
            if isinstance(failure, Failure):
                return failure.response(), _PLAIN
            return JSONResponse(answer), failure or _PLAIN
        finally:
            self._pending.discard(guid)

    def _next_failure(self, action: str) -> Failure | Damaged | None:
        return self._failures[action].popleft() if self._failures[action] else None

    def _start(self, guid: str, body: dict[str, Any]) -> dict[str, Any]:
        call = self._calls[guid]
        if call.running:
            raise Refusal(409, "409-201", "transcription already started")
        if not (call.stream_ids and self.keep_stream_ids):
            call.stream_ids = {role: str(uuid.uuid4()) for role in get_args(Role)}
            call.transcripts = dict.fromkeys(call.stream_ids, 0)
            call.audio_began_at = max(self.now(), call.spoken_until)
            call.audio_from_ms = None
        call.conversation_id = call.conversation_id or _ulid(self.now())
        call.start, call.running = body, True
        return _answer_of(call)

    def _stop(self, guid: str) -> dict[str, Any]:
        if guid not in self._calls or not self._calls[guid].start:
            raise Refusal(400, "400-203", "no call with that guid")
        call = self._calls[guid]
        if not call.running:
            raise Refusal(409, "409-201", "transcription already stopped")
        call.running, call.stopped_at = False, self.now()
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
        call = self._calls.get(guid)
        if call is None or not self._has_messages(call):
            if self.absent == "404":
                raise Refusal(404, "404-01", "no conversation with that externalId")
            return {"items": []}
        items = []
        for post in sorted(call.posts, key=lambda post: post.ended_at)[:MAX_MESSAGES]:
            moment = post.started_at if self.client_timestamp == "start" else post.ended_at
            items.append(
                {
                    "text": post.recorded,
                    "sender": {"role": post.role, "externalId": post.sender},
                    "messageId": post.message_id,
                    "createdTimestamp": _iso(post.ended_at),
                    "clientTimestamp": _iso(moment),
                }
            )
        return {"items": items}

    def _has_messages(self, call: _Call) -> bool:
        if call.running or not call.start:
            return call.running and not self.messages_after_seconds
        since = self.now() - call.stopped_at
        return self.messages_after_seconds <= since < MESSAGES_KEPT_SECONDS

    async def _speak(self, guid: str, utterances: Sequence[Utterance]) -> list[Post]:
        if task := asyncio.current_task():
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)
        call = self._calls[guid]
        spoken = sorted(utterances, key=lambda u: u.end_ms)
        plan = self.delivery.plan(spoken)
        # At the same moment, words end first and messages leave second.
        ends = [(float(u.end_ms), 0, index) for index, u in enumerate(spoken)]
        leaves = [(due, 1, index) for index, times in enumerate(plan) for due in times]
        heard: dict[int, Post] = {}
        began, began_ms = self._loop.time(), call.spoken_until_ms
        began_at = time.time()
        async with asyncio.TaskGroup() as sending:
            for moment_ms, kind, index in sorted(ends + leaves):
                after = (moment_ms - began_ms) / 1000 * self.pace
                wait = began + after - self._loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                if kind == 1 and index in heard:
                    post_it = self._webhook.send(heard[index], began_at + after)
                    sending.create_task(post_it)
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
            conversation_id=call.conversation_id,
            message_id="",
            recorded=self.record_text(utterance.text),
        )
        post.message_id = _ulid(post.ended_at)
        detailed = bool(call.start.get("autotranscribeParams", {}).get("detailedToken"))
        post.body = message(post, detailed_token=detailed)
        call.transcripts[role] += 1
        call.posts.append(post)
        self._posts.append(post)
        self._feeds.add(post)
        return post


class _Protocol(H11Protocol):
    """Gives the application its connection, so that it can reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _ulid(moment: float) -> str:
    """An id that sorts by its moment (Unix seconds), as ASAPP's message ids do."""
    number = int(moment * 1000) << 80 | secrets.randbits(80)
    return "".join(ULID_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def _answer_of(call: _Call) -> dict[str, Any]:
    participants = {
        role: {"streamId": stream_id, "status": {"code": 1000, "description": "OK"}}
        for role, stream_id in call.stream_ids.items()
    }
    return {"isOk": True, "autotranscribeResponse": participants}


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
