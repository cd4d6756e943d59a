"""A file of the feed, read over a connection that may break at any byte."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

from export_utterances.retry_policy import Failed, RetryPolicy
from shared.runtime import Deadline

_MIB = 1024 * 1024
_BYTES_A_PIECE = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Changed(Exception):
    """What has been read is not the beginning of what the server has now: to be read anew."""


class Download:
    """Something to read from, once, to its end; no more of it is held than was asked for.

    A try that breaks goes on where it was, with a Range request, and a URL that has expired is
    asked for again. The end is reached where the server said that it is, or not at all.

    :param fresh_url: Gives a URL of the file.
    :ivar size: What the server says that the file has; None where it says so only at the end.
    """

    def __init__(
        self, fresh_url: Callable[[], str], deadline: Deadline, retry_policy: RetryPolicy
    ) -> None:
        self.size: int | None = None
        self._fresh_url = fresh_url
        self._deadline = deadline
        self._patience = retry_policy
        self._url = ""
        self._etag = ""
        self._offset = 0
        self._whole = False
        self._failures = 0
        self._mark = 0
        self._waited = 0.0
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None

    def read(self, amount: int = -1) -> bytes:
        """So many bytes, or all; fewer only at the end.

        :raises Failed: where the server does not give them.
        :raises Changed: where the file is another one by now.
        :raises OutOfTime: at the deadline.
        """
        content = bytearray()
        while not self._whole and (amount < 0 or len(content) < amount):
            most = _BYTES_A_PIECE if amount < 0 else min(_BYTES_A_PIECE, amount - len(content))
            content += self._piece(most)
        return bytes(content)

    def open(self) -> None:
        """Ask for it until the server begins to answer; then ``size`` is known, if ever."""
        while self._response is None:
            seconds = self._patience.seconds(self._deadline)
            try:
                problem = self._ask(seconds)
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = type(error).__name__  # a URL in its text would be a secret
            if problem:
                self._failed(problem)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._response = None

    def _piece(self, most: int) -> bytes:
        self.open()
        assert self._response is not None  # noqa: S101
        self._patience.seconds(self._deadline)
        began = time.monotonic()
        try:
            piece = self._response.read1(most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._failed(type(error).__name__)
            return b""
        if not piece:
            self._end()
            return b""
        self._offset += len(piece)
        self._waited += time.monotonic() - began
        if self._offset - self._mark >= _MIB:
            self._mark, self._waited, self._failures = self._offset, 0.0, 0
        elif self._waited > self._patience.seconds_a_mib:
            self._failed("slow")
        return piece

    def _end(self) -> None:
        """The body is over: is the file?"""
        if self.size is None:
            self.size = self._offset  # its last chunk came, or the read would have raised
        if self._offset == self.size:
            self._whole = True
            self.close()
        else:
            self._failed("truncated")

    def _failed(self, reason: str) -> None:
        self.close()
        self._failures += 1
        self._mark, self._waited = self._offset, 0.0
        if self._failures == self._patience.tries:
            raise Failed(f"download: {reason}")
        self._patience.pause(self._failures, self._deadline)

    def _ask(self, seconds: float) -> str:
        """One request for what is still to come.

        :returns: Why there is no answer to read from, ``""`` where there is.
        """
        self._url = self._url or self._fresh_url()
        parts = urlsplit(self._url)
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.netloc, timeout=seconds, context=_tls_context()
            )
        else:
            self._connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        headers = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        if self._offset and self._etag:
            headers["If-Range"] = self._etag
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection.request("GET", target, headers=headers)
        response = self._connection.getresponse()
        status = response.status
        if status == 416 or (status == 200 and self._offset):
            raise Changed
        if status != (206 if self._offset else 200):
            if 400 <= status < 500 and status != 429:
                self._url = ""  # it has expired
            return f"http_{status}"
        self._check(response)
        self._response = response
        return ""

    def _check(self, response: http.client.HTTPResponse) -> None:
        """That this is the file, and the place in it, that was asked for."""
        size = response.length
        if response.status == 206:
            place = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not place or int(place[1]) != self._offset:
                raise Changed
            size = None if place[2] == "*" else int(place[2])
        etag = response.headers.get("ETag", "")
        etag = "" if etag.startswith("W/") else etag  # a weak one says nothing of the bytes
        if size is not None and self.size is not None and size != self.size:
            raise Changed
        if etag and self._etag and etag != self._etag:
            raise Changed
        self.size = self.size if size is None else size
        self._etag = self._etag or etag
        if self.size is None and not response.chunked:
            raise Failed("download: the server does not say where the file ends")


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
