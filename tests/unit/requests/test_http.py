"""Connections: which are used again, and that a request that was given up is never sent."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest

import shared
from shared.http import NoAnswer, Origin
from shared.runtime import Deadline
from tests.unit.conftest import Resolver, Vendor, VendorHandler, eventually, hang, reset, started
from tests.unit.held_clock import HeldClock

T = TypeVar("T")
LAMBDAS = Path(shared.__path__[0]).parent


def post(origin: Origin, clock: HeldClock, path: str = "/start", seconds: float = 6.0) -> bytes:
    return origin.request("POST", path, {}, Deadline(seconds, clock), b"{}").body


def paths(vendor: Vendor) -> list[str]:
    return [path for path, _, _ in vendor.requests]


# A request that was given up


def test_a_request_given_up_while_its_name_is_looked_up_is_never_sent(
    vendor: Vendor, clock: HeldClock
) -> None:
    resolver = Resolver(clock)
    origin = Origin(vendor.url, resolver)
    with pytest.raises(NoAnswer, match="timeout") as caught:
        post(origin, clock)
    assert not caught.value.was_sent
    assert clock.monotonic() == 2.0  # a lookup is given up early: another may be answered at once
    resolver.answers.set()
    eventually(lambda: vendor.connections)
    post(origin, clock, "/stop")
    assert paths(vendor) == ["/stop"]


@pytest.mark.usefixtures("tls")
def test_a_request_given_up_in_the_handshake_is_never_sent(
    vendor: Vendor, clock: HeldClock
) -> None:
    may_go_on = threading.Event()

    def stall() -> None:
        if not may_go_on.is_set():
            clock.run_out()
            assert may_go_on.wait(30)

    vendor.before_handshake = stall
    origin = Origin(vendor.url)
    with pytest.raises(NoAnswer, match="timeout") as caught:
        post(origin, clock)
    assert not caught.value.was_sent
    may_go_on.set()
    eventually(lambda: origin._idle)
    post(origin, clock, "/stop")
    assert paths(vendor) == ["/stop"]
    assert vendor.connections == 1  # the one that came too late was not made in vain


def test_a_request_given_up_while_it_connects_is_never_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        origin = Origin(f"http://127.0.0.1:{server.getsockname()[1]}")
        others = [socket.socket() for _ in range(3)]
        for each in others:
            each.setblocking(False)
            each.connect_ex(server.getsockname())  # they fill the queue: the next one waits
        with pytest.raises(NoAnswer, match="timeout") as caught:
            origin.request("POST", "/start", {}, Deadline(0.2), b"{}")
        assert not caught.value.was_sent
        for each in others:
            each.close()
        server.settimeout(0.3)
        accepted: list[socket.socket] = []
        while len(accepted) < 9:
            try:
                accepted.append(server.accept()[0])
            except TimeoutError:
                break
        assert [each.recv(1000) for each in accepted] == [b""] * len(accepted)
        for each in accepted:
            each.close()


FROZEN = """
import sys
sys.path.insert(0, sys.argv[1])
import socket, threading, time
from shared.http import NoAnswer, Origin
from shared.runtime import Deadline
looked_up = threading.Event()
def resolve(*args, **kwargs):
    print("looking up", flush=True)
    sys.stdin.readline()
    looked_up.set()
    return socket.getaddrinfo(*args, **kwargs)
try:
    Origin(sys.argv[2], resolve).request("POST", "/start", {}, Deadline(float(sys.argv[3])), b"{}")
except NoAnswer:
    print("given up", flush=True)
