"""What a run says at its end: late feeds, refused credentials, no time left; no name of a file."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

import boto3
import pytest

from export_utterances.download import Download
from export_utterances.handler import NotExported
from shared.asapp.requests import BadCredentials
from shared.runtime import Deadline
from tests.unit.conftest import (
    API_SECRET,
    Vendor,
)
from tests.unit.export.night import (
    BIG,
    DAY,
    DAY_BEFORE,
    GIVE_URL,
    HOUR,
    LIST,
    MIB,
    Feed,
    Night,
    answering,
    dripping,
    send,
    serve,
    then,
    until_the_end_of_the_run,
)


def test_the_feed_is_late_where_yesterday_has_no_files(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {}, DAY_BEFORE: {}}
    progress = night.run(missing=[DAY])
    assert (len(progress.whole), progress.problems) == (1, [])  # the day before was a quiet one
    assert night.announced == []


def test_a_404_is_a_day_without_files_where_other_days_have_some(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["listfeedfiles"] = [LIST, then(404)]
    progress = night.run()
    assert (len(progress.whole), len(progress.unknown), progress.problems) == (2, 1, [])


def test_a_403_says_that_the_feed_may_not_be_enabled(feed: Feed, night: Night) -> None:
    feed.faults["listfeedfiles"] = [then(403)]
    (problem,) = night.run(DAY).problems
    assert "403-01; perhaps ASAPP's account team has yet to enable the feed" in problem


def test_a_rotated_secret_is_read_again_once(feed: Feed, night: Night, secret_name: str) -> None:
    feed.days = {DAY: {}}
    night.run(DAY)
    value = json.dumps({"apiId": "id-of-asapp", "apiSecret": "newer"})
    boto3.client("secretsmanager").put_secret_value(SecretId=secret_name, SecretString=value)
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [then(401)]
    assert night.run(DAY).files == 1
    used = [h["asapp-api-secret"] for path, h, _ in feed.requests if "getfeedfile" in path]
    assert used == [API_SECRET, "newer"]


def test_credentials_that_asapp_does_not_take_end_the_run(feed: Feed, night: Night) -> None:
    feed.faults["listfeedfiles"] = [then(401)] * 9
    with pytest.raises(BadCredentials, match="401-01"):
        night.run()
    assert len(feed.requests) == 2


def test_a_day_is_announced_when_it_is_whole_and_has_something_new(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}, DAY_BEFORE: {"file1.jsonl": b"b"}}
    night.run()
    assert night.announced == [DAY, DAY_BEFORE]
    night.run()
    assert night.announced == [DAY, DAY_BEFORE]
    night.run(missing=[DAY])  # the run before may have been killed ahead of saying so
    assert night.announced == [DAY, DAY_BEFORE, DAY]
    night.run(by_hand=True)
    assert night.announced[3:] == [DAY, DAY_BEFORE]


def test_near_the_end_a_run_stops_and_the_next_one_goes_on(feed: Feed, night: Night) -> None:
    files = {f"file{at}.jsonl": b"words" for at in range(4)}
    feed.days = {DAY: files | {"last.jsonl": b"x"}, DAY_BEFORE: {"file1.jsonl": b"y"}}
    feed.faults["download"] = [serve, serve, until_the_end_of_the_run]
    progress = night.run()
    left = (progress.files, progress.files_left, progress.not_listed, len(progress.whole))
    assert (left, progress.problems) == ((2, 3, {DAY, DAY_BEFORE}, 0), [])
    progress = night.run()
    assert (progress.files, len(progress.whole)) == (4, 2)
    assert len(night.stored) == 6


def test_the_end_comes_in_the_middle_of_a_file_too(feed: Feed, night: Night) -> None:
    def stall(request: Any) -> None:
        send(request, 9 * MIB)
        feed.clock.advance(HOUR)

    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [stall]
    progress = night.run(DAY)
    assert (progress.files_left, progress.problems) == (1, [])
    assert (night.stored, night.uploads_open) == ({}, 0)


def test_a_dripping_body_does_not_outlast_the_run(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"slow.jsonl": b"x" * 100}}
    feed.faults["download"] = [dripping] * 9
    assert night.run(DAY, seconds=60).files_left == 1


def test_a_download_gives_no_more_than_was_asked_for(feed: Feed) -> None:
    feed.days = {DAY: {"big.jsonl": BIG}}
    url = f"{feed.url}/files/utterances/{DAY}/big.jsonl"
    download = Download(lambda: url, Deadline(60))
    assert download.read(3) == BIG[:3]
    assert download.size == len(BIG)
    assert download.read(8 * MIB) == BIG[3 : 3 + 8 * MIB]
    assert download.read() == BIG[3 + 8 * MIB :]
    assert download.read() == download.read(5) == b""


def test_no_url_no_secret_and_no_name_of_a_file_is_told(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "export_utterances")
    yesterday = DAY
    feed.days = {yesterday: {"words +15550100199.jsonl": b"a", "../words": b"b"}}
    feed.faults["download"] = [then(400)]
    feed.faults["getfeedfile"] = [GIVE_URL, answering({"url": "words://words?token=t"})]
    with pytest.raises(NotExported) as caught:
        night.invoke()
    told = "".join(traceback.format_exception(caught.value))
    told += "".join(repr(vars(record)) for record in caplog.records if "export" in record.name)
    for private in ("token=", "words", "5550100199", API_SECRET):
        assert private not in told
    assert "missing file 2 of 2" in told
