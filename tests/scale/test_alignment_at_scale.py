"""Many calls, and long ones, are aligned as few and short ones are."""

from __future__ import annotations

import random
import time

from tests.unit.reconciliation.test_alignment import a_call, check, delivered


def test_200_calls_of_which_a_tenth_is_lost_are_what_was_said() -> None:
    for seed in range(1_000, 1_200):
        chance = random.Random(seed)  # noqa: S311
        call = a_call(chance)
        arrived = delivered(call, chance)
        check(call, arrived, [turn.number for turn in call.turns if chance.random() < 0.05])


def test_2500_utterances_most_of_them_yes_are_aligned_in_seconds() -> None:
    chance = random.Random(1)  # noqa: S311
    call = a_call(chance, 2_500)
    began = time.process_time()
    check(call, delivered(call, chance), [])
    assert time.process_time() - began < 60  # four alignments; one takes less than a second
