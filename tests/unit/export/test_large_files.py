"""A large file, in a process of its own: how much memory it takes, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import shared.aws.api
import shared.http
from tests.unit.conftest import (
    Vendor,
)
from tests.unit.export.night import BIG, DAYS, MIB, Feed, Night, key, send, serve

LAMBDAS = Path(shared.http.__file__).parents[1]


def days_back(count: int) -> list[str]:
    today = datetime.now(UTC).date()
    return [str(today - timedelta(days=back)) for back in range(1, count + 1)]


RUN = """
import json, sys
from export_utterances import handler
class Context:
    def get_remaining_time_in_millis(self): return 60_000
answer = handler.handler(json.loads(sys.argv[1]), Context())
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps(answer | {"peak": int(peak.split()[1]) * 1024}))
"""


def process(day: str) -> subprocess.Popen[str]:
    """The function in a process of its own, for one day."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps({"from": day, "to": day})],
        env=os.environ | {"PYTHONPATH": str(LAMBDAS), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_large_file_takes_no_more_memory_than_a_small_one(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    small, large = days_back(2)
    feed.days = {small: {"file.jsonl": b"words"}, large: {"file.jsonl": bytes(96 * MIB)}}
    peaks = {}
    for day in (small, large):
        with process(day) as running:
            answer = json.loads(running.communicate(timeout=60)[0])
        assert answer["files"] == 1
        peaks[day] = answer["peak"]
    assert peaks[large] - peaks[small] < 64 * MIB
    found = night.s3.head_object(Bucket=night.bucket_name, Key=key(large, "file.jsonl"))
    assert found["ContentLength"] == 96 * MIB


def test_a_run_that_is_killed_in_a_file_is_made_good_by_the_next(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    (day,) = days_back(1)
    feed.days = {day: {"first.jsonl": b"words", "big.jsonl": BIG}}
    reached = threading.Event()

    def stall(request: Any) -> None:
        send(request, 18 * MIB)
        request.wfile.flush()
        reached.set()
        request.server.closing.wait(20)

    feed.faults["download"] = [serve, stall]
    with process(day) as running:
        assert reached.wait(30)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert night.stored == {key(day, "first.jsonl"): b"words"}
    feed.requests.clear()
    night.clock.advance(30_000 * DAYS)  # the other process has the machine's clock
    asked = {"from": day, "to": day}
    assert night.invoke(asked)["files"] == 1
    assert night.stored == {key(day, "first.jsonl"): b"words", key(day, "big.jsonl"): BIG}
    assert len(feed.downloads) == 1
    assert night.invoke(asked)["files"] == 0