looked_up.wait()
time.sleep(0.3)  # in which the thread would send
"""


@pytest.mark.parametrize(
    ("seconds", "frozen_when"),
    [(0.1, "given up"), (1.0, "looking up")],
    ids=["between two invocations", "in an invocation that ends meanwhile"],
)
def test_a_process_that_was_frozen_sends_nothing_when_it_thaws(
    seconds: float, frozen_when: str, vendor: Vendor
) -> None:
    command = [sys.executable, "-c", FROZEN, str(LAMBDAS), vendor.url, str(seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        while process.stdout.readline().strip() != frozen_when:
            pass
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # longer than the invocation has
        process.stdin.write("go on\n")
        process.stdin.flush()
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 0
    assert vendor.requests == []


class Thawing(HeldClock):
    """Of a process whose threads go on before the caller sees that its time is over."""

    def take(self, queue: SimpleQueue[T], seconds: float) -> T:
        return queue.get(timeout=30)


def test_a_connection_that_is_made_after_the_deadline_sends_nothing(vendor: Vendor) -> None:
    clock = Thawing()

    def resolve(*args: Any, **kwargs: Any) -> Any:
        clock.advance(7)
        return socket.getaddrinfo(*args, **kwargs)

    with pytest.raises(NoAnswer, match="timeout"):
        post(Origin(vendor.url, resolve), clock)
    assert vendor.requests == []


def test_a_request_that_waits_for_its_answer_is_hung_up_on(
    vendor: Vendor, clock: HeldClock
) -> None:
    """Otherwise its thread, and a connection, would stay for as long as the vendor hangs."""
    left = threading.Event()

    def behave(request: VendorHandler) -> None:
        clock.run_out()
        assert request.connection.recv(1) == b""
        left.set()

    vendor.behaviours = [behave]
    with pytest.raises(NoAnswer, match="timeout") as caught:
        post(Origin(vendor.url), clock)
    assert caught.value.was_sent
    assert left.wait(30)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_was_not_sent_when_the_request_was_given_up_never_is(
    scheme: str, vendor: Vendor, clock: HeldClock, request: pytest.FixtureRequest
) -> None:
    if scheme == "https":
        request.getfixturevalue("tls")
    body = b"x" * 32 * 1024 * 1024  # more than the buffers of both sides hold
    read = [0]
    ended = threading.Event()

    def behave(handler: VendorHandler) -> None:
        clock.run_out()
        gave_up.wait(30)
        try:
            while piece := handler.connection.recv(65536):
                read[0] += len(piece)
        except OSError:
            pass  # TLS without its goodbye
        ended.set()

    gave_up = threading.Event()
    vendor.before_body = behave
    with pytest.raises(NoAnswer, match="timeout"):
        Origin(vendor.url).request("POST", "/start", {}, Deadline(6.0, clock), body)
    gave_up.set()
    assert ended.wait(30)
    assert read[0] < len(body)


# Connections that are used again


CLOSED = b""
TOLD = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
"""An answer that nobody asked for: some servers send it before they close."""


@pytest.mark.parametrize("goodbye", [CLOSED, TOLD])
def test_a_connection_that_the_server_closed_meanwhile_costs_nothing(
    goodbye: bytes, vendor: Vendor, clock: HeldClock
) -> None:
    answered = threading.Semaphore(0)

    def behave(request: VendorHandler) -> None:
        started(request)
        assert answered.acquire(timeout=30)
        request.wfile.write(goodbye)
        request.close_connection = goodbye == CLOSED

    vendor.behaviours = [behave]
    origin = Origin(vendor.url)
    for _ in range(3):
        assert origin.request("POST", "/start", {}, Deadline(6.0, clock), b"{}").status == 200
        answered.release()
        eventually(lambda: select.select([origin._idle[0][0]], [], [], 0)[0])
    assert vendor.connections == 3


def test_a_connection_that_the_server_closes_while_we_send_costs_nothing(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [started, reset, started]
    origin = Origin(vendor.url)
    post(origin, clock)
    post(origin, clock, "/stop")
    assert paths(vendor) == ["/start", "/stop", "/stop"]
    assert vendor.connections == 2


def test_a_new_connection_that_breaks_is_no_answer(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [reset]
    with pytest.raises(NoAnswer, match=r"RemoteDisconnected|ConnectionResetError") as caught:
        post(Origin(vendor.url), clock)
    assert caught.value.was_sent
    assert paths(vendor) == ["/start"]


@pytest.mark.parametrize(("seconds", "connections"), [(300, 1), (300.1, 2)])
def test_a_connection_that_a_network_may_have_forgotten_is_not_used(
    seconds: float, connections: int, vendor: Vendor, clock: HeldClock
) -> None:
    origin = Origin(vendor.url)
    post(origin, clock)
    clock.advance(seconds)
    post(origin, clock)
    assert vendor.connections == connections


def test_after_a_timeout_no_other_idle_connection_is_trusted(
    vendor: Vendor, clock: HeldClock
) -> None:
    origin = Origin(vendor.url)
    both = threading.Barrier(2)

    def together(request: VendorHandler) -> None:
        both.wait(30)
        started(request)

    vendor.behaviours = [together]
    threads = [threading.Thread(target=post, args=(origin, clock)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vendor.behaviours = [hang, started]
    with pytest.raises(NoAnswer):
        post(origin, clock)
    post(origin, clock)
    assert vendor.connections == 3


def test_a_server_that_says_that_it_closes_is_believed(vendor: Vendor, clock: HeldClock) -> None:
    def last(request: VendorHandler) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")

    vendor.behaviours = [last]
    origin = Origin(vendor.url)
    assert [post(origin, clock) for _ in range(2)] == [b"ok"] * 2
    assert vendor.connections == 2


def test_an_address_where_nobody_answers_gives_way_to_the_next(
    vendor: Vendor, clock: HeldClock
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = unused.getsockname()

    def resolve(*args: Any, **kwargs: Any) -> Any:
        (found,) = socket.getaddrinfo(*args, **kwargs)
        return [(*found[:4], nobody), found]

    post(Origin(vendor.url, resolve), clock)
    assert paths(vendor) == ["/start"]


def test_an_address_that_is_silent_leaves_time_for_the_next(vendor: Vendor) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        others = [socket.socket() for _ in range(3)]
        for each in others:
            each.setblocking(False)
            each.connect_ex(server.getsockname())  # they fill the queue: the next one waits

        def resolve(*args: Any, **kwargs: Any) -> Any:
            (found,) = socket.getaddrinfo(*args, **kwargs)
            return [(*found[:4], server.getsockname()), found]

        Origin(vendor.url, resolve).request("POST", "/start", {}, Deadline(30), b"{}")
        for each in others:
            each.close()
    assert paths(vendor) == ["/start"]


def promising(request: VendorHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
    request.close_connection = True


def test_half_an_answer_is_none(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [promising]
    with pytest.raises(NoAnswer, match="IncompleteRead"):
        post(Origin(vendor.url), clock)


@pytest.mark.parametrize("length", [8, 9])
def test_an_answer_that_is_too_long_is_none(length: int, vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [lambda request: request.reply(200, "x" * length)]
    origin = Origin(vendor.url)
    if length == 8:
        assert origin.request("GET", "/", {}, Deadline(6.0, clock), most_bytes=8).body == b"x" * 8
    else:
        with pytest.raises(NoAnswer, match="too long"):
            origin.request("GET", "/", {}, Deadline(6.0, clock), most_bytes=8)


def test_a_host_that_does_not_exist_is_no_answer(clock: HeldClock) -> None:
    def resolve(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror

    with pytest.raises(NoAnswer, match="gaierror") as caught:
        post(Origin("http://nowhere", resolve), clock)
    assert not caught.value.was_sent


def test_the_host_is_named_with_its_port_only_where_the_url_has_one(
    vendor: Vendor, clock: HeldClock
) -> None:
    post(Origin(vendor.url), clock)
    assert vendor.requests[0][1]["Host"] == vendor.url.removeprefix("http://")
    assert Origin("https://api.asapp.com").host == "api.asapp.com"
