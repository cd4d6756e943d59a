"""The export's surroundings: a fake of File Exporter, and a night on which the function runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import shared.aws.api
import shared.http
from export_utterances import handler as export_utterances
from tests.running_server import running
from tests.unit.conftest import Vendor
from tests.unit.export.night import Feed, Night


@pytest.fixture
def feed() -> Iterator[Feed]:
    with running(Feed()) as server:
        yield server


@pytest.fixture
def night(feed: Feed, aws: str, secret_name: str) -> Night:
    shared.aws.api._origin.cache_clear()
    return Night(feed, secret_name)


@pytest.fixture
def deployed(
    night: Night, secret_name: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Vendor]:
    """The function's environment variables, and its caches empty; Lambda's endpoint."""
    vendor.behaviours = [lambda request: request.reply(202, "")]
    monkeypatch.setenv("ASAPP_API_HOST", night.feed.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("EXPORT_BUCKET", night.bucket_name)
    monkeypatch.setenv("LOOKBACK_DAYS", "2")
    monkeypatch.setenv("ANNOUNCE_TO", "reconcile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", vendor.url)
    caches = (
        export_utterances._exporter,
        export_utterances._bucket,
        export_utterances._lambda,
    )
    for made in caches:
        made.cache_clear()
    yield vendor
    for made in caches:
        made.cache_clear()


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog
