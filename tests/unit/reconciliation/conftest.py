"""The surroundings: the table, the function on a held clock, and the export's bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from reconcile_transcript import handler as reconcile_transcript
from tests.unit.conftest import Vendor
from tests.unit.held_clock import HeldClock
from tests.unit.reconciliation.finished_calls import Bucket, Sent, World, items


@pytest.fixture
def log() -> Iterator[Sent]:
    heard = Sent()
    logger = logging.getLogger("reconcile_transcript")
    logger.addHandler(heard)
    logger.setLevel(logging.INFO)
    yield heard
    logger.removeHandler(heard)


CACHES = (
    reconcile_transcript._transcripts,
    reconcile_transcript._messages,
    reconcile_transcript._reconciler,
    reconcile_transcript._switch,
)
"""What the function keeps between invocations."""


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    vendor: Vendor,
    table_name: str,
    secret_name: str,
    clock: HeldClock,
) -> Iterator[World]:
    monkeypatch.setenv("ASAPP_API_HOST", vendor.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("RECONCILE_AFTER_MINUTES", "15")
    monkeypatch.setenv("EXPORT_BUCKET", "")
    for made in CACHES:
        made.cache_clear()
    vendor.behaviours = [items([])]
    yield World(table_name, clock)
    for made in CACHES:
        made.cache_clear()


@pytest.fixture
def bucket(world: World, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("EXPORT_BUCKET", table_name)
    return Bucket(table_name)
