"""Each file of each day goes into S3 byte for byte, once; what fails is fetched by the next run."""

from __future__ import annotations

from typing import Any

import pytest

from export_utterances.retries import TRIES
from tests.unit.conftest import (
    API_SECRET,
    Behaviour,
    html,
    reset,
)
from tests.unit.conftest import hang as hang_on_the_held_clock
from tests.unit.export.night import DAY, DAY_BEFORE, Feed, Night, key, then


def hang(request: Any) -> None:
    """Be silent: urllib3, which downloads, has no clock but the machine's."""
    if request.command == "POST":
        hang_on_the_held_clock(request)
    request.server.closing.wait(20)


def test_each_file_of_each_day_is_in_its_days_folder_byte_for_byte(
    feed: Feed, night: Night
) -> None:
    feed.days = {
        DAY: {"file1.jsonl": b'{"utterance": "s\xc3\xad"}\r\n', "empty.jsonl": b""},
        DAY_BEFORE: {"file1.jsonl": b"\x00\xff not JSON", "a b+ü=%41.jsonl": b"x"},
    }
    progress = night.run()
    assert night.stored == {
        key(day, name): content
        for day, files in feed.days.items()
        for name, content in files.items()
    }
    assert (len(progress.whole), progress.files, progress.bytes) == (2, 4, 34)
    assert progress.problems == []


def test_asapp_is_asked_as_its_documentation_says(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"x"}}
    night.run(DAY)
    listed, given, fetched, listed_state = feed.requests
    assert listed[0] == "/fileexporter/v1/static/listfeedfiles"
    asked = {"feed": "utterances", "version": "version=1", "format": "format=jsonl"}
    assert listed[2] == asked | {"date": f"dt={DAY}"}
    assert given[0] == "/fileexporter/v1/static/getfeedfile"
    assert given[2] == asked | {"date": f"dt={DAY}", "fileName": "file1.jsonl"}
    assert listed_state[2] == listed[2] | {"feed": "staging_utterance_state"}
    for _, headers, _ in (listed, given, listed_state):
        assert headers["asapp-api-secret"] == API_SECRET
    assert API_SECRET not in str(fetched)  # another company's host


def test_a_second_run_fetches_nothing(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"x", "file2.jsonl": b"y"}, DAY_BEFORE: {"file1.jsonl": b"z"}}
    night.run()
    feed.requests.clear()
    progress = night.run()
    assert (len(progress.whole), progress.files) == (2, 0)
    assert feed.downloads == []
    assert len(feed.asked("getfeedfile")) == 0


def test_what_was_missing_is_fetched_by_the_next_run(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"x"}, DAY_BEFORE: {}}
    night.run()
    feed.days = {DAY: {"file1.jsonl": b"x", "late.jsonl": b"y"}, DAY_BEFORE: {"file1.jsonl": b"z"}}
    feed.requests.clear()
    assert night.run().files == 2
    assert len(feed.downloads) == 2
    assert set(night.stored) == {
        key(DAY, "file1.jsonl"),
        key(DAY, "late.jsonl"),
        key(DAY_BEFORE, "file1.jsonl"),
    }


PASSING: dict[str, Behaviour] = {
    "429": then(429),
    "500": then(500),
    "503": then(503),
    "hangs": hang,
    "resets": reset,
}


@pytest.mark.parametrize("call", ["listfeedfiles", "getfeedfile", "download"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_loses_nothing(
    call: str, fault: Behaviour, feed: Feed, night: Night
) -> None:
    if fault is hang and call == "download":
        night.is_impatient()
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults[call] = [fault, fault]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


@pytest.mark.parametrize("call", ["listfeedfiles", "getfeedfile"])
def test_an_answer_of_a_proxy_is_asked_for_again(call: str, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults[call] = [html]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


@pytest.mark.parametrize("call", ["getfeedfile", "download"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_stays_costs_one_file_which_the_next_run_fetches(
    call: str, fault: Behaviour, feed: Feed, night: Night
) -> None:
    if fault is hang and call == "download":
        night.is_impatient()
    feed.days = {DAY: {"file1.jsonl": b"a", "file2.jsonl": b"b"}, DAY_BEFORE: {"file3.jsonl": b"c"}}
    # One more, because a connection that ends when it is used again costs no try.
    feed.faults[call] = [fault] * (TRIES + (fault is reset and call == "getfeedfile"))
    progress = night.run()
    assert (progress.files, len(progress.whole)) == (2, 1)
    (problem,) = progress.problems
    assert problem.startswith(f"utterances of {DAY}: missing file 1 of 2: {call}: ")
    assert key(DAY, "file1.jsonl") not in night.stored
    assert night.announced == [DAY_BEFORE]
    assert night.run().files == 1
    assert night.announced == [DAY_BEFORE, DAY]


def test_a_list_that_fails_costs_one_day(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}, DAY_BEFORE: {"file1.jsonl": b"b"}}
    feed.faults["listfeedfiles"] = [then(500)] * TRIES
    progress = night.run()
    assert progress.problems == [f"utterances of {DAY}: listfeedfiles: 500-01"]
    assert set(night.stored) == {key(DAY_BEFORE, "file1.jsonl")}


@pytest.mark.parametrize("call", ["listfeedfiles", "getfeedfile"])
def test_a_refusal_is_not_repeated(call: str, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"a"}}
    feed.faults[call] = [then(400)] * 2
    assert f"{call}: 400-01" in night.run(DAY).problems[0]
    assert len(feed.asked(call)) == 1
