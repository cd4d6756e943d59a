"""The account of the programs that ask AWS: a fake of its endpoints, and credentials for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.running_server import running
from tests.tools.doctor.fake_aws import FakeAws


@pytest.fixture(scope="session")
def fake_aws() -> Iterator[FakeAws]:
    with running(FakeAws()) as server:
        yield server


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for a fake are all that boto3 finds."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def at_fake_aws(fake_aws: FakeAws, credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake, and credentials for it, are all that boto3 finds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", fake_aws.url)
