"""A server of a test, for as long as the test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import TypeVar

AnyServer = TypeVar("AnyServer", bound=BaseServer)


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """It answers on a thread of its own until the end of ``with``."""
    often = {"poll_interval": 0.02}  # it asks whether it shall end
    thread = threading.Thread(target=server.serve_forever, kwargs=often, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
