"""A file that ASAPP publishes again replaces the stored one."""

from __future__ import annotations

import pytest

from export_utterances.handler import NotExported
from shared import log_events
from shared.asapp.feeds import STATE, UTTERANCES
from tests.unit.conftest import (
    Vendor,
)
from tests.unit.export.night import (
    DAY,
    DAY_BEFORE,
    DAYS,
    GIVE_URL,
    Feed,
    Night,
    key,
    missing,
    serve,
    then,
    truncated,
    until_the_end_of_the_run,
)

REPUBLISHED = {"longer": b"more words", "as long": b"WORDS"}


@pytest.mark.parametrize("newer", REPUBLISHED.values(), ids=REPUBLISHED)
def test_a_file_that_is_published_again_replaces_the_stored_one_and_is_announced(
    newer: bytes, feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    same = {"file2.jsonl": b"the same"}
    feed.days = {DAY: {"file1.jsonl": b"words"} | same, DAY_BEFORE: same}
    night.invoke()
    deployed.requests.clear()
    feed.days[DAY]["file1.jsonl"] = newer
    feed.days["2026-11-03"] = {"file1.jsonl": b"x"}
    night.clock.advance(DAYS)
    assert night.invoke()["files"] == 2
    assert night.stored[key(DAY, "file1.jsonl")] == newer
    assert [body["exported"] for _, _, body in deployed.requests] == ["2026-11-03", DAY]
    (line,) = (each for each in logs.records if "published again" in each.getMessage())
    told = {name: vars(line)[name] for name in ("event", "feed", "day", "bytes", "bytesBefore")}
    assert told == {
        "event": log_events.EXPORT_FILE_REPLACED,
        "feed": UTTERANCES,
        "day": DAY,
        "bytes": len(newer),
        "bytesBefore": 5,
    }
    night.clock.advance(DAYS)
    feed.days["2026-11-04"] = {"file1.jsonl": b"y"}
    assert night.invoke()["files"] == 1


def test_a_file_whose_etag_cannot_be_stored_is_not_copied_again_every_night(
    feed: Feed, night: Night, deployed: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 takes no such text as metadata, so nothing says that the file is another one."""
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    monkeypatch.setattr("tests.unit.export.night.etag", lambda content: "x" * 201)
    assert night.invoke()["files"] == 1
    night.clock.advance(DAYS)
    feed.days["2026-11-03"] = {"file1.jsonl": b"x"}
    assert night.invoke()["files"] == 1


def test_a_day_that_is_not_whole_is_not_announced_for_a_file_that_was_replaced(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    deployed.requests.clear()
    feed.days = {DAY: {"file1.jsonl": b"WORDS", "file2.jsonl": b"x"}, "2026-11-03": {}}
    feed.faults["getfeedfile"] = [then(400)]
    night.clock.advance(DAYS)
    with pytest.raises(NotExported, match="missing file 1 of 1"):
        night.invoke()
    assert night.stored[key(DAY, "file1.jsonl")] == b"WORDS"
    assert deployed.requests == []


def test_a_file_that_says_who_spoke_is_replaced_too(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.state = {DAY: {"file1.jsonl": b"agent"}}
    night.invoke()
    feed.state[DAY]["file1.jsonl"] = b"customer"
    night.clock.advance(DAYS)
    night.invoke()
    assert night.stored[key(DAY, "file1.jsonl", STATE)] == b"customer"


def test_without_an_etag_only_another_size_tells_that_a_file_is_another(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words", "file2.jsonl": b"words"}}
    feed.faults["download"] = [truncated(5, tag=False)] * 4
    night.invoke()
    feed.days[DAY] = {"file1.jsonl": b"WORDS", "file2.jsonl": b"more words"}
    for _ in range(2):  # the second time ASAPP gives an ETag, to which there is nothing to compare
        night.clock.advance(DAYS)
        night.invoke()
        assert night.stored == {
            key(DAY, "file1.jsonl"): b"words",
            key(DAY, "file2.jsonl"): b"more words",
        }


def test_a_stored_file_that_cannot_be_compared_is_a_problem_and_its_day_is_whole(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    feed.days["2026-11-03"] = {"file1.jsonl": b"x"}
    feed.faults["getfeedfile"] = [GIVE_URL, then(400)]
    night.clock.advance(DAYS)
    with pytest.raises(NotExported, match=f"utterances of {DAY}: stored file 1: getfeedfile"):
        night.invoke()
    assert missing(logs) == 0
    assert night.stored[key(DAY, "file1.jsonl")] == b"words"


def test_new_files_come_before_stored_ones_are_compared(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.invoke()
    feed.days["2026-11-03"] = {"file1.jsonl": b"x"}
    feed.faults["download"] = [serve, until_the_end_of_the_run]
    night.clock.advance(DAYS)
    assert night.invoke()["files"] == 1
    assert "no time to look for files that were published again" in logs.text
