from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from sandbox.stacks import free_port as module
from sandbox.stacks.free_port import free_port

GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_outgoing_connection_gets_the_port_of_a_server_that_starts_later() -> None:
    if not GIVEN_TO_CONNECTIONS.exists():
        pytest.skip(f"only Linux has {GIVEN_TO_CONNECTIONS}")
    first, last = map(int, GIVEN_TO_CONNECTIONS.read_text().split())
    assert not first <= free_port() <= last


def test_a_port_that_somebody_has_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sandbox at the same time, for instance."""
    with socket.create_server(("127.0.0.1", free_port())) as theirs:
        taken = theirs.getsockname()[1]
        free = free_port()
        monkeypatch.setattr(random, "sample", lambda *_: [taken, free])
        assert free_port() == free
        monkeypatch.setattr(random, "sample", lambda *_: [taken])
        with pytest.raises(OSError, match="no free port from 20000 to 29999"):
            free_port()


def test_a_server_starts_at_the_port() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] in module._PORTS
