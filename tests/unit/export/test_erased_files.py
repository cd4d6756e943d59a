"""What somebody erases from the bucket does not come back by itself."""

from __future__ import annotations

from typing import Any

import pytest

from shared.asapp.feeds import STATE, TAKEN_FILES, UTTERANCES
from tests.unit.conftest import Vendor
from tests.unit.export.night import DAY, DAY_BEFORE, DAYS, Feed, Night, key, then

FEEDS = (UTTERANCES, STATE)


def delete(night: Night, name: str) -> None:
    night.s3.delete_object(Bucket=night.bucket_name, Key=name)


def rewrite(night: Night, name: str, content: bytes) -> None:
    """As whoever takes a call out: other bytes, the same metadata."""
    where: dict[str, Any] = {"Bucket": night.bucket_name, "Key": name}
    metadata = night.s3.head_object(**where)["Metadata"]
    night.s3.put_object(**where, Body=content, Metadata=metadata)


def next_night(night: Night, feed: Feed, day: str) -> dict[str, int]:
    feed.days[day] = {"file1.jsonl": b"x"}
    night.clock.advance(DAYS)
    return night.invoke()


@pytest.mark.parametrize("of", FEEDS)
def test_a_file_that_was_deleted_is_not_fetched_again(
    of: str, feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words", "file2.jsonl": b"others"}}
    feed.state = {DAY: {"file1.jsonl": b"agent", "file2.jsonl": b"agents"}}
    night.invoke()
    left = night.stored
    del left[key(DAY, "file1.jsonl", of)]
    delete(night, key(DAY, "file1.jsonl", of))
    assert next_night(night, feed, "2026-11-03") == {
        "daysMissing": 0,
        "files": 1,
        "bytes": 1,
        "daysWithoutState": 1,
    }
    assert night.stored == left | {key("2026-11-03", "file1.jsonl"): b"x"}
    night.invoke({"from": DAY, "to": DAY})
    assert night.stored == left | {key("2026-11-03", "file1.jsonl"): b"x"}


def test_a_day_of_which_every_file_was_deleted_is_whole(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    delete(night, key(DAY, "file1.jsonl"))
    deployed.requests.clear()
    assert next_night(night, feed, "2026-11-03")["daysMissing"] == 0
    assert set(night.stored) == {key("2026-11-03", "file1.jsonl")}
    assert [body["exported"] for _, _, body in deployed.requests] == ["2026-11-03"]


def test_a_deleted_file_stays_away_if_asapp_publishes_it_again(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    delete(night, key(DAY, "file1.jsonl"))
    feed.days[DAY]["file1.jsonl"] = b"more words"
    next_night(night, feed, "2026-11-03")
    assert set(night.stored) == {key("2026-11-03", "file1.jsonl")}


@pytest.mark.parametrize("of", FEEDS)
@pytest.mark.parametrize("shorter", [b"words", b""])
def test_a_file_without_the_lines_of_a_call_is_not_replaced_by_the_whole_one(
    shorter: bytes, of: str, feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words and words"}}
    feed.state = {DAY: {"file1.jsonl": b"agent and agent"}}
    night.invoke()
    rewrite(night, key(DAY, "file1.jsonl", of), shorter)
    assert next_night(night, feed, "2026-11-03")["files"] == 1
    assert night.stored[key(DAY, "file1.jsonl", of)] == shorter


def test_a_file_without_the_lines_of_a_call_is_replaced_if_asapp_publishes_another(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words and words"}}
    night.invoke()
    rewrite(night, key(DAY, "file1.jsonl"), b"words")
    feed.days[DAY]["file1.jsonl"] = b"other"  # as long as the shorter one
    assert next_night(night, feed, "2026-11-03")["files"] == 2
    assert night.stored[key(DAY, "file1.jsonl")] == b"other"


def test_a_file_of_an_older_version_which_left_no_mark_is_marked_while_it_is_there(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    mark = f"{TAKEN_FILES}{key(DAY, 'file1.jsonl')}"
    delete(night, mark)
    next_night(night, feed, "2026-11-03")
    delete(night, key(DAY, "file1.jsonl"))
    next_night(night, feed, "2026-11-04")
    assert key(DAY, "file1.jsonl") not in night.stored


def test_a_file_that_was_deleted_by_mistake_comes_back_without_its_mark(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    delete(night, key(DAY, "file1.jsonl"))
    delete(night, f"{TAKEN_FILES}{key(DAY, 'file1.jsonl')}")
    assert night.invoke({"from": DAY, "to": DAY})["files"] == 1
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


def test_a_file_that_was_never_stored_has_no_mark(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}, DAY_BEFORE: {}}
    feed.faults["download"] = [then(400)] * 6
    night.run()
    assert night.stored == {}
    assert night.run().files == 1
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}
