"""File Exporter of the ASAPP double: daily files of what was said.

Documented by ASAPP: the paths and their parameters, the fields of the answers, the two feeds with
their columns, the update at 02:00 UTC, the 32 days. Assumed: the order of the lines; the file
names; one hour in each file; answers whose values have the same form as in requests
(``dt=2026-11-01``); a URL of S3, with S3's errors.
"""

import hashlib
import json
import re
import secrets
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from starlette.responses import Response, StreamingResponse

from sandbox.asapp.requests import FEED_FILES, GET_FEED_FILE, LIST_FEEDS, Failure, Refusal
from sandbox.asapp.webhook import Post

VERSION, FORMAT = "version=1", "format=jsonl"
UPDATED_AT = time(2, tzinfo=UTC)  # of the next day
DAYS_KEPT = 32
CHUNK_BYTES = 256 * 1024
_BOTH = (
    "conversation_id",
    "message_id",
    "instance_ts",
    "chat_message_event_ts",
    "external_conversation_id",
    "company_marker",
    "dt",
    "hr",
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "utterances": (*_BOTH, "utterance"),
    "staging_utterance_state": (*_BOTH, "sender_type", "sender_id", "utterance_length"),
}
"""The documented columns; of the state feed, those that a call fills. ``utterances`` has neither
the speaker nor the start of the words. The sender is in the state feed, with the same message
id."""
FACTS = {name for names in COLUMNS.values() for name in names} | {
    "sender_role",
    "start_ts",
    "end_ts",
}
"""Everything that a column can hold."""

Absent = Literal["empty", "404"]


