"""A fake of File Exporter, which breaks as it is told, and a night on which the export runs."""

from __future__ import annotations

import itertools
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import boto3
import pytest

from export_utterances import handler as export_utterances
from export_utterances.bucket import MISSING, Bucket
from export_utterances.export import Export
from export_utterances.file_exporter import FileExporter
from export_utterances.progress import Progress
from shared.asapp.feeds import STATE, UTTERANCES
from shared.asapp.requests import AsappCredentials
from shared.runtime import Deadline
from tests.unit.conftest import (
    Behaviour,
    Context,
    Vendor,
    VendorHandler,
    failing,
    reset,
)
from tests.unit.held_clock import HeldClock

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


def dripping(request: Any) -> None:
    """A byte is never late; a MiB would be."""
    request.head(200, Content_Length=len(request.content))
    for byte in request.content:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        request.server.clock.advance(9)
        if request.server.closing.wait(0.01):
            return


def until_the_end_of_the_run(request: Any) -> None:
    """No answer, until no time is left."""
    request.server.clock.advance(HOUR)
    reset(request)


def answering(body: object) -> Behaviour:
    return lambda request: request.reply(200, body)


def then(status: int) -> Behaviour:
    return failing(status, f"{status}-01")


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


def key(day: str, name: str, feed: str = "utterances") -> str:
    return f"{feed}/dt={day}/{name}"


BIG = os.urandom(1024) * (20 * 1024)
"""Three parts."""


YESTERDAY = date(2026, 11, 2)


def figures(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int, int]]:
    return [
        (vars(record)["daysMissing"], vars(record)["files"], vars(record)["bytes"])
        for record in caplog.records
        if record.getMessage() == "exported"
    ]


def missing(caplog: pytest.LogCaptureFixture) -> int:
    """What the alarm's metric is after the last run."""
    return figures(caplog)[-1][0]
