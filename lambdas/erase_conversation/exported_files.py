"""ASAPP's files in the export's bucket: the lines of erased calls are taken out of them.

A file is streamed through a filter into an upload under the same name, so it needs little memory
however large it is. It keeps its metadata, which say which file of ASAPP's it was: so the export
takes it for the same, and does not fetch it again.

S3 counts a file's days from its last change. So a file that is stored again says when it was
stored first, and goes when it would have gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from erase_conversation.lines import BYTES_A_PIECE, Erased, lines_of
from erase_conversation.time_check import check_time
from shared.asapp.feeds import STATE, UTTERANCES
from shared.aws.botocore_errors import error_code
from shared.runtime import Deadline

_TRIES = 5
_REPLACED_MEANWHILE = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404")
_KEYS_A_CALL = 1_000
_FIRST_STORED = "first-stored"
RESULTS = "athena-results/"


class ExportedFiles:
    """
    :param s3: A boto3 S3 client.
    :param keep_days: How long files are kept; 0 if the bucket's owner decides.
    """

    def __init__(self, s3: Any, bucket: str, keep_days: int) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._keep = timedelta(days=keep_days)

    def of_day(self, feed: str, day: str) -> dict[str, int]:
        """The sizes in bytes, by key."""
        return dict(self._list(f"{feed}/dt={day}/"))

    def results(self) -> list[str]:
        return [key for key, _ in self._list(RESULTS)]

    def delete_results(self) -> None:
        """All results of queries: nobody can say which have the call."""
        keys = self.results()
        for at in range(0, len(keys), _KEYS_A_CALL):
            some = [{"Key": key} for key in keys[at : at + _KEYS_A_CALL]]
            answer = self._s3.delete_objects(
                Bucket=self._bucket, Delete={"Objects": some, "Quiet": True}
            )
            if problems := answer.get("Errors"):
                raise NotDeleted(problems[0].get("Code", ""))

    def delete_expired(self, now_ms: int) -> None:
        """Delete the files that were stored again and would have gone by now."""
        if not self._keep:
            return
        expired = datetime.fromtimestamp(now_ms / 1000, UTC) - self._keep
        for feed in (UTTERANCES, STATE):
            begin = f"{feed}/dt="
            for key, _ in self._list(begin):
                if key.removeprefix(begin)[:10] >= str(expired.date()):
                    break  # no file is stored before its day is over, and the days are in order
                found = self._s3.head_object(Bucket=self._bucket, Key=key)
                first = found["Metadata"].get(_FIRST_STORED)
                if first and datetime.fromisoformat(first) < expired:
                    self._s3.delete_object(Bucket=self._bucket, Key=key)

    def keys(self, day: str, *feeds: str) -> list[str]:
        """The keys of a day's files, always in the same order."""
        return [key for feed in feeds for key in self.of_day(feed, day)]

    def scan(self, key: str, erased: Erased, deadline: Deadline) -> Scanned:
        """What a file has of erased calls."""
        found = Scanned()
        for line, call in self._lines(key, erased, deadline):
            if call:
                found.lines[call] += 1
                if message := erased.id_of(line):
                    found.messages.setdefault(call, set()).add(message)
        return found

    def take_out(self, key: str, erased: Erased, deadline: Deadline) -> None:
        """Store a file again without the lines of erased calls, if it has one."""
        if any(call for _, call in self._lines(key, erased, deadline)):
            self._rewrite(key, erased, deadline)

    def _lines(self, key: str, erased: Erased, deadline: Deadline) -> Iterator[tuple[bytes, str]]:
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as problem:
            if error_code(problem) != "NoSuchKey":
                raise
            return  # it has expired, or somebody has deleted it
        for line in _each_in_time(lines_of(body), deadline):
            yield line, erased.call_of(line)

    def _rewrite(self, key: str, erased: Erased, deadline: Deadline) -> None:
        """:raises ReplacedAgainAndAgain: if the export stores another one each time."""
        for _ in range(_TRIES):
            try:
                return self._rewrite_once(key, erased, deadline)
            except ClientError as problem:
                if error_code(problem) not in _REPLACED_MEANWHILE:
                    raise
        raise ReplacedAgainAndAgain

    def _rewrite_once(self, key: str, erased: Erased, deadline: Deadline) -> None:
        found = self._s3.get_object(Bucket=self._bucket, Key=key)
        lines = _each_in_time(lines_of(found["Body"]), deadline)
        kept = (line for line in lines if not erased.call_of(line))
        metadata = {_FIRST_STORED: found["LastModified"].isoformat(), **found["Metadata"]}
        same: dict[str, Any] = {"Metadata": metadata}
        if kind := found.get("ContentType"):
            same["ContentType"] = kind
        upload(self._s3, self._bucket, key, _pieces(kept), same, if_match=found["ETag"])

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            for found in page.get("Contents", ()):
                yield found["Key"], found["Size"]


class Scanned:
    """By call: how many lines, and the ids of their messages."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.messages: dict[str, set[str]] = {}


class NotDeleted(Exception):
    """S3 has not deleted an object."""


class ReplacedAgainAndAgain(Exception):
    """A file was replaced during each try."""


def upload(
    s3: Any,
    bucket: str,
    key: str,
    pieces: Iterable[bytes],
    same: Mapping[str, Any],
    *,
    if_match: str,
) -> None:
    """Store pieces as one object, in the place of the one with this ETag.

    :param pieces: Each but the last has at least 5 MiB.
    """
    ahead = iter(pieces)
    first = next(ahead, b"")
    second = next(ahead, None)
    place = {"Bucket": bucket, "Key": key}
    if second is None:
        s3.put_object(**place, Body=first, IfMatch=if_match, **same)
        return
    upload_id = s3.create_multipart_upload(**place, **same)["UploadId"]
    try:
        parts = []
        for number, piece in enumerate(_chained(first, second, ahead), 1):
            made = s3.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": made["ETag"]})
        s3.complete_multipart_upload(
            **place, UploadId=upload_id, MultipartUpload={"Parts": parts}, IfMatch=if_match
        )
    except BaseException:
        with suppress(ClientError, BotoCoreError):  # else it goes after a day
            s3.abort_multipart_upload(**place, UploadId=upload_id)
        raise


def _chained(first: bytes, second: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from others


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    some = bytearray()
    for line in lines:
        some += line
        if len(some) >= BYTES_A_PIECE:
            yield bytes(some)
            some.clear()
    if some:
        yield bytes(some)


def _each_in_time(lines: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if not number % 10_000:
            check_time(deadline)
        yield line
