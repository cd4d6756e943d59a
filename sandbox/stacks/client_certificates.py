"""Mutual TLS before the emulator, which asks nobody for a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from sandbox.stacks.emulator import Emulator

_SECONDS_TO_START = 10
_READ = 65_536


class ClientCertificates:
    """A context manager: API Gateway's side of the handshake at a domain with a truststore.

    It takes the truststore that the deployed domain names, and reads it again if the domain names
    another one. It ends TLS and passes on the bytes as they came: a caller cannot make it say
    anything to the emulator that the caller could not say itself.

    :param domain: As deployed. Callers name it in the handshake, and in the header ``Host``.
    :param certificate: The server's certificate and key, files in PEM. Certificate Manager would
        have them.
    """

    def __init__(self, emulator: Emulator, domain: str, certificate: tuple[Path, Path]) -> None:
        self._domain, self._certificate = domain, certificate
        self._gateway, self._s3 = emulator.client("apigateway"), emulator.client("s3")
        to = urlsplit(emulator.endpoint)
        self._emulator = (to.hostname, to.port)
        self._current = ("", self._context(""))
        self._connections: set[asyncio.Task[None]] = set()
        self._ready, self._stop = threading.Event(), asyncio.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        if not self._ready.wait(_SECONDS_TO_START):
            raise RuntimeError("the TLS proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        context = self._context("")  # it trusts nobody: who names no domain gets no further
        context.sni_callback = self._at_hello
        server = await asyncio.start_server(self._serve_one, "127.0.0.1", 0, ssl=context)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _at_hello(self, tls: Any, name: str | None, _: ssl.SSLContext) -> int | None:
        if name != self._domain:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        domain = self._gateway.get_domain_name(domainName=name)
        uri = domain["mutualTlsAuthentication"]["truststoreUri"]
        if uri != self._current[0]:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            bundle = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
            self._current = (uri, self._context(bundle))
        tls.context = self._current[1]
        return None

    def _context(self, authorities: str) -> ssl.SSLContext:
        """:param authorities: Their certificates, in PEM."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(*self._certificate)
        # A resumed session would not present its certificate again.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        if authorities:
            context.load_verify_locations(cadata=authorities)
        return context

    async def _serve_one(
        self, caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with contextlib.closing(to_caller):
            emulator, to_emulator = await asyncio.open_connection(*self._emulator)
            with contextlib.closing(to_emulator):
                await asyncio.wait(
                    [
                        asyncio.create_task(_pass_on(caller, to_emulator)),
                        asyncio.create_task(_pass_on(emulator, to_caller)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ):
            writer.write(data)
            await writer.drain()
