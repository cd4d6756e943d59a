"""The nightly invocation: which days it looks at, whom it tells, and what it raises."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from export_utterances.days import days_of, last_days
from export_utterances.handler import NotExported
from shared.asapp.requests import BadCredentials
from tests.log_metrics import counted
from tests.unit.conftest import (
    Vendor,
)
from tests.unit.export.night import DAY, DAY_BEFORE, YESTERDAY, Feed, Night, figures, key, then


def test_without_an_event_the_last_days_are_looked_at_yesterday_first() -> None:
    assert last_days(YESTERDAY, 3) == ["2026-11-02", "2026-11-01", "2026-10-31"]


def test_a_range_of_days_may_be_asked_for() -> None:
    asked = {"from": "2026-02-27", "to": "2026-03-01"}
    assert days_of(asked, YESTERDAY) == ["2026-03-01", "2026-02-28", "2026-02-27"]
    assert days_of({"from": "2026-11-02", "to": "2026-11-02"}, YESTERDAY) == ["2026-11-02"]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"from": "2026-11-01"}, "YYYY-MM-DD"),
        ({"form": "2026-11-01", "to": "2026-11-02"}, "YYYY-MM-DD"),
        ({"from": "2026-11-01", "to": "2026-11-02", "feed": "x"}, "YYYY-MM-DD"),
        ({"from": "20261101", "to": "20261102"}, "YYYY-MM-DD"),
        ({"from": "2026-11-01", "to": "2026-11-31"}, "YYYY-MM-DD"),
        ({"from": 20261101, "to": None}, "YYYY-MM-DD"),
        ({"detail-type": "Scheduled Event"}, "YYYY-MM-DD"),
        (["2026-11-01", "2026-11-02"], "YYYY-MM-DD"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "1 to 366 days, not 0"),
        ({"from": "0206-11-01", "to": "2026-11-01"}, "1 to 366 days, not"),
        ({"from": "2026-11-02", "to": "2026-11-03"}, "at most 2026-11-02"),
    ],
)
def test_any_other_event_is_refused_in_words_that_help(event: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        days_of(event, YESTERDAY)


def test_the_nightly_run_exports_and_has_the_days_reconciled(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    yesterday, before = DAY, DAY_BEFORE
    feed.days = {yesterday: {"file1.jsonl": b"a"}, before: {"file1.jsonl": b"bc"}}
    answer = night.invoke()
    assert answer == {"daysMissing": 0, "files": 2, "bytes": 3, "daysWithoutState": 2}
    assert figures(caplog) == [(0, 2, 3)]
    assert set(night.stored) == {key(day, "file1.jsonl") for day in (yesterday, before)}
    assert [body for _, _, body in deployed.requests] == [
        {"exported": yesterday},
        {"exported": before},
    ]
    (path, headers, _), _ = deployed.requests
    assert path == "/2015-03-31/functions/reconcile/invocations"
    assert {n.lower(): v for n, v in headers.items()}["x-amz-invocation-type"] == "Event"


def test_without_a_function_to_tell_nobody_is_told(
    feed: Feed, night: Night, deployed: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANNOUNCE_TO")
    feed.days = {DAY: {"file1.jsonl": b"a"}}
    assert night.invoke()["files"] == 1
    assert deployed.requests == []


def test_a_late_feed_is_counted_and_nothing_is_raised(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert night.invoke()["daysMissing"] == 1
    assert figures(caplog) == [(1, 0, 0)]
    assert counted("export_utterances", caplog.records) == {"ExportDaysMissing": 1}
    assert deployed.requests == []


def test_what_another_run_may_mend_is_raised_after_all_else_is_done(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    yesterday, before = DAY, DAY_BEFORE
    feed.days = {
        yesterday: {f"a/{at}": b"" for at in range(7)} | {"file1.jsonl": b"a"},
        before: {"file1.jsonl": b"b"},
    }
    with pytest.raises(
        NotExported, match=f"utterances of {yesterday}: missing file 1 of 8: .*; and 2 more"
    ):
        night.invoke()
    assert figures(caplog) == [(1, 2, 2)]
    assert [body for _, _, body in deployed.requests] == [{"exported": before}]


def test_a_run_without_time_says_what_is_left(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(NotExported, match="not finished: 0 files left and 2 days not listed yet"):
        night.invoke(seconds=5)
    assert feed.requests == []
    assert figures(caplog) == [(2, 0, 0)]


def test_a_feed_that_asapp_does_not_know_on_any_day_is_an_error_that_says_so(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    feed.faults["listfeedfiles"] = [then(404)] * 2
    with pytest.raises(NotExported, match="404 for every day; perhaps ASAPP's account team"):
        night.invoke()


def test_bad_credentials_are_raised_and_the_days_count_as_missing(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    feed.faults["listfeedfiles"] = [then(401)] * 2
    with pytest.raises(BadCredentials):
        night.invoke()
    assert figures(caplog) == [(2, 0, 0)]


def test_a_day_that_nobody_could_be_told_of_is_raised_and_told_again(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    yesterday = DAY
    feed.days = {yesterday: {"file1.jsonl": b"a"}}
    deployed.behaviours = [
        lambda request: request.reply(403, {"__type": "AccessDeniedException"}),
        lambda request: request.reply(202, ""),
    ]
    with pytest.raises(
        NotExported, match=f"utterances of {yesterday}: it is stored, and nobody could be told"
    ):
        night.invoke()
    assert night.invoke()["files"] == 0
    assert [body for _, _, body in deployed.requests] == [{"exported": yesterday}] * 2


def test_days_are_fetched_by_hand(feed: Feed, night: Night, deployed: Vendor) -> None:
    days = last_days(YESTERDAY, 6)
    feed.days = {day: {"file1.jsonl": b"a"} for day in days}
    asked = {"from": days[5], "to": days[3]}
    assert night.invoke(asked)["files"] == 3
    assert set(night.stored) == {key(day, "file1.jsonl") for day in days[3:]}
    assert night.invoke(asked)["files"] == 0
    assert [body["exported"] for _, _, body in deployed.requests] == days[3:] * 2
