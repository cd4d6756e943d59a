"""A day that is not whole is tried again until it is there or is given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from export_utterances.bucket import CHECKED, GIVEN_UP, MISSING
from export_utterances.days import days_to_give_up
from export_utterances.handler import NotExported
from export_utterances.retries import TRIES
from shared.asapp.feeds import STATE, UTTERANCES
from tests.unit.conftest import (
    Vendor,
)
from tests.unit.export.night import (
    DAY,
    DAY_BEFORE,
    DAYS,
    GIVE_URL,
    HOUR,
    LIST,
    YESTERDAY,
    Feed,
    Night,
    key,
    missing,
    then,
)


def test_a_feed_that_is_late_at_night_is_fetched_on_the_same_day(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    assert night.invoke()["daysMissing"] == 1
    night.clock.advance(4 * HOUR)
    assert night.invoke()["daysMissing"] == missing(logs) == 1
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.clock.advance(4 * HOUR)
    assert night.invoke() == {"daysMissing": 0, "files": 1, "bytes": 5, "daysWithoutState": 1}
    assert missing(logs) == 0
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}
    assert [body for _, _, body in deployed.requests] == [{"exported": DAY}]


def test_later_runs_of_a_day_ask_only_for_what_is_missing(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY_BEFORE: {"file1.jsonl": b"words"}}
    night.invoke()
    feed.requests.clear()
    night.clock.advance(4 * HOUR)
    night.invoke()
    assert [body["date"] for _, _, body in feed.requests] == [f"dt={DAY}"] * 2  # of both feeds
    feed.days[DAY] = {"file1.jsonl": b"words"}
    night.clock.advance(4 * HOUR)
    night.invoke()
    feed.requests.clear()
    deployed.requests.clear()
    night.clock.advance(4 * HOUR)
    assert night.invoke() == dict.fromkeys(("daysMissing", "files", "bytes", "daysWithoutState"), 0)
    assert (feed.requests, deployed.requests) == ([], [])


def test_a_first_run_that_had_problems_is_made_good_on_the_same_day(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}, DAY_BEFORE: {"file1.jsonl": b"b"}}
    feed.faults["listfeedfiles"] = [LIST, *[then(500)] * TRIES]
    with pytest.raises(NotExported, match=f"utterances of {DAY_BEFORE}: listfeedfiles: 500-01"):
        night.invoke()
    night.clock.advance(4 * HOUR)
    assert night.invoke()["files"] == 1


def test_a_late_day_stays_missing_for_longer_than_the_last_days_until_it_is_there(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    for back in range(12):
        day = str(YESTERDAY + timedelta(days=back))
        feed.days[day] = {"file1.jsonl": b"words"} if back else {}
        night.invoke()
        assert missing(logs) == 1
        night.clock.advance(DAYS)
    assert vars(logs.records[-1])["oldestMissing"] == DAY
    deployed.requests.clear()
    feed.days[DAY] = {"file1.jsonl": b"late words"}
    feed.days[str(YESTERDAY + timedelta(days=12))] = {"file1.jsonl": b"words"}
    night.invoke()
    assert missing(logs) == 0
    assert night.stored[key(DAY, "file1.jsonl")] == b"late words"
    assert {"exported": DAY} in [body for _, _, body in deployed.requests]
    night.clock.advance(4 * HOUR)
    night.invoke()
    assert missing(logs) == 0


@pytest.mark.parametrize("state_too", [False, True], ids=["words", "who spoke"])
def test_a_listed_file_that_cannot_be_had_stays_missing_for_longer_than_the_last_days(
    state_too: bool,
    feed: Feed,
    night: Night,
    deployed: Vendor,
    logs: pytest.LogCaptureFixture,
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    if state_too:
        feed.state = {DAY: {"file1.jsonl": b"agent"}}
    of = STATE if state_too else UTTERANCES
    for back in range(5):
        feed.days.setdefault(str(YESTERDAY + timedelta(days=back)), {"file1.jsonl": b"words"})
        feed.faults[f"{of} getfeedfile"] = [then(400)] if back == 0 else [GIVE_URL, then(400)]
        if state_too:
            feed.faults[f"{of} getfeedfile"] = [then(400)]
        with pytest.raises(NotExported, match=f"{of} of {DAY}: missing file 1 of 1"):
            night.invoke()
        assert missing(logs) == 1
        night.clock.advance(DAYS)
        feed.faults.clear()
    feed.days[str(YESTERDAY + timedelta(days=5))] = {"file1.jsonl": b"words"}
    night.invoke()
    assert missing(logs) == 0
    assert key(DAY, "file1.jsonl", of) in night.stored


def test_a_file_of_an_older_day_that_cannot_be_had_makes_that_day_missing(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}, DAY_BEFORE: {"late.jsonl": b"b"}}
    feed.faults["getfeedfile"] = [GIVE_URL, then(400)]
    with pytest.raises(NotExported):
        night.invoke()
    assert night.bucket.days(MISSING) == {DAY_BEFORE}


def test_a_day_that_is_given_up_is_missing_no_more(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    night.invoke()
    assert night.invoke({"give_up": DAY})["daysMissing"] == missing(logs) == 0
    assert "days are given up" in logs.text
    feed.requests.clear()
    night.clock.advance(4 * HOUR)
    night.invoke()
    night.clock.advance(DAYS)
    next_day = str(YESTERDAY + timedelta(days=1))
    feed.days = {next_day: {"file1.jsonl": b"words"}}
    night.invoke()
    assert missing(logs) == 0
    assert f"dt={DAY}" not in [body.get("date") for _, _, body in feed.requests]
    assert night.bucket.days(GIVEN_UP) == {DAY}
    for day in ("2026-11-04", "2026-11-05"):
        feed.days[day] = {"file1.jsonl": b"words"}
        night.clock.advance(DAYS)
        night.invoke()
    assert night.bucket.days(GIVEN_UP) == set()
    assert night.bucket.days(CHECKED) == {"2026-11-05"}


def test_a_day_that_was_given_up_counts_no_more_although_somebody_tried_it_by_hand(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    night.invoke()
    night.invoke({"give_up": DAY})
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [then(400)]
    with pytest.raises(NotExported):
        night.invoke({"from": DAY, "to": DAY})
    night.clock.advance(4 * HOUR)
    assert night.invoke()["daysMissing"] == 0


def test_a_run_that_broke_off_while_it_gave_a_day_up_leaves_a_day_that_counts_no_more(
    night: Night, deployed: Vendor
) -> None:
    night.invoke()
    night.bucket.mark(GIVEN_UP, DAY)  # and not yet: unmark(MISSING, DAY)
    night.clock.advance(4 * HOUR)
    assert night.invoke()["daysMissing"] == 0


def test_a_missing_day_whose_files_are_stored_is_whole_although_asapp_lists_them_no_more(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.run(DAY)
    feed.days = {}
    assert night.run(DAY, missing=[DAY]).missing == set()
    assert night.announced == [DAY] * 2


def test_yesterday_is_not_expected_again_after_it_was_given_up(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    """The first run had problems, so the next one looks at everything again."""
    feed.faults["listfeedfiles"] = [LIST, *[then(500)] * TRIES]
    with pytest.raises(NotExported):
        night.invoke()
    night.invoke({"give_up": DAY})
    night.clock.advance(4 * HOUR)
    assert night.invoke()["daysMissing"] == 0
    assert night.bucket.days(MISSING) == set()


def test_a_day_that_was_given_up_may_be_fetched_by_hand(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    night.invoke()
    night.invoke({"give_up": DAY})
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    assert night.invoke({"from": DAY, "to": DAY})["files"] == 1
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


def test_a_range_of_days_is_given_up_at_once(
    feed: Feed, night: Night, deployed: Vendor, logs: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        night.invoke()
        night.clock.advance(DAYS)
    assert missing(logs) == 3
    assert vars(logs.records[-1])["oldestMissing"] == DAY
    night.invoke({"give_up": {"from": DAY_BEFORE, "to": "2026-11-03"}})
    assert missing(logs) == 1
    assert night.bucket.days(MISSING) == {"2026-11-04"}


def test_only_a_day_that_is_missing_can_be_given_up(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    night.invoke()
    with pytest.raises(ValueError, match=rf"No such day is missing; missing: \['{DAY}'\]"):
        night.invoke({"give_up": DAY_BEFORE})
    assert night.bucket.days(GIVEN_UP) == set()


@pytest.mark.parametrize(
    "event",
    [
        {"give_up": "yesterday"},
        {"give_up": None},
        {"give_up": [DAY]},
        {"give_up": {"from": DAY}},
        {"give_up": DAY, "to": DAY},
        {"give_up": DAY, "from": DAY, "to": DAY},
    ],
)
def test_what_is_given_up_is_a_day_or_a_range(event: Any) -> None:
    with pytest.raises(ValueError, match=r'\{"give_up": …\}, with a day or such a range'):
        days_to_give_up(event, YESTERDAY)
    assert days_to_give_up({"give_up": DAY}, YESTERDAY) == [DAY]
