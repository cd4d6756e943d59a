"""The utterances and who said them go into S3 byte for byte, each file once, whatever breaks on the
way."""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import boto3
import pytest

import shared.aws
import shared.http
from export_utterances import download as download_module
from export_utterances import handler as export_utterances
from export_utterances.bucket import CHECKED, GIVEN_UP, MISSING, Bucket
from export_utterances.days import days_of, days_to_give_up, last_days
from export_utterances.download import Download
from export_utterances.export import Export
from export_utterances.file_exporter import FileExporter
from export_utterances.handler import NotExported
from export_utterances.progress import Progress
from export_utterances.retries import TRIES, Failed
from shared import log_events
from shared.asapp_requests import AsappCredentials, BadCredentials
from shared.feeds import STATE, UTTERANCES
from shared.runtime import Deadline

from .conftest import (
    API_SECRET,
    Behaviour,
    Context,
    Vendor,
    VendorHandler,
    failing,
    html,
    reset,
    speak_tls,
)
from .conftest import hang as hang_on_the_held_clock
from .held_clock import HeldClock

LAMBDAS = Path(shared.http.__file__).parents[1]
FEEDS = (UTTERANCES, STATE)
DAY, DAY_BEFORE = "2026-11-02", "2026-11-01"
AT_NIGHT = datetime(2026, 11, 3, 2, 30, tzinfo=UTC)
HOUR, DAYS = 3600.0, 86400.0
MIB = 1024 * 1024


class NightClock(HeldClock):
    """Half past two after ``DAY``."""

    def __init__(self) -> None:
        super().__init__()
        self._began_ms = int(AT_NIGHT.timestamp() * 1000)


class FeedHandler(VendorHandler):
    """File Exporter, and the store that its URLs lead to."""

    body: dict[str, str]

    def do_POST(self) -> None:
        feed = cast(Feed, self.server)
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = self.path.rsplit("/", 1)[1]
        with feed.lock:
            feed.requests.append((self.path, dict(self.headers), self.body))
        usual = LIST if call == "listfeedfiles" else GIVE_URL
        feed.next_of(call, usual, self.body["feed"])(self)

    def do_GET(self) -> None:
        feed = cast(Feed, self.server)
        with feed.lock:
            feed.requests.append((self.path, dict(self.headers), {}))
        feed.next_of("download", serve, self.path.split("/")[2])(self)

    @property
    def content(self) -> bytes:
        _, _, feed, day, name = urlsplit(self.path).path.split("/")
        return cast(Feed, self.server).of(feed)[day][unquote(name)]

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start(self) -> int:
        """Where the range begins that is asked for, and may be."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", etag(self.content)) == etag(self.content)
        return int(asked[1]) if asked and same else 0


class Feed(Vendor):
    """:param days: By day, the files of its utterances; ``state``: of its state.
    :param faults: By call, what becomes of the next ones; by feed and call, of that feed's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = FeedHandler
        self.days: dict[str, dict[str, bytes]] = {}
        self.state: dict[str, dict[str, bytes]] = {}
        self.faults: dict[str, list[Behaviour]] = {}
        self.tokens = itertools.count()
        self.clock: NightClock = NightClock()
        self.scheme = "http"

    def of(self, feed: str) -> dict[str, dict[str, bytes]]:
        return {UTTERANCES: self.days, STATE: self.state}[feed]

    def next_of(self, call: str, usual: Behaviour, feed: str = UTTERANCES) -> Behaviour:
        with self.lock:
            faults = self.faults.get(f"{feed} {call}") or self.faults.get(call, [])
            return faults.pop(0) if faults else usual

    def asked(self, call: str, feed: str = UTTERANCES) -> list[dict[str, str]]:
        found = [body for path, _, body in self.requests if path.endswith(call)]
        return [body for body in found if body["feed"] == feed]

    @property
    def downloads(self) -> list[dict[str, str]]:
        """The headers of each, in lower case."""
        return [
            {name.lower(): value for name, value in headers.items()}
            for path, headers, _ in self.requests
            if path.startswith("/files/")
        ]


def etag(content: bytes) -> str:
    return f'"{hash(content):x}"'


