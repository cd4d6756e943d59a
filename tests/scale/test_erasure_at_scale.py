"""A large export, a customer with many calls, and many histories are erased as small ones are.

The figures are in ``docs/erasure.md``: ``pytest tests/scale/test_erasure_at_scale.py -s`` prints
them again.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

import shared.http
from shared.asapp.feeds import STATE, UTTERANCES
from tests.running_server import running
from tests.scale.s3_on_disk import S3OnDisk
from tests.unit.erasure.histories import play
from tests.unit.erasure.stores import AGAIN, CUSTOMERS_KEY, QUEUES, Call, Stores
from tests.unit.transcripts.test_store_transcript import client

LAMBDAS = Path(shared.http.__file__).parents[1]
MIB = 1024 * 1024
MEMORY = 512 * MIB
"""Of the function, as it is deployed by default."""
RUN = """
import json, sys, time
from erase_conversation.handler import answer, erasure
from shared.runtime import Clock, Deadline
class Later(Clock):
    seconds = 0.0
    def monotonic(self): return super().monotonic() + self.seconds
    def now_ms(self): return super().now_ms() + int(self.seconds * 1000)
clock = Later()
made = erasure(clock)
for line in sys.stdin:
    asked = json.loads(line)
    clock.seconds += asked["later"]
    used = time.process_time()
    said = answer(asked["event"], made, Deadline(870, clock))
    used = time.process_time() - used
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    figures = {"processor": used, "peak": int(peak.split()[1]) * 1024}
    print(json.dumps({"said": said, **figures}), flush=True)
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak is read from /proc"
)


@dataclass
class Eraser:
    """The function, in a process of its own.

    :ivar peak: The most memory that it has had, in bytes.
    """

    stores: Stores
    s3: S3OnDisk
    process: subprocess.Popen[str]
    processor: float = 0.0
    peak: int = 0

    def ask(self, event: dict[str, Any], later: float = 0.0) -> dict[str, Any]:
        """:param later: So many seconds after what was asked before."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"event": event, "later": later}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.processor += answer["processor"]
        self.peak = answer["peak"]
        said: dict[str, Any] = answer["said"]
        return said


@pytest.fixture
def eraser(aws: str, table_name: str, tmp_path: Path) -> Iterator[Eraser]:
    sqs = client("sqs", aws)
    queues = {n: sqs.create_queue(QueueName=f"{n}-{table_name}")["QueueUrl"] for n in QUEUES}
    secret = f"customers-{table_name}"
    boto3.client("secretsmanager").create_secret(
        Name=secret, SecretString=json.dumps({"key": CUSTOMERS_KEY})
    )
    with running(S3OnDisk(tmp_path)) as s3:
        dynamodb = client("dynamodb", aws)
        stores = Stores(table_name, dynamodb, client("s3", s3.url), sqs, queues)
        environment = {
            "AWS_ENDPOINT_URL_S3": s3.url,
            "TRANSCRIPT_TABLE": table_name,
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "QUEUES": json.dumps(queues),
            "RECEIPTS_BUCKET": stores.receipts,
            "CUSTOMERS_KEY_SECRET": secret,
            "STOP_FUNCTION": "arn:aws:lambda:us-east-1:111111111111:function:stop",
            "EXPORT_BUCKET": stores.bucket,
            "EXPORT_KEEP_DAYS": "365",
            "LOGS_DAYS": "30",
            "AUDIO_HOURS": "24",
            "PYTHONPATH": str(LAMBDAS),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield Eraser(stores, s3, process)
            assert process.stdin
            process.stdin.close()


def of_others(feed: str, number: int) -> bytes:
    """A line of a length as ASAPP's have it."""
    call = f"{number // 80:08x}-0000-4000-8000-000000000000"
    row = {"company_marker": "acme", "issue_id": 7_000_000 + number // 80} | (
        {
            "external_conversation_id": call,
            "message_id": f"01JD{number:022d}",
            "utterance_start_ts": "2026-11-23 10:00:00.000",
            "utterance_end_ts": "2026-11-23 10:00:02.000",
            "utterance": "I have moved, and would like to change the address of my account, please "
            "do tell me what you need of me for that",
        }
        if feed == UTTERANCES
        else {
            "message_id": f"01JD{number:022d}",
            "sender_role": "customer",
            "sender_id": "+15550000000",
            "created_ts": "2026-11-23 10:00:00.000",
        }
    )
    return json.dumps(row).encode() + b"\n"


