"""A body that breaks off goes on where it was, and what is not whole is not stored."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from export_utterances.bucket import MISSING, Bucket
from export_utterances.retries import TRIES
from shared.asapp.feeds import STATE, UTTERANCES
from tests.unit.conftest import (
    Behaviour,
)
from tests.unit.export.night import (
    BIG,
    DAY,
    HOUR,
    MIB,
    Feed,
    Night,
    dripping,
    etag,
    key,
    send,
    serve,
    then,
    truncated,
)

FEEDS = (UTTERANCES, STATE)


def stalled(until: int) -> Behaviour:
    def behave(request: Any) -> None:
        send(request, until)
        request.wfile.flush()
        request.server.closing.wait(20)

    return behave


def chunked(*, end: bool) -> Behaviour:
    """Without a length; truncated where the last chunk does not come."""

    def behave(request: Any) -> None:
        request.head(200, Transfer_Encoding="chunked")
        for at in range(0, len(request.content), 4):
            piece = request.content[at : at + 4]
            request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n" if end else b"")
        request.close_connection = not end

    return behave


def endless(request: Any) -> None:
    """Without a length, until the connection closes: nobody can tell whether that is the end."""
    request.head(200, Connection="close")
    request.wfile.write(request.content)


@pytest.mark.parametrize("tag", [True, False], ids=["ETag", "no ETag"])
def test_a_body_that_breaks_off_is_resumed_where_it_was(
    tag: bool, feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [truncated(1_000, tag), truncated(9 * MIB, tag)]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "big.jsonl"): BIG}
    assert [headers.get("range") for headers in feed.downloads] == [
        None,
        "bytes=1000-",
        f"bytes={9 * MIB}-",
    ]
    tags = [headers.get("if-range") for headers in feed.downloads]
    assert tags[1] == (etag(BIG) if tag else None)
    assert len(feed.asked("getfeedfile")) == 1


def test_a_silence_in_the_middle_is_broken_off_and_resumed(feed: Feed, night: Night) -> None:
    night.is_impatient()
    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [stalled(10 * MIB)]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "big.jsonl"): BIG}


def test_a_connection_that_breaks_often_and_goes_on_each_time_is_borne(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [truncated(at * 2 * MIB) for at in range(1, 9)]
    assert len(feed.faults["download"]) > TRIES
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "big.jsonl"): BIG}


def test_a_body_that_never_comes_whole_leaves_no_object_and_no_parts(
    feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"big.jsonl": BIG, "small.jsonl": b"words"}}
    feed.faults["download"] = [truncated(9 * MIB)] * TRIES
    progress = night.run(DAY)
    assert progress.problems == [f"utterances of {DAY}: missing file 1 of 2: download: truncated"]
    assert set(night.stored) == {key(DAY, "small.jsonl")}
    assert night.uploads_open == 0
    assert night.run(DAY).problems == []
    assert night.stored[key(DAY, "big.jsonl")] == BIG


def test_a_small_body_that_never_comes_whole_leaves_no_object(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"small.jsonl": b"words"}}
    feed.faults["download"] = [truncated(3)] * TRIES
    assert len(night.run(DAY).problems) == 1
    assert night.stored == {}


def test_a_file_that_has_changed_meanwhile_is_fetched_from_its_beginning(
    feed: Feed, night: Night
) -> None:
    newer = BIG[::-1]

    def breaks_and_changes(request: Any) -> None:
        send(request, 9 * MIB)
        feed.days[DAY]["big.jsonl"] = newer

    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [breaks_and_changes]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "big.jsonl"): newer}
    assert night.uploads_open == 0


WRONG_RANGES: dict[str, dict[str, str]] = {
    "another place": {"Content_Range": "bytes 3-4/5"},
    "another size": {"Content_Range": "bytes 2-5/6"},
    "no place": {},
    "another file": {"Content_Range": "bytes 2-4/5", "ETag": '"other"'},
}


@pytest.mark.parametrize("headers", WRONG_RANGES.values(), ids=WRONG_RANGES)
def test_a_range_that_does_not_continue_the_file_is_not_taken(
    headers: dict[str, str], feed: Feed, night: Night
) -> None:
    def wrong(request: Any) -> None:
        request.head(206, Content_Length=3, **headers)
        request.wfile.write(b"XXX")

    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["download"] = [truncated(2), wrong]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


def test_a_server_that_knows_no_ranges_and_always_breaks_ends_in_a_failure(
    feed: Feed, night: Night
) -> None:
    def from_the_beginning(request: Any) -> None:
        del request.headers["Range"]
        send(request, 3)

    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["download"] = [from_the_beginning] * 20
    assert len(night.run(DAY).problems) == 1
    assert night.stored == {}


def test_an_expired_url_is_asked_for_again_and_the_file_goes_on(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"big.jsonl": BIG}}
    feed.faults["download"] = [then(403), truncated(9 * MIB), then(403)]
    assert night.run(DAY).problems == []
    assert night.stored == {key(DAY, "big.jsonl"): BIG}
    assert len(feed.asked("getfeedfile")) == 3
    tokens = [path.partition("token=")[2] for path, _, _ in feed.requests if "token=" in path]
    assert tokens == ["t0", "t1", "t1", "t2"]
    assert feed.downloads[-1]["range"] == f"bytes={9 * MIB}-"


def test_a_chunked_body_is_taken_where_its_end_comes(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"many words"}}
    feed.faults["download"] = [chunked(end=False), chunked(end=True)]
    progress = night.run(DAY)
    # The server of the second try knows no ranges, so it began again.
    assert (progress.problems, progress.bytes) == ([], 10)
    assert night.stored == {key(DAY, "file1.jsonl"): b"many words"}


def test_a_body_whose_end_nobody_can_tell_is_not_taken(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["download"] = [endless]
    assert "does not say where the file ends" in night.run(DAY).problems[0]
    assert night.stored == {}


def test_a_dripping_body_is_given_up_and_the_other_files_come(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"slow.jsonl": b"x" * 1_000, "file1.jsonl": b"words"}}
    feed.faults["download"] = [dripping] * 9
    feed.next_of = lambda call, usual, feed="": (  # type: ignore[method-assign]
        slowly if call == "download" else usual
    )

    def slowly(request: Any) -> None:
        if request.start():
            request.head(503, Content_Length=0)
        else:
            (dripping if "slow" in request.path else serve)(request)

    progress = night.run(DAY, seconds=HOUR)
    assert progress.files == 1
    assert night.stored == {key(DAY, "file1.jsonl"): b"words"}


def test_s3_is_told_the_size_and_completes_at_no_other(feed: Feed, night: Night) -> None:
    told: list[str] = []

    def note(request: Any, **_: object) -> None:
        told.append(request.headers["x-amz-mp-object-size"])

    s3 = boto3.client("s3")
    s3.meta.events.register("before-send.s3.CompleteMultipartUpload", note)
    night.bucket = Bucket(s3, night.bucket_name)
    feed.days = {DAY: {"big.jsonl": BIG, "small.jsonl": b"words"}}
    night.run(DAY)
    assert [int(size) for size in told] == [len(BIG)]


def test_a_bucket_that_refuses_is_told_by_its_code(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    night.bucket = Bucket(night.s3, "no-such-bucket")
    assert night.run(DAY).problems == [f"{f} of {DAY}: S3: NoSuchBucket" for f in FEEDS]


def test_a_bucket_that_breaks_in_the_middle_leaves_nothing(feed: Feed, night: Night) -> None:
    def break_off(**_: object) -> None:
        night.s3.delete_object(Bucket=night.bucket_name, Key=f"days/{MISSING}/{DAY}")
        night.s3.delete_bucket(Bucket=night.bucket_name)

    s3 = boto3.client("s3")
    s3.meta.events.register_first("before-call.s3.CreateMultipartUpload", break_off)
    night.bucket = Bucket(s3, night.bucket_name)
    feed.days = {DAY: {"big.jsonl": BIG}}
    problem, _ = night.run(DAY).problems
    assert problem == f"utterances of {DAY}: missing file 1 of 1: S3: NoSuchBucket"
