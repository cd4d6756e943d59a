"""Many conversations, and a long one, are reconciled as few and short ones are."""

from __future__ import annotations

from reconcile_transcript.record import MOST_MESSAGES
from tests.unit.conftest import Vendor
from tests.unit.reconciliation.conftest import bucket, log, world
from tests.unit.reconciliation.finished_calls import (
    HOUR_MS,
    Bucket,
    Call,
    Sent,
    World,
    completes_by_the_export,
    completes_calls_of_which_a_tenth_was_lost,
    texts,
)

__all__ = ["bucket", "log", "world"]


def test_a_conversation_of_2500_utterances_is_completed_by_the_batch(
    world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    call = Call("long", texts(2_500))
    completes_by_the_export(call, MOST_MESSAGES, world, vendor, bucket, log)


def test_40_calls_of_which_a_tenth_was_lost_are_what_was_said(world: World, vendor: Vendor) -> None:
    completes_calls_of_which_a_tenth_was_lost(40, world, vendor)


def test_130_conversations_are_looked_at_in_one_run(world: World, vendor: Vendor) -> None:
    for at in range(130):
        world.end(Call(f"c-{at}", texts(1), ago_ms=HOUR_MS + at))
    assert world.run() == {"conversations": 130}
    assert world.run() == {"conversations": 0}
