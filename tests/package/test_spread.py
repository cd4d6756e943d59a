from __future__ import annotations

import pytest


def test_every_test_runs_in_the_process_of_its_group(request: pytest.FixtureRequest) -> None:
    """pytest-xdist reads a test's group from its id. Without it, each process starts each sandbox
    and synthesises each environment: nothing fails, and all takes twice as long."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("there is one process; make test has more")
    assert not [item.nodeid for item in request.session.items if "@" not in item.nodeid]
