"""What is lost, doubled, altered or late is found, each at its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.transcripts.stored_utterances import utterance_id
from shared.transcripts.utterance import Utterance
from tools.load.counts import LATE_SECONDS, PLACES, Counts, Place

GOOD = Place(came=3, lost=0, doubled=0, altered=0, again=0)


def body(number: int, text: str = "") -> str:
    return json.dumps(
        {
            "type": "transcript",
            "externalConversationId": "call",
            "streamId": "stream",
            "sender": {"externalId": "ada", "role": "agent"},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": number * 1000,
                "end": number * 1000 + 900,
                "utterance": [{"text": text or f"Words of number {number}."}],
            },
        }
    )


def said(number: int, text: str = "") -> dict[str, Any]:
    """As the table and the bus have it."""
    item = Utterance.from_message(body(number, text)).item(
        received_at_ms=1_000, stored_at_ms=2_000, expires_at_s=0
    )
    return {**item, "id": utterance_id(item)}


@pytest.fixture
def counts() -> Counts:
    """Three utterances that have come everywhere, of which the bus had one before we counted it."""
    counts = Counts()
    counts.came("bus", 0.2, said(0))
    for number in range(3):
        counts.posted(body(number), due=0.0, accepted=[0.1])
        for place in PLACES[1:]:
            if (place, number) != ("bus", 0):
                counts.came(place, 0.3, said(number))
    return counts


def test_a_good_load_has_every_utterance_everywhere(counts: Counts) -> None:
    assert counts.places() == dict.fromkeys(PLACES, GOOD)
    assert all(place.is_good for place in counts.places().values())
    assert counts.late() == 0


@pytest.mark.parametrize("place", PLACES)
def test_what_does_not_come_to_a_place_is_lost_there(place: str) -> None:
    counts = Counts()
    accepted = [] if place == "webhook" else [0.1]
    counts.posted(body(0), 0.0, accepted)
    for other in PLACES[1:]:
        if other != place:
            counts.came(other, 0.3, said(0))
    lost = {name: at.lost for name, at in counts.places().items()}
    assert lost == dict.fromkeys(PLACES, 0) | {place: 1}
    assert not counts.places()[place].is_good


def test_the_same_id_once_more_is_told_apart_from_a_second_utterance(counts: Counts) -> None:
    counts.came("bus", 0.4, said(1))
    counts.came("page", 0.4, said(2))
    assert counts.places()["bus"] == Place(3, 0, 0, 0, again=1)
    assert counts.places()["page"] == Place(3, 0, 0, 0, again=1)
    counts.came("table", 0.4, said(1))
    assert counts.places()["table"] == Place(3, 0, doubled=1, altered=0, again=0)


def test_a_second_utterance_that_nobody_said_is_doubled(counts: Counts) -> None:
    counts.came("bus", 0.4, said(1, "Words of number 1. Words of number 1."))
    assert counts.places()["bus"] == Place(3, 0, doubled=1, altered=0, again=0)


def test_another_text_in_the_place_of_an_utterance_is_altered_and_not_lost() -> None:
    counts = Counts()
    counts.posted(body(0), 0.0, [0.1])
    counts.came("table", 0.3, said(0, "Other words."))
    assert counts.places()["table"] == Place(came=1, lost=0, doubled=0, altered=1, again=0)


def test_another_text_under_the_same_id_is_altered(counts: Counts) -> None:
    counts.came("page", 0.4, said(1) | {"text": "Other words."})
    assert counts.places()["page"].altered == 1


def test_late_counts_from_when_an_utterance_was_due_and_not_from_when_it_was_sent() -> None:
    counts = Counts()
    counts.posted(body(0), due=100.0, accepted=[100.0 + LATE_SECONDS])
    counts.came("bus", 100.1 + LATE_SECONDS, said(0))
    assert counts.late() == 1
    (row,) = counts.rows()
    assert row == {"due": 100.0, "queue": 1.0, "table": 2.0, "bus": 100.1 + LATE_SECONDS}
