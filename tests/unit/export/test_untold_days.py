"""Who erases calls is told of every file that comes, also of a day that is never whole."""

from __future__ import annotations

from typing import Any

import pytest

from export_utterances.bucket import UNTOLD, Bucket
from export_utterances.download import Download
from export_utterances.handler import NotExported
from tests.unit.conftest import Behaviour, Vendor
from tests.unit.export.night import DAY, DAY_BEFORE, DAYS, GIVE_URL, HOUR, Feed, Night, then

NEXT_DAY = "2026-11-03"


@pytest.fixture
def erasing(deployed: Vendor, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Lambda, of which two functions are told."""
    monkeypatch.setenv("ANNOUNCE_NEW_FILES_TO", "erase")
    return deployed


def told(erasing: Vendor, function: str = "erase") -> list[str]:
    """The days of which it was told since this was asked last."""
    asked = list(erasing.requests)
    erasing.requests[:] = [each for each in asked if f"/{function}/" not in each[0]]
    return [body["exported"] for path, _, body in asked if f"/{function}/" in path]


def refuses(function: str) -> Behaviour:
    def behave(request: Any) -> None:
        if f"/{function}/" in request.path:
            request.reply(403, {"__type": "AccessDeniedException"})
        else:
            request.reply(202, "")

    return behave


def test_of_a_day_of_which_only_some_files_came_and_reconciliation_waits(
    feed: Feed, night: Night, erasing: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a", "file2.jsonl": b"b"}}
    feed.faults["getfeedfile"] = [GIVE_URL, then(400)]
    with pytest.raises(NotExported):
        night.invoke()
    assert (told(erasing), told(erasing, "reconcile")) == ([DAY], [])
    night.clock.advance(4 * HOUR)
    night.invoke()
    assert (told(erasing), told(erasing, "reconcile")) == ([DAY], [DAY])
    assert night.bucket.days(UNTOLD) == set()
    night.clock.advance(4 * HOUR)
    night.invoke()
    assert told(erasing) == []  # nothing came


def test_of_a_day_of_which_only_who_spoke_came(feed: Feed, night: Night, erasing: Vendor) -> None:
    feed.state = {DAY: {"file1.jsonl": b"agent"}}
    night.invoke()
    assert (told(erasing), told(erasing, "reconcile")) == ([DAY], [])


@pytest.mark.parametrize("of_state", [False, True], ids=["words", "who spoke"])
def test_of_a_file_that_came_again_by_the_next_run_if_it_could_not_be_told_at_once(
    of_state: bool, feed: Feed, night: Night, erasing: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}, NEXT_DAY: {}}
    feed.state = {DAY: {"file1.jsonl": b"agent"}}
    night.invoke()
    told(erasing)
    (feed.state if of_state else feed.days)[DAY]["file1.jsonl"] = b"OTHER"
    erasing.behaviours = [refuses("erase")]
    night.clock.advance(DAYS)
    with pytest.raises(NotExported, match=f"of {DAY}: it is stored, and nobody could be told"):
        night.invoke()
    assert night.bucket.days(UNTOLD) == {DAY}
    erasing.behaviours = [lambda request: request.reply(202, "")]
    told(erasing)
    night.clock.advance(4 * HOUR)
    night.invoke()
    assert told(erasing) == [DAY]
    assert night.bucket.days(UNTOLD) == set()


@pytest.mark.parametrize("of_state", [False, True], ids=["words", "who spoke"])
def test_by_the_next_run_if_one_is_killed_while_it_stores_a_file(
    of_state: bool,
    feed: Feed,
    night: Night,
    erasing: Vendor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (feed.state if of_state else feed.days)[DAY] = {"file1.jsonl": b"words"}
    marks: list[set[str]] = []
    put = Bucket.put

    def killed(bucket: Bucket, feed: str, day: str, name: str, download: Download) -> None:
        marks.append(bucket.days(UNTOLD))
        put(bucket, feed, day, name, download)

    monkeypatch.setattr(Bucket, "put", killed)
    night.invoke()
    assert marks == [{DAY}]  # before the file was there
    told(erasing)
    night.bucket.mark(UNTOLD, DAY)
    night.invoke()
    assert told(erasing) == [DAY]


def test_of_a_day_that_is_given_up(feed: Feed, night: Night, erasing: Vendor) -> None:
    """An older version may have stored some of its files, and told nobody."""
    night.invoke()
    night.invoke({"give_up": DAY})
    assert (told(erasing), told(erasing, "reconcile")) == ([DAY], [])


def test_of_each_day_that_is_fetched_by_hand(feed: Feed, night: Night, erasing: Vendor) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}, DAY_BEFORE: {"file1.jsonl": b"b"}}
    night.invoke()
    told(erasing)
    night.invoke({"from": DAY_BEFORE, "to": DAY})
    assert told(erasing) == [DAY, DAY_BEFORE]


def test_although_asapp_takes_the_credentials_no_more(
    feed: Feed, night: Night, erasing: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a", "file2.jsonl": b"b"}}
    feed.faults["getfeedfile"] = [GIVE_URL, then(401), then(401)]
    with pytest.raises(Exception, match="401"):
        night.invoke()
    assert told(erasing) == [DAY]


def test_nobody_is_told_and_nothing_is_marked_if_nobody_erases(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a", "file2.jsonl": b"b"}}
    feed.faults["getfeedfile"] = [GIVE_URL, then(400)]
    with pytest.raises(NotExported):
        night.invoke()
    assert night.bucket.days(UNTOLD) == set()
    assert deployed.requests == []
