"""Waits for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(found: Callable[[], Any], seconds: float = 120) -> Any:
    """What it found at last: something that is false if the time was over before."""
    until = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < until:
        time.sleep(0.2)
    return value
