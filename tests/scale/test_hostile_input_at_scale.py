"""50,000 inputs of strangers, in bounded memory and time."""

from __future__ import annotations

import resource
import time

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.hostile import KINDS

_EXAMPLES = 8_334
_MOST_SECONDS_OF_ONE = 5.0
"""Of processor time: ample, a few milliseconds are usual."""
_MOST_GROWTH_MB = 300


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_thousand_inputs_do_nothing_but_what_is_documented(kind: str) -> None:
    made, read = KINDS[kind]
    longest = 0.0

    @seed(1)
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal longest
        given_input = data.draw(made)
        began = time.process_time()
        read(given_input)
        longest = max(longest, time.process_time() - began)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"{kind}: longest {longest * 1000:.1f} ms, memory grew by {grown} MB")
    assert longest < _MOST_SECONDS_OF_ONE
    assert grown < _MOST_GROWTH_MB
