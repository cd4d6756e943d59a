"""A port for a server that starts later."""

from __future__ import annotations

import contextlib
import random
import socket

_PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections: Linux from 32,768, macOS from 49,152."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that no outgoing connection gets meanwhile.

    A port that the system chose (port 0) and that was closed again may become the near end of any
    connection. The server could not start then: *Address already in use*.

    :raises OSError: if all ports of the range are in use.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no free port from {_PORTS.start} to {_PORTS.stop - 1}")
