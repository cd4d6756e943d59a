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


def test_the_list_has_running_calls_and_those_that_ended_a_moment_ago(
    aws: str, table_name: str
) -> None:
    now = 10_000_000
    for name, waits, changes in (
        ("running", table.IN_PROGRESS, {"changedAt": now - 3_600_000}),
        ("held", table.IN_PROGRESS, {"state": "paused", "changedAt": now - 5}),
        ("ended", table.PENDING, {"state": "ended", "changedAt": now - 10}),
        ("ended long ago", table.PENDING, {"state": "ended", "changedAt": now - 16 * 60_000}),
        ("expired", table.IN_PROGRESS, {"expiresAt": 1}),
    ):
        index = {"reconcile": table.reconcile_key(waits, name), "reconcileAt": now}
        put(table_name, conversation(**{"conversationId": name, **index, **changes}))
    calls = running_calls(boto3.client("dynamodb"), table_name, now)
    assert [call["conversationId"] for call in calls] == ["held", "ended", "running"]
    assert "+15550100199" not in json.dumps(calls)
