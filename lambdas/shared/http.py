"""HTTP over the standard library. Time limits hold even if the other side is slow or silent, and a
request that was given up is never sent later.

``http.client`` limits each single read: a server that drips, or a silent name server, outlasts it.
So the work is on a thread, and the caller stops waiting at its deadline. A thread cannot be ended,
and Lambda freezes it until the next invocation. So it first makes a connection and sends nothing;
then it sends over a connection that the caller shuts down when it gives up.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import urlsplit

from shared.runtime import Clock, Deadline

T = TypeVar("T")

MAX_RESPONSE_BYTES = 1024 * 1024
_SECONDS_TO_CONNECT = 2.0
"""A lost packet costs a resolver 5 seconds: asking again is faster."""
_SECONDS_A_READ_OF_A_HANDSHAKE = 10.0
_LONGEST_IDLE_MS = 300_000
"""Network address translation in AWS forgets a connection after 350 seconds without a packet."""


class NoAnswer(Exception):
    """No complete HTTP response came: time ran out, or the connection failed.

    :param reason: ``timeout``, or what failed.
    :param was_sent: False if the server certainly got nothing.
    """

    def __init__(self, reason: str, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Response:
    """:param headers: Names in lower case.
    :param is_repeated: Whether the request went out before, on a connection that then broke: the
        server may have acted on that one too.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_repeated: bool = False


class Origin:
    """One scheme, host and port, whose connections stay open between requests.

    :param url: For instance ``https://api.asapp.com``.
    :param resolve: As :func:`socket.getaddrinfo` does.
    """

    def __init__(self, url: str, resolve: Callable[..., Any] = socket.getaddrinfo) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an origin such as https://api.asapp.com")
        self.host = parts.netloc
        self._tls = parts.scheme == "https"
        self._address = (parts.hostname, parts.port or (443 if self._tls else 80))
        self._resolve = resolve
        self._idle: list[tuple[socket.socket, int]] = []  # each with the time of its last use

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        body: bytes | None = None,
        most_bytes: int = MAX_RESPONSE_BYTES,
    ) -> Response:
        """:raises NoAnswer: at the deadline at the latest, or if the answer is too long."""
        request = method, path, body, headers
        is_repeated = False
        while True:
            sock = self._idle_socket(deadline.clock)
            is_reused = sock is not None
            sock = sock or self._connected(deadline, was_sent=is_repeated)
            try:
                response = self._exchange(sock, request, most_bytes, deadline)
            except (OSError, http.client.HTTPException) as problem:
                if is_reused and isinstance(problem, (ConnectionError, ssl.SSLEOFError)):
                    is_repeated = True
                    continue  # the server closed it while we sent
                self._close_idle()  # the others have slept as long
                raise NoAnswer(_reason(problem), was_sent=True) from problem
            if len(response.body) > most_bytes:
                raise NoAnswer("the response is too long", was_sent=True)
            return replace(response, is_repeated=is_repeated)

    def _exchange(
        self, sock: socket.socket, request: tuple[Any, ...], most_bytes: int, deadline: Deadline
    ) -> Response:
        def exchange() -> Response:
            try:
                if not deadline.remaining():
                    raise TimeoutError  # the process was frozen before this thread could send
                response, is_open = _response(sock, self.host, request, most_bytes)
            except BaseException:
                sock.close()
                raise
            if is_open:
                self._idle.append((sock, deadline.clock.now_ms()))
            else:
                sock.close()
            return response

        sock.settimeout(None)  # a caller that gives up shuts it down, which ends every wait
        try:
            return _on_a_thread(exchange, deadline)
        except TimeoutError:
            with contextlib.suppress(OSError):
                # Not sock.shutdown: an SSLSocket's forgets its keys first, and a thread that is
                # about to send would send in the clear.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            raise

    def _idle_socket(self, clock: Clock) -> socket.socket | None:
        """An idle connection that is still open, as far as can be seen from here."""
        while True:
            try:
                sock, used_at_ms = self._idle.pop()
            except IndexError:
                return None
            if clock.now_ms() - used_at_ms <= _LONGEST_IDLE_MS and _is_open(sock):
                return sock
            sock.close()

    def _close_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took it
                self._idle.pop()[0].close()

    def _connected(self, deadline: Deadline, *, was_sent: bool) -> socket.socket:
        """A new connection. One that comes too late waits for the next request."""
        limit = deadline.at_most(_SECONDS_TO_CONNECT)

        def keep(sock: socket.socket) -> None:
            self._idle.append((sock, deadline.clock.now_ms()))

        try:
            return _on_a_thread(lambda: self._connect(limit), limit, too_late=keep)
        except OSError as problem:
            raise NoAnswer(_reason(problem), was_sent) from problem

    def _connect(self, limit: Deadline) -> socket.socket:
        host, port = self._address
        addresses = self._resolve(host, port, type=socket.SOCK_STREAM)
        problem = OSError("the host has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                # An address where nobody is must not use up the time of the next one.
                share = limit.remaining() / (len(addresses) - tried)
                sock.settimeout(max(share, 0.001))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    sock.settimeout(_SECONDS_A_READ_OF_A_HANDSHAKE)
                    sock = _tls_context().wrap_socket(sock, server_hostname=host)
                return sock
            except OSError as error:
                sock.close()
                problem = error
        raise problem


def _is_open(sock: socket.socket) -> bool:
    """Only the server's goodbye, or a message of TLS, can come on an idle connection."""
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False


def _response(
    sock: socket.socket, host: str, request: tuple[Any, ...], most_bytes: int
) -> tuple[Response, bool]:
    """Send the request and read its answer; and whether the connection is good for another one."""
    connection = http.client.HTTPConnection(host)
    connection.sock = sock
    connection.request(*request)
    answer = connection.getresponse()
    content = answer.read(most_bytes + 1)
    if answer.length and len(content) <= most_bytes:
        raise http.client.IncompleteRead(b"")  # read(n) itself does not say so
    names = {name.lower(): value for name, value in answer.getheaders()}
    is_open = answer.isclosed() and connection.sock is not None
    return Response(answer.status, names, content), is_open


def _reason(problem: Exception) -> str:
    return "timeout" if isinstance(problem, TimeoutError) else type(problem).__name__


_idle_threads: list[SimpleQueue[Callable[[], None]]] = []


def _on_a_thread(
    work: Callable[[], T], deadline: Deadline, *, too_late: Callable[[T], None] | None = None
) -> T:
    """What ``work`` returns or raises.

    Threads are kept: on a busy processor a new one waits its turn for milliseconds.

    :param too_late: Gets the result if nobody waits for it any more.
    :raises TimeoutError: at the deadline; the work goes on.
    """
    done: SimpleQueue[T | Exception] = SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        try:
            result: T | Exception = work()
        except Exception as problem:
            result = problem
        _idle_threads.append(jobs)  # before the caller goes on, who may need a thread at once
        done.put(result)
        if given_up.is_set() and too_late:
            with contextlib.suppress(Empty):  # the caller took it at the last moment
                late = done.get_nowait()
                if not isinstance(late, Exception):
                    too_late(late)

    try:
        jobs = _idle_threads.pop()
    except IndexError:
        jobs = SimpleQueue()
        threading.Thread(target=_work, args=(jobs,), daemon=True).start()
    jobs.put(run)
    try:
        result = deadline.clock.take(done, deadline.remaining())
    except Empty:
        given_up.set()
        try:
            result = done.get_nowait()
        except Empty:
            raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


def _work(jobs: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        jobs.get()()


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