def LIST(request: Any) -> None:
    days = request.server.of(request.body["feed"])
    files = days.get(request.body["date"].removeprefix("dt="), {})
    request.reply(200, {**request.body, "files": list(files)})


def GIVE_URL(request: Any) -> None:
    feed, body = request.server, request.body
    day = body["date"].removeprefix("dt=")
    path = f"/files/{body['feed']}/{day}/{quote(body['fileName'])}"
    url = f"{feed.scheme}://127.0.0.1:{feed.server_address[1]}{path}?token=t{next(feed.tokens)}"
    request.reply(200, {"url": url})


def serve(request: Any) -> None:
    send(request)


def send(request: Any, until: int | None = None, tag: bool = True) -> None:
    """As S3 does; ``until`` a byte, and then the connection is gone."""
    content, start = request.content, request.start()
    headers = {"Content_Length": len(content) - start} | ({"ETag": etag(content)} if tag else {})
    if start:
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.head(206, Content_Range=place, **headers)
    else:
        request.head(200, **headers)
    request.wfile.write(content[start:until])
    if until is not None:
        request.close_connection = True


def truncated(until: int, tag: bool = True) -> Behaviour:
    return lambda request: send(request, until, tag)


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


def dripping(request: Any) -> None:
    """A byte is never late; a MiB would be."""
    request.head(200, Content_Length=len(request.content))
    for byte in request.content:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        request.server.clock.advance(9)
        if request.server.closing.wait(0.01):
            return


def hang(request: Any) -> None:
    """Be silent: urllib3, which downloads, has no clock but the machine's."""
    if request.command == "POST":
        hang_on_the_held_clock(request)
    request.server.closing.wait(20)


def until_the_end_of_the_run(request: Any) -> None:
    """No answer, until no time is left."""
    request.server.clock.advance(HOUR)
    reset(request)


def answering(body: object) -> Behaviour:
    return lambda request: request.reply(200, body)


def then(status: int) -> Behaviour:
    return failing(status, f"{status}-01")


@pytest.fixture
def feed() -> Iterator[Feed]:
    server = Feed()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


@cache
def s3_client(endpoint: str) -> Any:
    return boto3.client("s3", endpoint_url=endpoint)


class Night:
    """Runs of the export over two days, or of the whole function."""

    def __init__(self, feed: Feed, secret_name: str) -> None:
        self.feed = feed
        self.clock = feed.clock
        self.s3 = s3_client(os.environ["AWS_ENDPOINT_URL"])
        self.bucket_name = f"export-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket_name)
        self.bucket = Bucket(self.s3, self.bucket_name)
        self.credentials = AsappCredentials(secret_name)
        self.exporter = FileExporter(feed.url, self.credentials)
        self.announced: list[str] = []
        self.announce: Callable[[str], object] = self.announced.append

    def is_impatient(self) -> None:
        """A silence ends a try soon; then a slow machine costs a try of six."""
        self.exporter = FileExporter(self.feed.url, self.credentials, seconds_a_read=0.3)

    def run(
        self, *days: str, seconds: float = 600, by_hand: bool = False, missing: Iterable[str] = ()
    ) -> Progress:
        marked = Bucket(self.s3, self.bucket_name).days(MISSING)
        progress = Progress(missing=marked | set(missing))
        deadline = Deadline(seconds, self.clock)
        export = Export(self.exporter, self.bucket, self.announce, deadline, progress)
        export.run(days or (DAY, DAY_BEFORE), announce_all=by_hand)
        return progress

    def invoke(self, event: Any = None, seconds: float = 60) -> dict[str, int]:
        """The function, as the schedule does."""
        return export_utterances.handler(event or {}, Context(seconds), self.clock)

    @property
    def stored(self) -> dict[str, bytes]:
        """The files, by key."""
        found = self.s3.list_objects_v2(Bucket=self.bucket_name).get("Contents", [])
        found = [entry for entry in found if not entry["Key"].startswith("days/")]
        return {
            entry["Key"]: self.s3.get_object(Bucket=self.bucket_name, Key=entry["Key"])[
                "Body"
            ].read()
            for entry in found
        }

    @property
    def uploads_open(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket=self.bucket_name).get("Uploads", []))


