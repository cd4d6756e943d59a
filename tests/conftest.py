"""How the tests are spread over processes: ``make test`` has two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As in the Makefile; before the first import of aws_cdk, which starts jsii's process.
os.environ |= {
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20,21,22,23,24,25",
}

HERE = Path(__file__).parent
FIRST = ("sandbox", "unit")
"""The folders that take longest, because they wait: others use the processors meanwhile."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A folder of tests stays in one process: it shares a synth, an emulator or a server."""

    def folder(item: pytest.Item) -> str:
        return item.path.relative_to(HERE).parts[0]

    for item in items:
        item.add_marker(pytest.mark.xdist_group(folder(item)))
    items.sort(key=lambda item: folder(item) not in FIRST)