def write_file(
    s3: S3OnDisk, path: str, feed: str, size: int, erased: Iterable[bytes]
) -> tuple[str, int]:
    """Store a file of about this size, with the lines of an erased call all over it.

    :returns: The SHA-256 of the other lines, and how many there are.
    """
    block = [of_others(feed, number) for number in range(40_000)]
    whole = b"".join(block)
    blocks = size // len(whole) + 1
    ours = list(erased)
    file, kept = s3.new_file(), hashlib.sha256()
    with file.open("wb") as to:
        for at in range(blocks):
            to.write(ours[at % len(ours)])
            to.write(whole)
            kept.update(whole)
    s3.put(path, file, "etag-of-the-export", {"x-amz-meta-source-size": str(file.stat().st_size)})
    return kept.hexdigest(), blocks


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def test_a_days_export_of_a_gib_is_rewritten_in_little_memory(eraser: Eraser) -> None:
    stores, s3 = eraser.stores, eraser.s3
    call = Call(1)
    stores.start(call)
    day = stores.day_of(call)
    kept: dict[str, str] = {}
    size = 0
    for feed, mib in ((UTTERANCES, 768), (STATE, 256)):
        path = f"{stores.bucket}/{feed}/dt={day}/file1.jsonl"
        kept[path], _ = write_file(s3, path, feed, mib * MIB, call.lines(feed, by_id_only=True))
        size += s3.objects[path].size
    assert eraser.ask({}) == {"done": 0}
    without = eraser.peak
    assert eraser.ask({"contact": call.id})["state"] == "erasing"
    assert {path: digest(s3.objects[path].file) for path in kept} == kept
    assert all("x-amz-meta-source-size" in s3.objects[path].headers for path in kept)
    assert not s3.uploads
    first = eraser.processor
    eraser.ask({}, later=AGAIN)
    assert stores.receipt()["calls"][0]["counts"]["exportedLines"] > 50
    print(f"\n{size / MIB:.0f} MiB: {first:.0f} s of the processor, {eraser.processor:.0f} s")
    print(f"with the second look; {sum(s3.requests.values())} requests of S3; at most")
    print(f"{eraser.peak / MIB:.0f} MiB of memory, {without / MIB:.0f} without a file")
    assert eraser.peak < MEMORY / 2


def requests_of_a_customer(count: int) -> int:
    """:returns: How many requests it takes to erase a customer with so many calls."""
    stores, customer = Stores.in_process(), "+15559990000"
    stores.dynamodb.items_a_page = 1_000
    some = [Call(number, utterances=2) for number in range(count)]
    for call in some:
        call.customer = customer
        stores.start(call)
        stores.look(call)
        stores.post(call.message(0), call.message(1))
    stores.export(some)
    requests, seconds, runs = 0, 0.0, 0
    event: dict[str, Any] = {"customer": customer}
    while not stores.objects(stores.receipts):
        stores.killer.calls, began = 0, time.process_time()
        stores.ask(event)
        requests, seconds = requests + stores.killer.calls, seconds + time.process_time() - began
        stores.clock.advance(5 * 60.0)
        event, runs = {}, runs + 1
        assert runs < 10
    assert len(stores.receipt()["calls"]) == count
    left = stores.everything()
    assert customer not in left
    assert "secret words" not in left
    print(f"\n{count} calls: {requests} requests in {seconds:.1f} s of the processor")
    return requests


def test_a_customer_with_a_thousand_calls_takes_requests_that_grow_with_the_calls() -> None:
    few, some, many = (requests_of_a_customer(count) for count in (10, 100, 1_000))
    assert (many - some) / 900 <= 1.05 * (some - few) / 90


@pytest.mark.parametrize("seeds", [range(at, at + 100) for at in range(1_000, 2_000, 100)])
def test_nothing_of_an_erased_call_is_left_in_many_histories(
    seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "bus")
    for seed in seeds:
        play(seed, calls=2 + seed % 4, steps=30)
