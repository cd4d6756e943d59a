"""The exported files in S3, and the marks of days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from export_utterances.download import Download
from export_utterances.retries import Failed
from shared.asapp.feeds import DAY_MARKS, TAKEN_FILES
from shared.aws.botocore_errors import error_code

MISSING, GIVEN_UP, CHECKED, UNTOLD = "missing", "given-up", "checked", "untold"
"""The marks of a day. Missing: its files must come, and are not all there. Given up: nobody expects
them any more. Checked: the last day whose first run looked at everything. Untold: files of it came,
or were about to, and the function that erases calls was not told yet."""

_BYTES_A_PART = 8 * 1024 * 1024
"""S3 takes 10,000 parts: a file may have 80 GB."""
_METADATA = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Source:
    """ASAPP's file, as it was when it was stored. The stored one may be shorter by now, because a
    call was taken out.

    :param etag: ``""`` if it is not known.
    :param size: In bytes; None if it is not known.
    """

    etag: str
    size: int | None


class Bucket:
    """The files under ``<feed>/dt=YYYY-MM-DD/``, marks of days under ``days/<mark>/YYYY-MM-DD``,
    marks of files under ``days/taken/<feed>/dt=YYYY-MM-DD/``.

    Every method raises :class:`Failed`, with S3's code.

    :param s3: A boto3 S3 client.
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name
        self._transfer = TransferConfig(
            multipart_threshold=_BYTES_A_PART, multipart_chunksize=_BYTES_A_PART, max_concurrency=2
        )
        self._transfer.max_in_memory_upload_chunks = 2

    def files(self, feed: str, day: str) -> dict[str, int]:
        """The sizes in bytes, by file name."""
        return self._list(f"{feed}/dt={day}/")

    def taken(self, feed: str, day: str) -> set[str]:
        """The names of all files that were ever stored."""
        return set(self._list(f"{TAKEN_FILES}{feed}/dt={day}/"))

    def mark_taken(self, feed: str, day: str, name: str) -> None:
        with _failures():
            self._s3.put_object(Bucket=self._name, Key=f"{TAKEN_FILES}{feed}/dt={day}/{name}")

    def source(self, feed: str, day: str, name: str) -> Source:
        """What a stored file was copied from."""
        with _failures():
            found = self._s3.head_object(Bucket=self._name, Key=f"{feed}/dt={day}/{name}")
        size = found["Metadata"].get("source-size", "")
        etag = found["Metadata"].get("source-etag", "")
        return Source(etag, int(size) if size.isdecimal() else None)

    def put(self, feed: str, day: str, name: str, download: Download) -> None:
        """Store the file while it is downloaded. A download that breaks off leaves no object, and
        no mark.

        S3 itself compares the size: it completes an upload in parts only at ``MpuObjectSize``.
        """
        given: dict[str, Any] = {"MpuObjectSize": download.size} if download.size else {}
        source = {} if download.size is None else {"source-size": str(download.size)}
        if _METADATA.fullmatch(download.etag):
            source["source-etag"] = download.etag
        given["Metadata"] = source
        key = f"{feed}/dt={day}/{name}"
        with _failures():
            self._s3.upload_fileobj(
                download, self._name, key, ExtraArgs=given, Config=self._transfer
            )
        self.mark_taken(feed, day, name)

    def days(self, mark: str) -> set[str]:
        return set(self._list(f"{DAY_MARKS}{mark}/"))

    def mark(self, mark: str, day: str) -> None:
        with _failures():
            self._s3.put_object(Bucket=self._name, Key=f"{DAY_MARKS}{mark}/{day}")

    def unmark(self, mark: str, day: str) -> None:
        with _failures():
            self._s3.delete_object(Bucket=self._name, Key=f"{DAY_MARKS}{mark}/{day}")

    def _list(self, prefix: str) -> dict[str, int]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with _failures():
            found = [each for page in pages for each in page.get("Contents", [])]
        return {each["Key"].removeprefix(prefix): each["Size"] for each in found}


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as problem:
        raise Failed(f"S3: {error_code(problem)}") from None
