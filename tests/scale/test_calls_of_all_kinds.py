"""The state machine of ``tests/unit/calls/test_conversation.py`` with 20,000 random calls."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.calls.test_conversation import CallsOfAllKinds


@pytest.mark.parametrize("number", range(1, 5))
def test_twenty_thousand_calls_are_heard_while_an_agent_talks_and_not_in_a_hold(
    number: int,
) -> None:
    class Seeded(CallsOfAllKinds):
        pass

    run_state_machine_as_test(
        seed(number)(Seeded),
        settings=settings(
            max_examples=5_000,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
