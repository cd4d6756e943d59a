"""What the page reads: the list, and a call in pages that miss nothing."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from publish_utterance.handler import detail
from read_live.handler import page
from read_live.running_calls import running_calls
from shared import table
from shared.proxy_answer import json_answer
from shared.transcripts.transcript import Spoken, Transcript, TranscriptReader
from shared.transcripts.utterance import Utterance
from tests.unit.transcripts.test_changes_of_a_call import conversation
from tests.unit.transcripts.test_store_transcript import body_of


def put(table_name: str, item: dict[str, Any]) -> None:
    boto3.client("dynamodb").put_item(TableName=table_name, Item=table.attributes(item))


def said(number: int, stored_at_ms: int, text: str = "") -> Spoken:
    words, id = text or f"word {number}", f"u-{number:05d}"
    stored = stored_at_ms
    return Spoken("agent", "x", number, number, words, "webhook", id=id, stored_at_ms=stored)


def transcript(*utterances: Spoken) -> Transcript:
    return Transcript("c-1", "streaming", "", {"unverified": 0}, utterances, conversation())


def all_pages(call: Transcript) -> list[list[str]]:
    pages, after = [], "0"
    while True:
        after_ms, _, passed = after.partition(".")
        made = page(call, int(after_ms), int(passed or 0))
        pages.append([each["id"] for each in made["utterances"]])
        if not made["more"]:
            return pages
        after = made["next"]


@pytest.mark.parametrize("stored_together", [1, 7, 5_000])
def test_pages_hold_each_utterance_once_however_many_were_stored_at_a_moment(
    stored_together: int,
) -> None:
    spoken = [said(number, 1_000 + number // stored_together) for number in range(2_500)]
    pages = all_pages(transcript(*reversed(spoken)))
    assert [len(each) for each in pages] == [1_000, 1_000, 500]
    assert [id for each in pages for id in each] == [each.id for each in spoken]


def test_a_page_ends_before_it_is_too_large() -> None:
    pages = all_pages(transcript(*(said(number, number, "x" * 900_000) for number in range(5))))
    assert [len(each) for each in pages] == [2, 2, 1]


@pytest.mark.parametrize("character", ["x", "é", "😀", '"', "\\", "\x01"])
def test_an_answer_is_never_larger_than_lambda_takes(character: str) -> None:
    call = transcript(*(said(number, number, character * 50_000) for number in range(100)))
    after, read = "0", 0
    while after:
        after_ms, _, passed = after.partition(".")
        made = page(call, int(after_ms), int(passed or 0))
        assert len(json.dumps(json_answer(200, made)).encode()) < 6_000_000
        read += len(made["utterances"])
        after = made["next"] if made["more"] else ""
    assert read == 100


def test_the_next_look_begins_some_seconds_back() -> None:
    call = transcript(said(1, 5_000), said(2, 40_000), said(3, 50_000))
    following = page(call, 0, 0)["next"]
    assert following == "40000"
    assert [each["id"] for each in page(call, 40_000, 0)["utterances"]] == ["u-00002", "u-00003"]


def test_an_utterance_is_read_with_the_id_of_its_event(aws: str, table_name: str) -> None:
    item = Utterance.from_message(body_of(1, externalConversationId="c-1")).item(
        received_at_ms=1, stored_at_ms=2, expires_at_s=9_999_999_999
    )
    put(table_name, item)
    put(table_name, conversation())
    call = TranscriptReader(table_name, boto3.client("dynamodb")).read("c-1")
    assert call is not None
    assert [each.id for each in call.utterances] == [detail(item, {}, sender_id=False)["id"]]
    shown = page(call, 0, 0)
    assert shown["conversation"]["legs"][0]["agent"] == "jane"
    assert shown["utterances"][0]["storedAt"] == 2


NOW = 10_000_000_000
A_MINUTE = 60_000
A_DAY = 24 * 60 * A_MINUTE


def waiting(name: str, waits_for: str, at_ms: int, **changes: Any) -> dict[str, Any]:
    """A call in the index, whose last change was then."""
    index = {"reconcile": table.reconcile_key(waits_for, name), "reconcileAt": at_ms}
    return conversation(**({"conversationId": name, **index, "changedAt": at_ms} | changes))


def running(number: int, **changes: Any) -> dict[str, Any]:
    return waiting(f"running-{number}", table.IN_PROGRESS, NOW - A_MINUTE - number, **changes)


def ended(number: int, at_ms: int, **changes: Any) -> dict[str, Any]:
    return waiting(f"ended-{number}", table.PENDING, at_ms, state="ended", **changes)


def put_all(table_name: str, items: list[dict[str, Any]]) -> None:
    requests = [{"PutRequest": {"Item": table.attributes(item)}} for item in items]
    for at in range(0, len(requests), 25):
        boto3.client("dynamodb").batch_write_item(RequestItems={table_name: requests[at : at + 25]})


def listed(table_name: str, **limits: int) -> tuple[list[str], bool]:
    found = running_calls(boto3.client("dynamodb"), table_name, NOW, **limits)
    assert "+15550100199" not in json.dumps(found.calls)
    return [call["conversationId"] for call in found.calls], found.more


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


def test_the_list_has_running_calls_and_those_that_ended_a_moment_ago(
    aws: str, table_name: str
) -> None:
    long_ago, before = NOW - 60 * A_MINUTE, NOW - 16 * A_MINUTE
    put_all(
        table_name,
        [
            waiting("running", table.IN_PROGRESS, long_ago),
            waiting("held", table.IN_PROGRESS, NOW - 5, state="paused"),
            ended(0, NOW - 10),
            ended(1, NOW - 15 * A_MINUTE),
            ended(2, before),
            ended(3, NOW - 1, changedAt=before),
            waiting("expired", table.IN_PROGRESS, NOW, expiresAt=1),
        ],
    )
    assert listed(table_name) == (["held", "ended-0", "ended-1", "running"], False)


def test_calls_that_wait_for_another_comparison_hide_no_other_one(
    aws: str, table_name: str
) -> None:
    """What ended long ago is compared again tomorrow: its time in the index is ahead."""
    tomorrow = [
        waiting(f"old-{n}", table.PENDING, NOW + A_DAY, state="ended", changedAt=NOW - A_DAY)
        for n in range(600)
    ]
    put_all(table_name, [*tomorrow, ended(0, NOW), *map(running, range(50))])
    # None of them is even read.
    assert listed(table_name, most_read=51) == (["ended-0", *names("running", 50)], False)


def test_ended_calls_have_only_the_places_that_running_ones_leave(
    aws: str, table_name: str
) -> None:
    just_now = [ended(n, NOW - n) for n in range(700)]
    put_all(table_name, [*just_now, *map(running, range(480))])
    assert listed(table_name) == (names("ended", 20) + names("running", 480), True)
    put_all(table_name, list(map(running, range(480, 520))))
    assert listed(table_name) == (names("running", 500), True)


def test_the_list_says_whether_it_is_whole(aws: str, table_name: str) -> None:
    compared = ended(0, NOW, changedAt=NOW - A_DAY)
    put_all(table_name, [compared, *map(running, range(500))])
    assert listed(table_name) == (names("running", 500), False)
    put_all(table_name, [ended(1, NOW)])
    assert listed(table_name) == (names("running", 500), True)


def test_a_call_that_ended_just_now_is_found_among_those_that_were_compared_just_now(
    aws: str, table_name: str
) -> None:
    compared = [
        waiting(f"compared-{n}", table.PENDING, NOW - n, state="ended", changedAt=NOW - A_DAY)
        for n in range(650)
    ]
    put_all(table_name, [*compared, ended(0, NOW - 10 * A_MINUTE), running(0)])
    assert listed(table_name) == (["running-0", "ended-0"], False)
    assert listed(table_name, most_read=651) == (["running-0"], True)
    assert listed(table_name, most_read=652) == (["running-0", "ended-0"], False)
