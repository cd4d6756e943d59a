"""HTTP over the standard library, with a time limit that holds whatever the other side does.

``http.client`` limits each single read, so a server that drips a byte a second, or a name server
that is silent, outlasts any of its timeouts. Here the exchange runs on a thread of its own and the
caller stops waiting at the deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

MAX_RESPONSE_BYTES = 1024 * 1024


class NoAnswer(Exception):
    """No complete HTTP response came: time ran out, or the connection failed."""


@dataclass(frozen=True, slots=True)
class Response:
    """:param headers: Names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Origin:
    """One scheme, host and port, whose connections stay open between requests.

    :param url: For instance ``https://api.asapp.com``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an origin such as https://api.asapp.com")
        self.host = parts.netloc
        self._tls = parts.scheme == "https"
        self._idle: list[http.client.HTTPConnection] = []

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str], *, seconds: float
    ) -> Response:
        """One POST, with its answer or :class:`NoAnswer` within ``seconds``."""
        return self._request("POST", path, body, headers, seconds, MAX_RESPONSE_BYTES)

    def get(
        self, path: str, headers: Mapping[str, str], *, seconds: float, most_bytes: int
    ) -> Response:
        """One GET, with its answer of at most ``most_bytes`` or :class:`NoAnswer` likewise."""
        return self._request("GET", path, None, headers, seconds, most_bytes)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        most_bytes: int,
    ) -> Response:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connection()
        connection.timeout = seconds  # ends a thread that nobody waits for any more
        if connection.sock is not None:
            connection.sock.settimeout(seconds)

        def exchange() -> Response | Exception:
            try:
                connection.request(method, path, body, dict(headers))
                answer = connection.getresponse()
                content = answer.read(most_bytes + 1)
                if answer.length and len(content) <= most_bytes:
                    raise http.client.IncompleteRead(b"")  # read(n) itself does not say so
                names = {name.lower(): value for name, value in answer.getheaders()}
                return Response(answer.status, names, content)
            except Exception as problem:
                return problem

        done = _on_a_thread(exchange)
        try:
            outcome = done.get(timeout=seconds)
        except Empty:
            _abandon(connection)
            raise NoAnswer("timeout") from None
        if isinstance(outcome, (OSError, http.client.HTTPException)):
            connection.close()
            self._idle.clear()  # the others have slept as long
            reason = "timeout" if isinstance(outcome, TimeoutError) else type(outcome).__name__
            raise NoAnswer(reason) from outcome
        if isinstance(outcome, Exception):
            connection.close()
            raise outcome
        if len(outcome.body) > most_bytes:
            connection.close()
            raise NoAnswer("the response is too long")
        self._idle.append(connection)
        return outcome

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self.host, context=_tls_context())
        return http.client.HTTPConnection(self.host)


_Exchange = Callable[[], Response | Exception]
_Job = tuple[_Exchange, SimpleQueue[Response | Exception]]
_idle_threads: list[SimpleQueue[_Job]] = []


def _on_a_thread(exchange: _Exchange) -> SimpleQueue[Response | Exception]:
    """Where the result will be. Threads are kept: on a busy processor a new one waits its turn for
    milliseconds, one that slept goes first."""
    done: SimpleQueue[Response | Exception] = SimpleQueue()
    try:
        jobs = _idle_threads.pop()
    except IndexError:
        jobs = SimpleQueue()
        threading.Thread(target=_work, args=(jobs,), daemon=True).start()
    jobs.put((exchange, done))
    return done


def _work(jobs: SimpleQueue[_Job]) -> None:
    while True:
        exchange, done = jobs.get()
        result = exchange()
        _idle_threads.append(jobs)  # before the caller goes on, who may need a thread at once
        done.put(result)


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _abandon(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that still reads from the connection; it closes what it holds."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
