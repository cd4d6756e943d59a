"""How the tests are spread over the processes of ``make test``, and what several folders share."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.loaders
import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# As in the Makefile; before the first import of aws_cdk, which starts jsii's process.
os.environ |= {
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20,21,22,23,24,25",
}

# A shell that starts us in the background lets us ignore Ctrl-C. Then every program that a test
# starts and interrupts would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Or each session would read AWS's descriptions of its services again: half a second for Connect's.
botocore.loaders.create_loader = cache(botocore.loaders.create_loader)

# No example fails because the machine is busy.
hypothesis.settings.register_profile("here", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("here")

HERE = Path(__file__).parent
SHARED = {
    "sandbox": "the emulator",
    "live_sandbox": "the emulator with the live page",
    "assembly_of": "the environments",
    "full": "the environments",
    "others": "the environments",
    "every": "the costs",
    "synthesised": "the prepared changes",
    "browser": "the browser",
    "team": "the examples",
    "checkout": "the examples",
}
"""Fixtures that take long to make: the files that use one stay in one process."""
FIRST = (
    *dict.fromkeys(SHARED.values()),
    "sandbox/stacks/test_demo.py",
    "sandbox/stacks/test_signals.py",
    "sandbox/stacks/test_reconciliation.py",
    "package/test_reference.py",
)
"""What takes longest, so that all processes end together."""
AMPLE_MS = 40_000
"""How long a browser on a busy machine may take. What is expected nearly always comes within a
second."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file is the unit; files that share what takes long to make are one unit."""
    fixtures: dict[Path, set[str]] = defaultdict(set)
    for item in items:
        fixtures[item.path] |= set(getattr(item, "fixturenames", ()))

    def unit(item: pytest.Item) -> str:
        used = (name for fixture, name in SHARED.items() if fixture in fixtures[item.path])
        return next(used, item.path.relative_to(HERE).as_posix())

    def rank(item: pytest.Item) -> int:
        return FIRST.index(unit(item)) if unit(item) in FIRST else len(FIRST)

    for item in items:
        item.add_marker(pytest.mark.xdist_group(unit(item)))
    items.sort(key=rank)


@pytest.fixture(scope="session")
def built() -> None:
    """The page of live calls."""
    subprocess.run(["make", "-s", "web"], cwd=HERE.parent, check=True)


@pytest.fixture(scope="session")
def browser(built: None) -> Iterator[Browser]:
    """One for a process, which Playwright demands. The page reads what was lost after some seconds,
    so Playwright's own patience of 5 s is too short."""
    from playwright.sync_api import expect

    from sandbox.live.browser import NO_BROWSER, installed_browser

    with installed_browser() as browser:
        if browser is None:
            pytest.skip(NO_BROWSER)
        expect.set_options(timeout=AMPLE_MS)
        yield browser
