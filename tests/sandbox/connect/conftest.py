"""A clock, a fake of Lambda, and a flow runner that uses both."""

from __future__ import annotations

import pytest

from sandbox.connect.flow_runner import FlowRunner
from tests.sandbox.simulated import (
    Clock,
    FakeLambda,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def function(clock: Clock) -> FakeLambda:
    return FakeLambda(clock)


@pytest.fixture
def runner(clock: Clock, function: FakeLambda) -> FlowRunner:
    return FlowRunner(invoke_lambda=function, now=clock)
