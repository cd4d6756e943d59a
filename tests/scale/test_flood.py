"""A flood at the deployed webhook, beside ASAPP's POSTs.

None that was answered 200 is lost, and nothing of the flood gets behind API Gateway. The figures
are this machine's; what a web ACL adds on AWS is in docs/webhook.md, as the emulator has none.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

import pytest

from connect_settings.sizing import authorizers
from sandbox.asapp.webhook import Post, message
from sandbox.stacks.running import Sandbox

SECONDS = 10
FLOOD, ASAPP = 300, 20
"""Requests a second."""


class Caller:
    """HTTP as plain as can be: a client of a library could not send 300 a second here."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        """:returns: The status, of a request on a connection of its own."""
        host, port = self._url.hostname, self._url.port
        reader, writer = (
            self._idle.pop() if self._idle else await asyncio.open_connection(host, port)
        )
        sent = {"host": self._url.netloc, "content-length": str(len(body)), **headers}
        lines = [f"POST {self._url.path} HTTP/1.1", *(f"{key}: {sent[key]}" for key in sent)]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        self._idle.append((reader, writer))
        return int(head.split()[1])

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


@dataclass
class Traffic:
    """What one sender saw.

    :ivar answers: By status; 0 if there was none in time.
    """

    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    late: float = 0.0

    async def send(self, caller: Caller, body: bytes, headers: dict[str, str], due: float) -> None:
        self.late = max(self.late, time.monotonic() - due)
        try:
            async with asyncio.timeout(60):
                status = await caller.post(body, headers)
        except (OSError, EOFError, TimeoutError):
            status = 0
        self.answers[status] += 1
        self.seconds.append(time.monotonic() - due)
        if status == 200:
            self.stored.append(body)

    def figures(self, name: str, took: float) -> str:
        ordered = sorted(self.seconds)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        answers = ", ".join(
            f"{count} of {status}" for status, count in sorted(self.answers.items())
        )
        return (
            f"  {name}: {len(ordered) / took:.0f} a second answered ({answers}), p50 "
            f"{p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms; sent {self.late:.2f} s late at most"
        )


def utterance(guid: str, number: int) -> bytes:
    return message(
        Post(
            guid, "stream", "customer", "nobody", number * 100, number * 100 + 50, f"word {number}",
            time.time(), guid, "", "",
        ),
        detailed_token=False,
    )  # fmt: skip


async def both(
    url: str, name: str, secret: str, flood: int, guid: str
) -> tuple[Traffic, Traffic, float]:
    """An open model: each request is sent when it is due, however long others take.

    Half of the flood carries nothing, half a secret that is wrong and new each time.
    """
    asapp, others = Traffic(), Traffic()
    wrong = cycle([dict[str, str], lambda: {name: secrets.token_hex(32)}])
    due = [(number / ASAPP, asapp, {name: secret}) for number in range(SECONDS * ASAPP)]
    due += [(number / flood, others, next(wrong)()) for number in range(SECONDS * flood)]
    caller, began = Caller(url), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, (at, traffic, headers) in enumerate(sorted(due, key=lambda each: each[0])):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            body = utterance(guid if traffic is asapp else f"{guid}-flood", number)
            headers = {**headers, "content-type": "application/json"}
            tasks.create_task(traffic.send(caller, body, headers, began + at))
    caller.close()
    return asapp, others, time.monotonic() - began


@contextmanager
def reserved(sandbox: Sandbox, number: int) -> Iterator[None]:
    """As in production. Without, the emulator starts a process for each wrong secret at a time."""
    client = sandbox.deployment.emulator.client("lambda")
    functions = client.get_paginator("list_functions").paginate()
    (function,) = (
        each["FunctionName"]
        for page in functions
        for each in page["Functions"]
        if each["Handler"].startswith("authorize_webhook")
    )
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=number)
    try:
        yield
    finally:
        client.delete_function_concurrency(FunctionName=function)


@pytest.mark.parametrize("flood", [FLOOD, 30])
def test_asapps_utterances_beside_a_flood_without_a_good_credential(
    sandbox: Sandbox, flood: int
) -> None:
    deployment = sandbox.deployment
    guid, name = f"flood-{flood}", deployment.settings.webhook.secret_name
    with reserved(sandbox, authorizers(deployment.settings.capacity.expected_calls)):
        asapp, others, took = asyncio.run(
            both(deployment.webhook_url, name, deployment.webhook_secret, flood, guid)
        )
    print(f"\n{ASAPP} POSTs and {flood} others a second for {SECONDS} s, which took {took:.0f} s:")
    print(asapp.figures("ASAPP", took))
    print(others.figures("the others", took))
    assert sum(asapp.answers.values()) == SECONDS * ASAPP
    assert others.answers[200] == 0, "nobody gets in"
    until = time.monotonic() + 300
    while not deployment.queue_is_empty() and time.monotonic() < until:
        time.sleep(0.5)
    texts = [each["text"] for each in deployment.conversation(guid)]
    assert len(set(texts)) == len(asapp.stored), "each that was answered 200"
    assert deployment.conversation(f"{guid}-flood") == []
