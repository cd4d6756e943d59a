"""ASAPP's File Exporter: which files a feed has of a day, and where to fetch one.

Source: ASAPP's *File Exporter* API. The feed of a day comes after 02:00 UTC of the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from export_utterances.download import Download
from export_utterances.retries import SECONDS_A_READ, TRIES, Failed, OutOfTime, seconds
from shared.asapp.requests import AsappRequests, BadCredentials, Credentials, RetryPolicy
from shared.http import Origin
from shared.runtime import Deadline

NOT_ENABLED = "perhaps ASAPP's account team has yet to enable the feed"
_FILES = {"version": "version=1", "format": "format=jsonl"}
_SHORTEST_TRY_SECONDS = 0.1
_URL = re.compile(r"[\x21-\x7e]+")


class Refused(Failed):
    """ASAPP refuses, and would refuse again."""


class _NotFound(Refused):
    """ASAPP answered 404."""


class FileExporter:
    """The feeds, at one host.

    :param host: For instance ``https://api.asapp.com``. If that is ``http:``, a file may be, too.
    :param credentials: As for :class:`shared.asapp.media_gateway.Asapp`.
    :param seconds_a_read: A silence that long ends a try.
    """

    def __init__(
        self,
        host: str,
        credentials: Callable[[bool, Deadline], Credentials],
        seconds_a_read: float = SECONDS_A_READ,
    ) -> None:
        policy = RetryPolicy(tries=TRIES, seconds_a_try=seconds_a_read, pause_seconds=1.0)
        self._requests = AsappRequests(Origin(host), credentials, policy)
        self._schemes = {"https", urlsplit(host).scheme}
        self._seconds_a_read = seconds_a_read

    def files(self, feed: str, day: str, deadline: Deadline) -> list[str] | None:
        """The names of a day's files; empty if the feed has not come yet.

        ASAPP does not say which field holds them: it is the one list of strings in the answer. It
        does say that a file of another interval has another name.

        :param feed: ``UTTERANCES`` or ``STATE``.
        :param day: ``YYYY-MM-DD``.
        :returns: None for a 404: ASAPP does not say whether of the day or of the whole feed.
        """
        try:
            answer = self._post("listfeedfiles", feed, {"date": f"dt={day}"}, deadline)
        except _NotFound:
            return None
        found = list(_lists_of_strings(answer))
        filled = [names for names in found if names]
        if not found or len(filled) > 1:
            raise Failed("listfeedfiles: the answer has no list of file names, or several")
        return list(dict.fromkeys(filled[0])) if filled else []

    def download(self, feed: str, day: str, name: str, deadline: Deadline) -> Download:
        def fresh_url() -> str:
            return self._url(feed, day, name, deadline)

        return Download(fresh_url, deadline, self._seconds_a_read)

    def _url(self, feed: str, day: str, name: str, deadline: Deadline) -> str:
        """A URL that is valid for a while. It is as good as a secret."""
        body = {"date": f"dt={day}", "fileName": name}
        answer = self._post("getfeedfile", feed, body, deadline)
        url = answer.get("url")
        if not isinstance(url, str) or not _URL.fullmatch(url) or not self._may_be_fetched(url):
            raise Failed("getfeedfile: the answer has no https url")
        return url

    def _may_be_fetched(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme in self._schemes and bool(parts.hostname)

    def _post(
        self, call: str, feed: str, body: Mapping[str, str], deadline: Deadline
    ) -> Mapping[str, Any]:
        """:raises Refused: if ASAPP refuses.
        :raises Failed: if all tries are used up.
        :raises BadCredentials: if they cannot be read, or ASAPP does not take them.
        """
        seconds(deadline)
        path = f"/fileexporter/v1/static/{call}"
        answer = self._requests.post(path, {"feed": feed, **_FILES, **body}, deadline)
        if answer.may_pass and deadline.remaining() < _SHORTEST_TRY_SECONDS:
            raise OutOfTime
        problem = f"{call}: {answer.code}"
        if answer.status == 401:
            raise BadCredentials(f"ASAPP does not take them: {problem}")
        if answer.status == 403:
            raise Refused(f"{problem}; {NOT_ENABLED}")
        if answer.status == 404:
            raise _NotFound(problem)
        if answer.is_refusal:
            raise Refused(problem)
        if answer.code:
            raise Failed(problem)
        return answer.content


def _lists_of_strings(value: object) -> Iterator[list[str]]:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        yield value
    elif isinstance(value, (list, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _lists_of_strings(entry)
