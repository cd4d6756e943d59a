"""One sandbox for the tests of this folder: the emulator with the deployed stacks, and ASAPP's
double, which repeats, delays and reorders what it posts. A second one has the live page, too.
Nothing runs by the clock in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.asapp.double import Delivery
from sandbox.stacks.running import Sandbox, running_sandbox
from tests.sandbox.certificates import DOMAIN, Certificates

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def installed() -> None:
    """What the Makefile installs for the sandbox, so that a bare ``pytest`` works too."""
    subprocess.run(
        ["make", "-s", "node_modules/.installed", ".sandbox/.installed"], cwd=ROOT, check=True
    )


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def every_way(authorities: Path, clients: str) -> dict[str, str]:
    """Settings of all ways in which ASAPP can prove at the webhook who it is.

    :param clients: Of the user pool, in TOML.
    """
    uuid = "00000000-0000-4000-8000-000000000000"
    return {
        "webhook": 'auth = ["secret", "oauth2", "mtls"]',
        "webhook_oauth2": f'domain_prefix = "sandbox-transcripts"\nclients = {clients}',
        "webhook_mtls": f'''domain = "{DOMAIN}"
certificate_arn = "arn:aws:acm:us-east-1:000000000000:certificate/{uuid}"
authorities_file = "{os.path.relpath(authorities, ROOT)}"''',
    }


def in_this_process(settings: Path, folder: Path) -> None:
    """Write a cloud assembly. The command line would load aws-cdk-lib once more, for seconds.

    CDK's rules would take seconds, too: ``full.toml`` of the other tests has these choices.
    """
    from app import build
    from tests.infra.conftest import synthesise

    synthesise(folder, lambda app: build(app, str(settings)), with_nag=False, with_rules=False)


@pytest.fixture(scope="session")
def ways_in(certificates: Certificates) -> dict[str, str]:
    """In the middle of a rotation: two clients of the user pool, two authorities."""
    return every_way(certificates.bundle("both", "first", "second"), '["asapp", "asapp-next"]')


@pytest.fixture(scope="session")
def sandbox(installed: None, ways_in: dict[str, str]) -> Iterator[Sandbox]:
    delivery = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 200), seed=3)
    with running_sandbox(
        delivery=delivery, pace=0.005, more_settings=ways_in, synthesise=in_this_process
    ) as running:
        running.deployment.stop_schedules()
        yield running


@pytest.fixture(scope="session")
def live_sandbox(installed: None, ways_in: dict[str, str]) -> Iterator[Sandbox]:
    """With the stack of the live page."""
    with running_sandbox(
        delivery=Delivery(),
        pace=0.01,
        more_settings=ways_in,
        with_live=True,
        synthesise=in_this_process,
    ) as running:
        running.deployment.stop_schedules()
        yield running
