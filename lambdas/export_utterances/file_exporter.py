"""ASAPP's File Exporter: which files a feed has of a day, and where to fetch one.

Source: ASAPP's *File Exporter* API. The feed of a day comes after 02:00 UTC of the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from export_utterances.download import Download
from export_utterances.retry_policy import Failed, RetryPolicy
from shared.asapp_requests import BadCredentials, Credentials
from shared.http import NoAnswer, Origin
from shared.runtime import Deadline

UTTERANCES, STATE = "utterances", "staging_utterance_state"
"""The feeds: what was said, without who said it; and who said it, without what."""
NOT_ENABLED = "perhaps ASAPP's account team has yet to enable the feed"
_FILES = {"version": "version=1", "format": "format=jsonl"}
_URL = re.compile(r"[\x21-\x7e]+")


class Refused(Failed):
    """ASAPP does not give it, and would not if it were asked again."""


class _NotFound(Refused):
    """ASAPP answered 404."""


class FileExporter:
    """The feeds, at one host.

    :param host: For instance ``https://api.asapp.com``. Where that is ``http:``, a file may be too.
    :param credentials: As for :class:`shared.asapp.Asapp`.
    """

    def __init__(
        self,
        host: str,
        credentials: Callable[[bool, Deadline], Credentials],
        retry_policy: RetryPolicy,
    ) -> None:
        self._origin = Origin(host)
        self._schemes = {"https", urlsplit(host).scheme}
        self._credentials = credentials
        self._patience = retry_policy

    def files(self, feed: str, day: str, deadline: Deadline) -> list[str] | None:
        """The names of a day's files; none where the feed has not come yet.

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
        return Download(lambda: self._url(feed, day, name, deadline), deadline, self._patience)

    def _url(self, feed: str, day: str, name: str, deadline: Deadline) -> str:
        """Where a file can be fetched for a while; as good as a secret."""
        body = {"date": f"dt={day}", "fileName": name}
        answer = self._post("getfeedfile", feed, body, deadline)
        url = answer.get("url") if isinstance(answer, dict) else None
        if not isinstance(url, str) or not _URL.fullmatch(url) or not self._may_be_fetched(url):
            raise Failed("getfeedfile: the answer has no https url")
        return url

    def _may_be_fetched(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme in self._schemes and bool(parts.hostname)

    def _post(self, call: str, feed: str, body: dict[str, str], deadline: Deadline) -> Any:
        """POST until there is an answer.

        Tried again: no answer or none in JSON, 429, 5xx, and once a 401, with the secret read anew.

        :raises Refused: where ASAPP refuses.
        :raises Failed: where all tries are used up.
        :raises BadCredentials: where they cannot be read, or ASAPP does not take them.
        """
        content = json.dumps({"feed": feed, **_FILES, **body}).encode()
        fresh = False
        reason = ""
        for failures in range(self._patience.tries):
            if failures:
                self._patience.pause(failures, deadline)
            seconds = self._patience.seconds(deadline)
            headers = self._credentials(fresh, deadline).headers
            try:
                response = self._origin.post(
                    f"/fileexporter/v1/static/{call}", content, headers, deadline.at_most(seconds)
                )
            except NoAnswer:
                reason = "no answer"
                continue
            reason = f"http_{response.status}"
            if response.status == 200:
                try:
                    return json.loads(response.body)
                except (ValueError, RecursionError):
                    reason = "not JSON"
            elif response.status == 401 and fresh:
                raise BadCredentials(f"ASAPP does not take them: {call}: {reason}")
            elif response.status == 401:
                fresh = True
            elif response.status == 403:
                raise Refused(f"{call}: {reason}; {NOT_ENABLED}")
            elif response.status == 404:
                raise _NotFound(f"{call}: {reason}")
            elif response.status != 429 and response.status < 500:
                raise Refused(f"{call}: {reason}")
        raise Failed(f"{call}: {reason}")


def _lists_of_strings(value: object) -> Iterator[list[str]]:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        yield value
    elif isinstance(value, (list, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _lists_of_strings(entry)
