"""The stores of one environment, on a clock that the test holds."""

from __future__ import annotations

import pytest

from tests.unit.erasure.stores import QUEUES, Stores
from tests.unit.transcripts.test_store_transcript import client


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Stores:
    """In this process."""
    monkeypatch.setenv("EVENT_BUS_NAME", "bus")
    return Stores.in_process()


@pytest.fixture
def on_moto(aws: str, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """Behind the real protocol."""
    monkeypatch.setenv("EVENT_BUS_NAME", "bus")
    dynamodb, s3, sqs = (client(name, aws) for name in ("dynamodb", "s3", "sqs"))
    for bucket in (f"export-{table_name}", f"receipts-{table_name}"):
        s3.create_bucket(Bucket=bucket)
    queues = {
        name: sqs.create_queue(QueueName=f"{name}-{table_name}")["QueueUrl"] for name in QUEUES
    }
    return Stores(table_name, dynamodb, s3, sqs, queues)
