"""No input of a stranger does anything but what is documented. ``tests/scale`` has 50,000 more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import KINDS


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_nothing_that_a_stranger_sends_does_anything_but_what_is_documented(
    kind: str, data: st.DataObject
) -> None:
    made, read = KINDS[kind]
    read(data.draw(made))
