"""A file of the feed, read over a connection that may break at any byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import urllib3

from export_utterances.retries import SECONDS_A_READ, TRIES, Failed, pause, seconds
from shared.runtime import Deadline

_MIB = 1024 * 1024
_BYTES_A_PIECE = 256 * 1024
_SECONDS_A_MIB = 30.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Changed(Exception):
    """The file has changed on the server: read it again from its beginning."""


class _Broken(Exception):
    """This try failed; says why."""


class Download:
    """A file-like object that can be read once. It holds no more in memory than was asked for.

    A try that breaks is resumed with a Range request; a URL that has expired is asked for again.

    :param fresh_url: Gives a URL of the file.
    :param seconds_a_read: How long a read may be silent before the try ends.
    :ivar size: In bytes, as the server says; None if it says so only at the end.
    :ivar etag: The server's; ``""`` if there is none, or a weak one, which says nothing of the
        bytes.
    """

    def __init__(
        self,
        fresh_url: Callable[[], str],
        deadline: Deadline,
        seconds_a_read: float = SECONDS_A_READ,
    ) -> None:
        self.size: int | None = None
        self.etag = ""
        self._fresh_url = fresh_url
        self._deadline = deadline
        self._seconds_a_read = seconds_a_read
        self._url = ""
        self._offset = self._mark = self._failures = 0
        self._waited = 0.0
        self._whole = False
        self._response: urllib3.BaseHTTPResponse | None = None

    def read(self, amount: int = -1) -> bytes:
        """Read so many bytes, or all that are left; fewer only at the end.

        :raises Failed: if the server does not give them.
        :raises Changed: if the file is another one by now.
        :raises OutOfTime: at the deadline.
        """
        content = bytearray()
        while not self._whole and (amount < 0 or len(content) < amount):
            self.open()
            most = _BYTES_A_PIECE if amount < 0 else min(_BYTES_A_PIECE, amount - len(content))
            content += self._attempt(lambda most=most: self._piece(most))  # type: ignore[misc]
        return bytes(content)

    def open(self) -> None:
        """Request the file until the server begins to answer, and note ``size`` and ``etag``."""
        while self._response is None:
            self._attempt(self._ask)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None

    def _attempt(self, step: Callable[[], bytes]) -> bytes:
        """:returns: What the step gives, ``b""`` if it is to be tried again."""
        seconds(self._deadline)
        try:
            return step()
        except _Broken as problem:
            reason = str(problem)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            reason = type(problem).__name__  # its text has the URL, which is as good as a secret
        self.close()
        self._failures += 1
        self._mark, self._waited = self._offset, 0.0
        if self._failures == TRIES:
            raise Failed(f"download: {reason}")
        pause(self._failures, self._deadline)
        return b""

    def _ask(self) -> bytes:
        """Request the rest of the file."""
        self._url = self._url or self._fresh_url()
        headers = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        if self._offset and self.etag:
            headers["If-Range"] = self.etag
        response = self._response = _connections().request(
            "GET",
            self._url,
            headers=headers,
            timeout=seconds(self._deadline, self._seconds_a_read),
            retries=False,
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,
        )
        if response.status == 416 or (response.status == 200 and self._offset):
            raise Changed
        if response.status != (206 if self._offset else 200):
            if 400 <= response.status < 500 and response.status != 429:
                self._url = ""  # it has expired
            raise _Broken(f"http_{response.status}")
        self._check(response)
        return b""

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        """Check that the answer is the same file, at the place that was asked for."""
        size = response.length_remaining
        if response.status == 206:
            place = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not place or int(place[1]) != self._offset:
                raise Changed
            size = None if place[2] == "*" else int(place[2])
        etag = response.headers.get("ETag", "")
        etag = "" if etag.startswith("W/") else etag
        if size is not None and self.size not in (None, size):
            raise Changed
        if etag and self.etag not in ("", etag):
            raise Changed
        self.size = self.size if size is None else size
        self.etag = self.etag or etag
        if self.size is None and not response.chunked:
            raise Failed("download: the server does not say where the file ends")

    def _piece(self, most: int) -> bytes:
        assert self._response is not None  # noqa: S101
        began = self._deadline.clock.monotonic()
        # urllib3 1.26 has no read1: there, a byte now and then holds the run until Lambda ends it.
        piece = bytes(getattr(self._response, "read1", self._response.read)(most))
        self._waited += self._deadline.clock.monotonic() - began
        if self._waited > _SECONDS_A_MIB:
            raise _Broken("slow")
        self._offset += len(piece)
        if self._offset - self._mark >= _MIB:
            self._mark, self._waited, self._failures = self._offset, 0.0, 0
        if not piece:
            self.size = self._offset if self.size is None else self.size
            if self._offset != self.size:
                raise _Broken("truncated")
            self._whole = True
            self.close()
        return piece


@cache
def _connections() -> urllib3.PoolManager:
    return urllib3.PoolManager(cert_reqs="CERT_REQUIRED")
