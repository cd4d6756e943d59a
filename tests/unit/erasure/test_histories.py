"""A few random histories here; ``tests/scale`` plays many."""

from __future__ import annotations

import pytest

from tests.unit.erasure.histories import play


@pytest.mark.parametrize("seed", range(12))
def test_nothing_of_an_erased_call_is_left_whatever_comes_and_nothing_of_another_is_lost(
    seed: int,
) -> None:
    play(seed)
