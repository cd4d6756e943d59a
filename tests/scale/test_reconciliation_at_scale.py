"""Many conversations, and a long one, are reconciled as few and short ones are."""

from __future__ import annotations

import random

from reconcile_transcript.record import MOST_MESSAGES
from shared.table import BATCH
from tests.unit.conftest import Vendor, aws, clock, secret_name, table_name, vendor
from tests.unit.test_reconcile_transcript import (
    HOUR_MS,
    STATE,
    Bucket,
    Call,
    Sent,
    World,
    bucket,
    items,
    log,
    messages_of,
    now_ms,
    texts,
    utc_day,
    waits_for,
    world,
)

__all__ = ["aws", "bucket", "clock", "log", "secret_name", "table_name", "vendor", "world"]


def test_a_conversation_of_2500_utterances_is_completed_by_the_batch(
    world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    chance = random.Random(5)  # noqa: S311
    call = Call("long", texts(2_500))
    world.end(call, summary=(1_250, 1_250))
    have = [at for at in range(2_500) if chance.random() >= 0.1]
    world.post(call, have)
    vendor.moods["long"] = items(call.items()[:MOST_MESSAGES])
    world.run()
    conversation = world.conversation("long")
    assert (conversation["completeness"], waits_for(conversation)) == ("awaiting", BATCH)
    assert abs(conversation["reconcileAt"] - now_ms()) < 60_000
    assert world.run() == {"conversations": 0}

    (lines, state), (others, others_state) = call.documented(), Call("o", texts(30)).documented()
    day = utc_day(call.ended_ms)
    bucket.put(day, [*others, *lines[:1_250]])
    bucket.put(day, [*lines[1_245:], b"no JSON at all {"], name="words +15550100199.jsonl")
    chance.shuffle(state)  # not in the other feed's order
    bucket.put(day, [*state[:2_000], *others_state], feed=STATE)
    bucket.put(day, state[1_900:], name="file2.jsonl", feed=STATE)
    assert world.exported(day) == {"conversations": 1, "complete": 1}
    conversation = world.conversation("long")
    expected = {
        "completeness": "complete",
        "fromWebhook": len(have),
        "fromSummary": 2_500,
        "fromMessages": MOST_MESSAGES,
        "fromExport": 2_500,
        "recovered": 2_500 - len(have),
        "onlyOurs": 0,
    }
    assert {name: conversation[name] for name in expected} == expected
    assert "reconcile" not in conversation
    assert world.transcript("long") == call.said
    sources = [item["source"] for item in world.utterances("long")]
    assert {*sources} == {"webhook", "messages", "export"}
    assert {item["senderId"] for item in world.utterances("long")} == {
        "id of customer",
        "id of agent",
    }
    assert world.utterances("o") == []
    (malformed,) = log.of("lines of the feed cannot be read")
    assert (malformed["lines"], malformed["levelname"]) == (1, "ERROR")
    assert (malformed["feed"], malformed["day"], malformed["file"]) == ("utterances", str(day), 2)
    assert "15550100199" not in str(malformed)  # a name is ASAPP's and may say anything


def test_40_calls_of_which_a_tenth_was_lost_are_what_was_said(world: World, vendor: Vendor) -> None:
    chance = random.Random(8)  # noqa: S311
    calls, lost = [], {}
    for at in range(40):
        call = Call(f"c-{at}", texts(chance.randint(3, 30)), ago_ms=HOUR_MS + at)
        have = [number for number in range(len(call.texts)) if chance.random() >= 0.1]
        world.end(call)
        twice = have + [number for number in have if chance.random() < 0.1]
        chance.shuffle(twice)
        world.post(call, twice)
        vendor.moods[call.guid] = messages_of(call)
        calls.append(call)
        lost[call.guid] = len(call.texts) - len(have)
    assert world.run(300.0) == {"conversations": 40}
    for call in calls:
        assert world.transcript(call.guid) == call.said
        conversation = world.conversation(call.guid)
        counts = (conversation["completeness"], conversation["recovered"])
        assert counts == ("complete", lost[call.guid])


def test_130_conversations_are_looked_at_in_one_run(world: World, vendor: Vendor) -> None:
    for at in range(130):
        world.end(Call(f"c-{at}", texts(1), ago_ms=HOUR_MS + at))
    assert world.run() == {"conversations": 130}
    assert world.run() == {"conversations": 0}
