"""A fake AWS account, and the doctor's command line against it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connect_settings import Settings
from tests.running_server import running
from tools.doctor.aws import Aws
from tools.doctor.plan import Plan
from tools.doctor.report import report

from .fake_asapp import AsappAccount, FakeAsapp
from .fake_aws import ACCOUNT, API_ID, API_SECRET, INSTANCE, REGION, SECRET, Account, FakeAws

ENVIRONMENT: dict[str, Any] = {
    "account": ACCOUNT,
    "region": REGION,
    "connect.instance_arn": INSTANCE,
    "connect.instance_alias": "acme",
    "media_streaming.mode": "adopt",
    "media_streaming.prefix": "acme",
    "asapp.api_host": "https://api.asapp.com",
    "asapp.trusted_role_arns": ["arn:aws:iam::444455556666:role/asapp-role"],
    "asapp.external_id": "agreed-with-asapp",
    "asapp.credentials_secret_name": SECRET,
    "lifecycle.mode": "manage",
    "capacity.reserve": True,
}


@dataclass(frozen=True)
class Run:
    """What a person sees, and what make does."""

    code: int
    output: str

    def finding(self, *words: str) -> str:
        """The finding with these words, with its remedy, on one line."""
        findings = self.output.replace("\n         → ", " → ").splitlines()
        (found,) = [each for each in findings if all(word in each for word in words)]
        return found


@pytest.fixture(scope="session")
def fake_asapp() -> Iterator[FakeAsapp]:
    with running(FakeAsapp()) as server:
        yield server


@pytest.fixture
def asapp(fake_asapp: FakeAsapp) -> Iterator[AsappAccount]:
    """ASAPP, where all is well; a test changes it."""
    fake_asapp.account = AsappAccount(API_ID, API_SECRET)
    yield fake_asapp.account
    assert fake_asapp.account.mistakes == []


@pytest.fixture(scope="session")
def aws() -> Aws:
    """One for all tests, which saves them a second each of reading what botocore knows."""
    return Aws(REGION)


@pytest.fixture
def surroundings(tmp_path: Path, fake_aws: FakeAws) -> dict[str, str]:
    """All that the doctor finds in its environment: the fake, and credentials for it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "PYTHONPATH") or name.startswith("JSII_")
    }
    return kept | {
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": fake_aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def account(fake_aws: FakeAws) -> Iterator[Account]:
    """One in which all is well; a test changes it."""
    fake_aws.account = Account()
    yield fake_aws.account
    assert fake_aws.account.mistakes == []


@pytest.fixture
def environment_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes an environment's file, ``prod.toml``."""

    def write(changes: dict[str, Any] | None = None) -> Path:
        tables: dict[str, list[str]] = {"": []}
        for key, value in (ENVIRONMENT | (changes or {})).items():
            if value is None:  # left out
                continue
            table, _, name = key.rpartition(".")
            tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}")
        lines = [
            line for table in tables for line in (f"[{table}]" if table else "", *tables[table])
        ]
        file = tmp_path / "prod.toml"
        file.write_text("\n".join(lines), "utf-8")
        return file

    return write


Doctor = Callable[..., Run]


@pytest.fixture
def doctor(
    account: Account,
    surroundings: dict[str, str],
    environment_file: Callable[..., Path],
    aws: Aws,
    asapp: AsappAccount,
    fake_asapp: FakeAsapp,
    monkeypatch: pytest.MonkeyPatch,
) -> Doctor:
    """What the command line does, in this process; never with a word of the secret in it."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)

    def run(*, calls: int | None = None, asks_asapp: bool = True, **changes: Any) -> Run:
        file = environment_file({key.replace("__", "."): value for key, value in changes.items()})
        screen = StringIO()
        plan = Plan(Settings.load(file), aws, file.stem, calls, asks_asapp, fake_asapp.url)
        code = report(plan, Console(file=screen, highlight=False, soft_wrap=True))
        assert API_ID not in screen.getvalue() and API_SECRET not in screen.getvalue()
        return Run(code, screen.getvalue())

    return run