@dataclass(frozen=True)
class FeedFile:
    """A file: one block, repeated, so that a gigabyte needs little memory."""

    name: str
    interval: str
    block: bytes
    times: int = 1

    @property
    def size(self) -> int:
        return len(self.block) * self.times

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(b"%d %b" % (self.times, self.block)).hexdigest()[:32]}"'

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, but not including, ``stop``."""
        while start < stop:
            at = start % len(self.block)
            chunk = self.block[at : at + min(CHUNK_BYTES, stop - start)]
            start += len(chunk)
            yield chunk


@dataclass(frozen=True)
class _Access:
    """The file of a URL, and until when the URL is valid (Unix seconds)."""

    file: FeedFile
    until: float


class Feeds:
    """The feeds of one account. Use it from any thread.

    :param enabled: Whether ASAPP's account team enabled them; else there is no feed.
    :param columns: The columns of ``utterances``: from one of ``FACTS`` to the column's name.
        Default: the documented columns.
    :param lines_per_file: The most lines in a file.
    :param urls_last_seconds: How long a file's URL is valid. ASAPP does not say.
    :param absent: The answer instead of an empty list. ASAPP does not say.
    """

    def __init__(
        self,
        *,
        enabled: bool,
        columns: Mapping[str, str] | None,
        lines_per_file: int,
        urls_last_seconds: float,
        absent: Absent,
    ) -> None:
        documented = {feed: {name: name for name in names} for feed, names in COLUMNS.items()}
        self._columns = documented | ({"utterances": dict(columns)} if columns else {})
        if unknown := self._columns["utterances"].keys() - FACTS:
            raise ValueError(f"unknown facts {sorted(unknown)}; use {', '.join(sorted(FACTS))}")
        self._enabled = enabled
        self._lines_per_file = lines_per_file
        self._urls_last_seconds = urls_last_seconds
        self._absent = absent
        self._waiting: dict[date, list[Post]] = defaultdict(list)
        self._files: dict[str, dict[date, list[FeedFile]]] = {
            feed: defaultdict(list) for feed in COLUMNS
        }
        self._access: dict[str, _Access] = {}
        self._lock = threading.Lock()

    def add(self, post: Post) -> None:
        """Add an utterance to the next file of the day on which it was said."""
        with self._lock:
            self._waiting[_utc(post.ended_at).date()].append(post)

    def publish(self, day: date | None = None) -> list[date]:
        """Write the waiting utterances, of one day or of all days, into additional files.

        :return: The days that got files.
        """
        with self._lock:
            days = [d for d in sorted(self._waiting) if day in (None, d)]
            for each in days:
                self._write(each, self._waiting.pop(each))
            return days

    def put(self, day: date, file: FeedFile) -> None:
        """Add a file to the feed of ``utterances``. It replaces a file of the same name."""
        with self._lock:
            files = self._files["utterances"][day]
            files[:] = [*(f for f in files if f.name != file.name), file]

    def answer(self, action: str, asked: Mapping[str, str], now: float, url: str) -> dict[str, Any]:
        """The answer to an action of File Exporter.

        :param asked: The checked parameters.
        :param now: Unix seconds. Feeds that are due by then are published first.
        :param url: The base URL under which :meth:`download` is served.
        :raises Refusal: 404-01.
        """
        for day in list(self._waiting):
            if now >= datetime.combine(day + timedelta(days=1), UPDATED_AT).timestamp():
                self.publish(day)
        if action == LIST_FEEDS:
            return {"feeds": list(COLUMNS) if self._enabled else []}
        known = self._known(asked, now)
        if action == GET_FEED_FILE:
            name = asked["fileName"]
            found = [file for files in known.values() for file in files if file.name == name]
            if not found:
                raise Refusal(404, "404-01", "no such feed file")
            return {**asked, "url": f"{url}{FEED_FILES}{self._signed(found[0], now)}"}
        lists: dict[str, Iterable[str]] = {
            "versions": [VERSION] if known else [],
            "formats": [FORMAT] if known else [],
            "dates": [f"dt={day}" for day, files in sorted(known.items()) if files],
            "intervals": sorted({file.interval for files in known.values() for file in files}),
            "files": [file.name for files in known.values() for file in files],
        }
        name = action.removeprefix("listfeed")
        values = list(lists[name])
        if not values and self._absent == "404":
            raise Refusal(404, "404-01", f"no such {name}")
        return {**asked, name: values}

    def download(self, path: str, query: str, headers: Mapping[str, str], now: float) -> Response:
        """The answer of S3 to a file's URL: the whole file or one range, without credentials.

        :param path: Unquoted.
        """
        if {"asapp-api-id", "asapp-api-secret", "authorization"} & headers.keys():
            # S3 would ignore ASAPP's headers, but a third party would have seen their secret.
            return s3_error(400, "InvalidArgument", "credentials beside those of the URL")
        access = self._access.get(parse_qs(query).get("X-Amz-Signature", [""])[0])
        if access is None or path != FEED_FILES + access.file.name:
            return s3_error(403, "SignatureDoesNotMatch", "the signature is of another URL")
        if now >= access.until:
            return s3_error(403, "AccessDenied", "Request has expired", ServerTime=_iso(now))
        return _ranged(access.file, headers)

    def _known(self, asked: Mapping[str, str], now: float) -> dict[date, list[FeedFile]]:
        """The files of each day that fit the parameters."""
        good = asked.get("version", VERSION) == VERSION and asked.get("format", FORMAT) == FORMAT
        if not (self._enabled and good and asked["feed"] in self._files):
            return {}
        oldest = _utc(now).date() - timedelta(days=DAYS_KEPT)
        with self._lock:
            days = dict(self._files[asked["feed"]])
        # A feed that has no day yet is still a feed.
        return {_utc(now).date(): []} | {
            day: [f for f in files if asked.get("interval", f.interval) == f.interval]
            for day, files in days.items()
            if day >= oldest and asked.get("date", f"dt={day}") == f"dt={day}"
        }

    def _write(self, day: date, posts: list[Post]) -> None:
        by_hour: dict[int, list[Post]] = defaultdict(list)
        for post in posts:
            by_hour[_utc(post.ended_at).hour].append(post)
        for feed, columns in self._columns.items():
            files = self._files[feed][day]
            for hour, said in sorted(by_hour.items()):
                lines = [_line(post, columns) for post in said]
                for first in range(0, len(lines), self._lines_per_file):
                    name = f"file{len(files) + 1}.jsonl"
                    block = b"".join(lines[first : first + self._lines_per_file])
                    files.append(FeedFile(name, f"hr={hour:02}", block))

    def _signed(self, file: FeedFile, now: float) -> str:
        signature = secrets.token_hex(32)
        self._access[signature] = _Access(file, now + self._urls_last_seconds)
        expires = f"X-Amz-Expires={self._urls_last_seconds:.0f}"
        return f"{quote(file.name)}?{expires}&X-Amz-Signature={signature}"


def s3_failure(failure: Failure) -> Response:
    """A scripted failure of a download."""
    if failure.body is not None:
        return failure.response()
    error = s3_error(failure.status, failure.code or "InternalError", failure.message)
    error.headers.update(failure.headers)
    return error


def s3_error(status: int, code: str, message: str, **more: str) -> Response:
    """An error as S3 words it."""
    fields = {"Code": code, "Message": message, "RequestId": secrets.token_hex(8).upper(), **more}
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'
    return Response(xml, status, media_type="application/xml")


def _ranged(file: FeedFile, headers: Mapping[str, str]) -> Response:
    """Ranges of RFC 9110 as in S3: the one requested range, else the whole file."""
    given = {"etag": file.etag, "accept-ranges": "bytes", "content-type": "binary/octet-stream"}
    if headers.get("if-match", file.etag) not in (file.etag, "*"):
        return s3_error(412, "PreconditionFailed", "the file is another", Condition="If-Match")
    start, stop, status = 0, file.size, 200
    asked = re.fullmatch(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", headers.get("range", ""))
    if asked and headers.get("if-range", file.etag) == file.etag:
        first, last, of_the_end = asked.groups()
        if first and last and int(last) < int(first):
            return _ranged(file, {})
        start = int(first) if first else max(file.size - int(of_the_end), 0)
        stop = min(int(last) + 1, file.size) if last else file.size
        if start >= stop:
            error = s3_error(416, "InvalidRange", "the requested range is not satisfiable")
            error.headers["content-range"] = f"bytes */{file.size}"
            return error
        given["content-range"] = f"bytes {start}-{stop - 1}/{file.size}"
        status = 206
    given["content-length"] = str(stop - start)
    return StreamingResponse(file.read(start, stop), status, given)


def _line(post: Post, columns: Mapping[str, str]) -> bytes:
    """One utterance as JSON, its moments in the forms of ASAPP's examples."""
    ended = _utc(post.ended_at)
    window = ended.replace(minute=ended.minute // 15 * 15, second=0, microsecond=0)
    facts = {
        "company_marker": "sandbox",
        "conversation_id": post.conversation_id,
        "message_id": post.message_id,
        "instance_ts": window.isoformat(" ", "microseconds"),
        "chat_message_event_ts": f"{ended:%Y-%m-%d %H:%M:%S}",
        "external_conversation_id": post.guid,
        "dt": f"{ended:%Y-%m-%d}",
        "hr": f"{ended:%H}",
        "utterance": post.recorded,
        "sender_type": f"SENDER_{post.role.upper()}",
        "sender_id": post.sender,
        "utterance_length": len(post.recorded),
        "sender_role": post.role,
        "start_ts": _iso(post.started_at),
        "end_ts": _iso(post.ended_at),
    }
    row = {column: facts[fact] for fact, column in columns.items()}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _iso(moment: float) -> str:
    return _utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
