"""ASAPP's record is compared as the customer's function lets it through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from reconcile_transcript import handler as reconcile_transcript
from reconcile_transcript.alignment import Alignment
from reconcile_transcript.completeness import Finding, Verdict, judge
from reconcile_transcript.due_conversations import NotReconciled
from reconcile_transcript.record import Record
from shared.transcripts.on_utterance import on_utterance
from shared.transcripts.utterance import Utterance
from store_transcript import screening
from store_transcript.batch import Message
from tests.unit.conftest import Vendor
from tests.unit.customers_function import (
    ARN,
    Customers,
    Entry,
    Raised,
    customers_function,
    refused,
    through,
)
from tests.unit.reconciliation.finished_calls import (
    HOUR_MS,
    STATE,
    Bucket,
    Call,
    Sent,
    World,
    messages_of,
    texts,
    utc_day,
    waits_for,
)
from tests.unit.reconciliation.test_verdicts import HELD, KNOWN, SAID

PIN = "My PIN is fourtwo, again fourtwo."
"""In words: the digits could stand in a time, too."""
WORDS = [*texts(4), PIN, *texts(3), PIN, "Bye."]


@pytest.fixture
def customers(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Customers]:
    with customers_function() as server:
        monkeypatch.setenv("ON_UTTERANCE_FUNCTION", ARN)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        reconcile_transcript._reconciler.cache_clear()
        on_utterance.cache_clear()
        yield server
    on_utterance.cache_clear()


def without_refused(said: Entry) -> Entry:
    return refused(said) if said["text"] == PIN else through(said)


def without_figures(said: Entry) -> Entry:
    return {"id": said["id"], "text": said["text"].replace("fourtwo", "1")}


def post(world: World, call: Call, numbers: list[int]) -> None:
    """The webhook brings these, and the function sees them."""
    said = []
    for at in numbers:
        body = call.message(at)
        said.append((Message(f"m-{at}", body, 0), Utterance.from_message(body)))
    let_through, left = screening.screened(said, on_utterance())
    assert left == []
    for _message, utterance in let_through:
        received = call.began_ms + utterance.start_ms + 2_000
        world.put(
            utterance.item(
                received_at_ms=received, stored_at_ms=received, expires_at_s=4_102_444_800
            )
        )


def test_what_was_refused_does_not_come_back_and_the_call_is_complete(
    world: World, vendor: Vendor, customers: Customers
) -> None:
    customers.decide = without_refused
    call = Call("c-1", WORDS)
    world.end(call, summary=(5, 5))
    post(world, call, [0, 1, 2, 3, 4, 6])  # 5, 7 and 9 were lost, and one PIN
    vendor.behaviours = [messages_of(call)]
    for _ in range(2):
        world.ask("c-1")
        assert world.transcript("c-1") == [each for each in call.said if each[1] != PIN]
        conversation = world.conversation("c-1")
        counts = {name: conversation[name] for name in ("completeness", "recovered", "refused")}
        assert counts == {"completeness": "complete", "recovered": 3, "refused": 2}
        assert (conversation["fromMessages"], conversation["onlyOurs"]) == (10, 0)
    assert "fourtwo" not in str(world.items("c-1"))


def test_what_was_changed_is_recognised_and_not_stored_twice(
    world: World, vendor: Vendor, customers: Customers
) -> None:
    customers.decide = without_figures
    call = Call("c-1", WORDS)
    world.end(call)
    post(world, call, [0, 1, 2, 3, 4, 5, 6, 7])
    vendor.behaviours = [messages_of(call)]
    for _ in range(2):
        world.ask("c-1")
        assert [text for _, text in world.transcript("c-1")] == [
            text.replace("fourtwo", "1") for text in WORDS
        ]
    assert {item["source"] for item in world.utterances("c-1")} == {"webhook", "messages"}
    assert "fourtwo" not in str(world.items("c-1"))


def test_what_the_export_recovers_goes_through_it_too(
    world: World, vendor: Vendor, customers: Customers, bucket: Bucket
) -> None:
    customers.decide = without_refused
    call = Call("c-1", WORDS, ago_ms=25 * HOUR_MS)
    world.end(call, reconcile="batch")
    post(world, call, [0, 1, 2])
    said, state = call.documented()
    day = utc_day(call.ended_ms)
    bucket.put(day, said)
    bucket.put(day, state, feed=STATE)
    assert world.exported(day) == {"conversations": 1, "complete": 1}
    assert world.transcript("c-1") == [each for each in call.said if each[1] != PIN]
    assert {each["source"] for event in customers.events for each in event["utterances"]} == {
        "webhook",
        "export",
    }
    assert "fourtwo" not in str(world.items("c-1"))


def test_without_its_answer_nothing_is_stored_and_the_call_is_compared_later(
    world: World, vendor: Vendor, customers: Customers, log: Sent
) -> None:
    call = Call("c-1", WORDS)
    world.end(call)
    vendor.behaviours = [messages_of(call)]
    usual = customers.handle

    def fails(_event: dict[str, Any]) -> Any:
        raise Raised("KeyError")

    customers.handle = fails
    for _ in range(5):  # a fault of the function's never puts a call into quarantine
        with pytest.raises(NotReconciled):
            world.run()
        world.change("c-1", leasedUntil=0)
    conversation = world.conversation("c-1")
    assert (world.utterances("c-1"), waits_for(conversation)) == ([], "pending")
    assert conversation["unfinished"] == 0
    told = log.of("the function on_utterance has not decided; the comparison waits")
    assert {each["levelname"] for each in told} == {"ERROR"}
    assert "fourtwo" not in str([vars(each) for each in log.records])

    customers.handle = usual
    world.run()
    assert world.transcript("c-1") == call.said


def test_asapps_count_of_a_call_counts_what_was_refused() -> None:
    known = replace(KNOWN, summary=3, held=(HELD,))
    finding = Finding(Record((SAID,), 3, refused=2), None, Alignment())
    assert judge(known, finding, HOUR_MS, has_export=False) == Verdict("complete")
    one = replace(finding, record=Record((SAID,), 3, refused=1))
    assert judge(known, one, HOUR_MS, has_export=False).completeness == "awaiting"
