"""The feed that says who spoke is exported beside the words, and takes nothing from them."""

from __future__ import annotations

import logging

import pytest

from export_utterances.handler import NotExported
from export_utterances.retries import TRIES
from shared.asapp.feeds import STATE, UTTERANCES
from shared.asapp.requests import BadCredentials
from tests.unit.conftest import (
    Behaviour,
    Vendor,
)
from tests.unit.export.night import (
    DAY,
    DAY_BEFORE,
    LIST,
    Feed,
    Night,
    key,
    then,
    until_the_end_of_the_run,
)


def test_who_spoke_is_in_a_folder_of_its_own_byte_for_byte(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}, DAY_BEFORE: {"file1.jsonl": b"more words"}}
    feed.state = {DAY: {"file1.jsonl": b"agent\r\n"}, DAY_BEFORE: {"file1.jsonl": b"customer"}}
    progress = night.run()
    assert night.stored == {
        key(DAY, "file1.jsonl"): b"words",
        key(DAY, "file1.jsonl", STATE): b"agent\r\n",
        key(DAY_BEFORE, "file1.jsonl"): b"more words",
        key(DAY_BEFORE, "file1.jsonl", STATE): b"customer",
    }
    assert (len(progress.whole), progress.files, len(progress.without_state)) == (2, 4, 0)
    feed.requests.clear()
    assert night.run().files == 0
    assert feed.downloads == []


ABSENT: dict[str, tuple[Behaviour, str]] = {
    "empty": (LIST, "no files"),
    "404": (then(404), "no files"),
    "403": (then(403), "403-01; perhaps ASAPP's account team has yet to enable the feed"),
    "400": (then(400), "listfeedfiles: 400-01"),
}


@pytest.mark.parametrize(("answer", "reason"), ABSENT.values(), ids=ABSENT)
def test_where_nothing_says_who_spoke_the_words_are_exported_and_announced_all_the_same(
    answer: Behaviour,
    reason: str,
    feed: Feed,
    night: Night,
    deployed: Vendor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    yesterday, before = DAY, DAY_BEFORE
    feed.days = {yesterday: {"file1.jsonl": b"a"}, before: {}}
    feed.faults[f"{STATE} listfeedfiles"] = [answer] * 2
    told = night.invoke()
    assert told == {"daysMissing": 0, "files": 1, "bytes": 1, "daysWithoutState": 1}
    (line,) = (each for each in caplog.records if each.getMessage() == "nothing says who spoke")
    assert (vars(line)["day"], line.levelname) == (yesterday, "WARNING")
    assert reason in vars(line)["problem"]
    assert len(feed.asked("listfeedfiles", STATE)) == 2
    assert [body for _, _, body in deployed.requests] == [{"exported": yesterday}]


def test_where_there_are_no_words_who_spoke_is_exported_all_the_same(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    yesterday, before = DAY, DAY_BEFORE
    feed.state = {yesterday: {"file1.jsonl": b"a"}, before: {"file1.jsonl": b"b"}}
    feed.faults[f"{UTTERANCES} listfeedfiles"] = [then(403), then(403)]
    with pytest.raises(NotExported, match=f"utterances of {yesterday}: .* 403-01; perhaps"):
        night.invoke()
    assert set(night.stored) == {key(day, "file1.jsonl", STATE) for day in (yesterday, before)}
    assert deployed.requests == []


STATE_FAULTS = {
    "the list": ("listfeedfiles", "listfeedfiles: 500-01"),
    "a file": ("download", "missing file 1 of 1: download: http_500"),
}


@pytest.mark.parametrize(("call", "problem"), STATE_FAULTS.values(), ids=STATE_FAULTS)
def test_who_spoke_is_made_good_by_the_next_run_where_it_failed(
    call: str, problem: str, feed: Feed, night: Night
) -> None:
    feed.days = {DAY_BEFORE: {"file1.jsonl": b"words"}}
    feed.state = {DAY_BEFORE: {"file1.jsonl": b"agent"}}
    feed.faults[f"{STATE} {call}"] = [then(500)] * TRIES
    progress = night.run(DAY_BEFORE)
    assert (len(progress.whole), len(progress.without_state)) == (1, 0)
    assert progress.problems == [f"{STATE} of {DAY_BEFORE}: {problem}"]
    assert night.announced == [DAY_BEFORE]
    assert night.run(DAY_BEFORE).problems == []
    assert night.stored[key(DAY_BEFORE, "file1.jsonl", STATE)] == b"agent"
    assert night.announced == [DAY_BEFORE] * 2  # what still waits gets to know who spoke
    night.run(DAY_BEFORE)
    assert night.announced == [DAY_BEFORE] * 2


def test_a_day_is_announced_after_who_spoke_is_there(feed: Feed, night: Night) -> None:
    there: list[set[str]] = []
    night.announce = lambda _: there.append(set(night.stored))
    feed.days, feed.state = {DAY: {"a.jsonl": b"a"}}, {DAY: {"b.jsonl": b"b"}}
    night.run(DAY)
    assert there == [{key(DAY, "a.jsonl"), key(DAY, "b.jsonl", STATE)}]


def test_who_spoke_takes_no_time_from_the_words(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}, DAY_BEFORE: {"file1.jsonl": b"more words"}}
    feed.state = {DAY: {"file1.jsonl": b"agent"}}
    feed.faults[f"{STATE} listfeedfiles"] = [until_the_end_of_the_run]
    progress = night.run()
    assert set(night.stored) == {key(day, "file1.jsonl") for day in (DAY, DAY_BEFORE)}
    assert len(progress.whole) == 2
    assert DAY_BEFORE in progress.not_listed
    assert night.announced == [DAY, DAY_BEFORE]


def test_credentials_that_asapp_takes_for_one_feed_only_hold_back_no_words(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults[f"{STATE} listfeedfiles"] = [then(401)] * 2
    progress = night.run(DAY)
    (problem,) = progress.problems
    assert problem.startswith(f"{STATE} of {DAY}: ASAPP does not take them")
    assert (len(progress.whole), night.announced) == (1, [DAY])


def test_what_is_there_when_the_credentials_are_refused_is_announced(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["listfeedfiles"] = [LIST, then(401), then(401)]
    with pytest.raises(BadCredentials):
        night.run()
    assert night.announced == [DAY]
    assert feed.asked("listfeedfiles", STATE) == []
