"""File Exporter of the ASAPP double: what was said, a day later, as files.

Documented by ASAPP: the paths and their parameters, the fields of the answers, the two feeds with
their columns, the update at 02:00 UTC, the 32 days. Assumed: the order of the lines, the file
names, that a file holds one hour, that an answer's values carry their key as the requests' do, and
that the URL is one of S3's, with S3's ways to refuse.
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
"""The documented columns; of the state feed those that a call fills. ``utterances`` says neither
who spoke nor when the words began: the sender is in the state feed, under the same message id."""
FACTS = {name for names in COLUMNS.values() for name in names} | {
    "sender_role",
    "start_ts",
    "end_ts",
}
"""All that a column can hold."""

Absent = Literal["empty", "404"]


@dataclass(frozen=True)
class FeedFile:
    """A file: one block, so many times over, so that a gigabyte costs no memory."""

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
        """The bytes from ``start`` to before ``stop``."""
        while start < stop:
            at = start % len(self.block)
            chunk = self.block[at : at + min(CHUNK_BYTES, stop - start)]
            start += len(chunk)
            yield chunk


@dataclass(frozen=True)
class _Access:
    """What a URL gives, and until when (Unix seconds)."""

    file: FeedFile
    until: float


class Feeds:
    """The feeds of one account. Use it from any thread.

    :param enabled: Whether the account team enabled them; else there is no feed.
    :param columns: Of ``utterances``: which of ``FACTS`` under which name. Default: the documented.
    :param lines_per_file: A file holds that many lines at most.
    :param urls_last_seconds: How long a file's URL is good. ASAPP does not say.
    :param absent: How a list of nothing is answered. ASAPP does not say.
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
            raise ValueError(f"no facts: {sorted(unknown)}; there are {', '.join(sorted(FACTS))}")
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
        """It is in the next file of the day on which it was said."""
        with self._lock:
            self._waiting[_utc(post.ended_at).date()].append(post)

    def publish(self, day: date | None = None) -> list[date]:
        """Write what waits, of one day or of all, into new files beside those that are there.

        :return: The days that got files.
        """
        with self._lock:
            days = [d for d in sorted(self._waiting) if day in (None, d)]
            for each in days:
                self._write(each, self._waiting.pop(each))
            return days

    def put(self, day: date, file: FeedFile) -> None:
        """Add a file to the feed of ``utterances`` as it is; one of the same name goes."""
        with self._lock:
            files = self._files["utterances"][day]
            files[:] = [*(f for f in files if f.name != file.name), file]

    def answer(self, action: str, asked: Mapping[str, str], now: float, url: str) -> dict[str, Any]:
        """What an action of File Exporter answers.

        :param asked: The checked parameters.
        :param now: Unix seconds; what is due by then is published first.
        :param url: Where :meth:`download` is served.
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
        """A file by its URL, as S3 gives it: no credentials, whole or one range of it.

        :param path: Unquoted.
        """
        if {"asapp-api-id", "asapp-api-secret", "authorization"} & headers.keys():
            # S3 would let ASAPP's headers pass; then their secret is with a third party.
            return s3_error(400, "InvalidArgument", "credentials beside those of the URL")
        access = self._access.get(parse_qs(query).get("X-Amz-Signature", [""])[0])
        if access is None or path != FEED_FILES + access.file.name:
            return s3_error(403, "SignatureDoesNotMatch", "the signature is not of this URL")
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
        # A feed without a day yet is a feed all the same.
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
    """RFC 9110 as S3 does it: the one range that is asked for, else the whole."""
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