@pytest.fixture
def night(feed: Feed, aws: str, secret_name: str) -> Night:
    shared.aws._origin.cache_clear()
    return Night(feed, secret_name)


def key(day: str, name: str, feed: str = "utterances") -> str:
    return f"{feed}/dt={day}/{name}"


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


BIG = os.urandom(1024) * (20 * 1024)
"""Three parts."""


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


HOSTILE = ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\nb", "a\x00b", "ü" * 200, "x" * 256]


@pytest.mark.parametrize("name", [*HOSTILE, "\ud83d"], ids=ascii)
def test_a_name_that_leads_out_of_the_days_folder_costs_only_its_file(
    name: str, feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {name: b"bad", "file1.jsonl": b"words"}}
    progress = night.run(DAY)
    assert set(night.stored) == {key(DAY, "file1.jsonl")}
    (problem,) = progress.problems
    assert problem.startswith(f"utterances of {DAY}: missing file 1 of 2: its name cannot be that")
    assert len(progress.whole) == 0


def test_the_longest_name_is_stored(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"x" * 255: b"words", "..x": b"y"}}
    assert night.run(DAY).problems == []
    assert len(night.stored) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"files": ["file1.jsonl"]},
        {"feedFiles": ["file1.jsonl", "file1.jsonl"], "warnings": [], "count": 1},
        {"data": [{"files": ["file1.jsonl"]}]},
    ],
)
def test_the_one_list_of_strings_holds_the_names(answer: object, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["listfeedfiles"] = [answering(answer)]
    assert night.run(DAY).files == 1


@pytest.mark.parametrize(
    "answer",
    [{}, {"files": None}, {"files": "file1.jsonl"}, {"files": [1]}, {"a": ["b"], "c": ["d"]}],
)
def test_an_answer_without_the_one_list_is_an_error(
    answer: object, feed: Feed, night: Night
) -> None:
    feed.faults["listfeedfiles"] = [answering(answer)]
    (problem,) = night.run(DAY).problems
    assert "no list of file names, or several" in problem


@pytest.mark.parametrize("answer", [["file1.jsonl"], None, "file1.jsonl"])
def test_an_answer_that_is_no_object_is_asked_for_again_and_is_then_an_error(
    answer: object, feed: Feed, night: Night
) -> None:
    feed.faults["listfeedfiles"] = [answering(answer)] * TRIES
    assert night.run(DAY).problems == [f"utterances of {DAY}: listfeedfiles: not_json"]


URLS = [None, "", "file:///etc/passwd", "ftp://a/b", "https:///x", "http://a/b c", "http://[/", 7]


@pytest.mark.parametrize("url", URLS)
def test_an_url_that_cannot_be_fetched_is_an_error(url: object, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [answering({"url": url})]
    assert "getfeedfile: the answer has no https url" in night.run(DAY).problems[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/", "http://a..b/", f"http://{'a' * 99}/"])
def test_an_url_that_leads_nowhere_is_an_error_without_its_words(
    url: str, feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [answering({"url": url})] * TRIES
    (problem,) = night.run(DAY).problems
    assert problem.partition("download: ")[2].isalpha()


@pytest.fixture
def trusted(feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The vendor over TLS, and we trust its certificate."""
    speak_tls(feed, tmp_path, monkeypatch)
    for made in (shared.http._tls_context, download_module._connections):
        made.cache_clear()
    yield
    for made in (shared.http._tls_context, download_module._connections):
        made.cache_clear()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("scheme", "files"), [("https", 1), ("http", 0)])
def test_where_asapp_speaks_https_a_file_comes_by_https_only(
    scheme: str, files: int, feed: Feed, night: Night, secret_name: str
) -> None:
    host = feed.url.replace("http:", "https:")
    night.exporter = FileExporter(host, night.credentials)
    feed.scheme = scheme
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    assert night.run(DAY).files == files
    assert len(feed.downloads) == files


@pytest.mark.usefixtures("trusted")
def test_a_server_whose_certificate_nobody_vouches_for_gives_no_file(
    feed: Feed, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    url = f"{feed.url.replace('http:', 'https:')}/files/{UTTERANCES}/{DAY}/file1.jsonl"
    with pytest.raises(Failed, match="download: SSLError"):
        Download(lambda: url, Deadline(600, night.clock)).open()
    assert feed.downloads == []


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


# Who spoke


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


YESTERDAY = date(2026, 11, 2)


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


@pytest.fixture
def deployed(
    night: Night, secret_name: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Vendor]:
    """The function's environment variables, and its caches empty; Lambda's endpoint."""
    vendor.behaviours = [lambda request: request.reply(202, "")]
    monkeypatch.setenv("ASAPP_API_HOST", night.feed.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("EXPORT_BUCKET", night.bucket_name)
    monkeypatch.setenv("LOOKBACK_DAYS", "2")
    monkeypatch.setenv("RECONCILE_FUNCTION", "reconcile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", vendor.url)
    caches = (
        export_utterances._exporter,
        export_utterances._bucket,
        export_utterances._lambda,
    )
    for made in caches:
        made.cache_clear()
    yield vendor
    for made in caches:
        made.cache_clear()


def figures(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int, int]]:
    return [
        (vars(record)["daysMissing"], vars(record)["files"], vars(record)["bytes"])
        for record in caplog.records
        if record.getMessage() == "exported"
    ]


def days_back(count: int) -> list[str]:
    today = datetime.now(UTC).date()
    return [str(today - timedelta(days=back)) for back in range(1, count + 1)]


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
    monkeypatch.delenv("RECONCILE_FUNCTION")
    feed.days = {DAY: {"file1.jsonl": b"a"}}
    assert night.invoke()["files"] == 1
    assert deployed.requests == []


def test_a_late_feed_is_counted_and_nothing_is_raised(
    feed: Feed, night: Night, deployed: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert night.invoke()["daysMissing"] == 1
    assert figures(caplog) == [(1, 0, 0)]
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
        NotExported, match=f"utterances of {yesterday}: it is whole, and nobody could be told"
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


# Days that are missing


def missing(caplog: pytest.LogCaptureFixture) -> int:
    """What the alarm's metric is after the last run."""
    return figures(caplog)[-1][0]


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


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


# Files that are published again


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


RUN = """
import json, sys
from export_utterances import handler
class Context:
    def get_remaining_time_in_millis(self): return 60_000
answer = handler.handler(json.loads(sys.argv[1]), Context())
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps(answer | {"peak": int(peak.split()[1]) * 1024}))
"""


def process(day: str) -> subprocess.Popen[str]:
    """The function in a process of its own, for one day."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps({"from": day, "to": day})],
        env=os.environ | {"PYTHONPATH": str(LAMBDAS), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_large_file_takes_no_more_memory_than_a_small_one(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    small, large = days_back(2)
    feed.days = {small: {"file.jsonl": b"words"}, large: {"file.jsonl": bytes(96 * MIB)}}
    peaks = {}
    for day in (small, large):
        with process(day) as running:
            answer = json.loads(running.communicate(timeout=60)[0])
        assert answer["files"] == 1
        peaks[day] = answer["peak"]
    assert peaks[large] - peaks[small] < 64 * MIB
    found = night.s3.head_object(Bucket=night.bucket_name, Key=key(large, "file.jsonl"))
    assert found["ContentLength"] == 96 * MIB


def test_a_run_that_is_killed_in_a_file_is_made_good_by_the_next(
    feed: Feed, night: Night, deployed: Vendor
) -> None:
    (day,) = days_back(1)
    feed.days = {day: {"first.jsonl": b"words", "big.jsonl": BIG}}
    reached = threading.Event()

    def stall(request: Any) -> None:
        send(request, 18 * MIB)
        request.wfile.flush()
        reached.set()
        request.server.closing.wait(20)

    feed.faults["download"] = [serve, stall]
    with process(day) as running:
        assert reached.wait(30)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert night.stored == {key(day, "first.jsonl"): b"words"}
    feed.requests.clear()
    night.clock.advance(30_000 * DAYS)  # the other process has the machine's clock
    asked = {"from": day, "to": day}
    assert night.invoke(asked)["files"] == 1
    assert night.stored == {key(day, "first.jsonl"): b"words", key(day, "big.jsonl"): BIG}
    assert len(feed.downloads) == 1
    assert night.invoke(asked)["files"] == 0
