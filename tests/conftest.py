"""How the tests are spread over processes: ``make test`` has two."""

from __future__ import annotations

from pathlib import Path

import pytest

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
