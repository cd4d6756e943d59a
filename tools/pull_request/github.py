"""The few requests to GitHub's REST API that a pull request's report needs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

_TIME_LIMIT_SECONDS = 30
_PAGE = 100


class Failure(Exception):
    """Why it cannot be done, in words for the person who reads the run."""


@dataclass(frozen=True)
class Github:
    """One repository.

    :param api: The root of GitHub's API, https://api.github.com.
    :param repository: Its owner and name.
    :param token: One that may do what is asked.
    """

    api: str
    repository: str
    token: str

    @classmethod
    def of(cls, surroundings: Mapping[str, str]) -> Github:
        """:raises Failure: If a variable is missing that a workflow has."""
        try:
            api = surroundings.get("GITHUB_API_URL", "https://api.github.com")
            return cls(api, surroundings["GITHUB_REPOSITORY"], surroundings["GH_TOKEN"])
        except KeyError as missing:
            raise Failure(f"Set {missing.args[0]}, as the workflow does.") from None

    def pages(self, path: str) -> Iterator[Any]:
        """The items of a list, page by page."""
        number = 1
        while True:
            found = self.ask("GET", f"{path}?per_page={_PAGE}&page={number}")
            yield from found
            if len(found) < _PAGE:
                return
            number += 1

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """:param path: Below the repository.
        :raises Failure: If GitHub does not answer, or refuses.
        """
        url = f"{self.api}/repos/{self.repository}/{path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            return json.loads(self._read(method, url, data))
        except ValueError:
            raise Failure(f"GitHub's answer is no JSON ({method} {url})") from None

    def download(self, url: str, most: int) -> bytes:
        """What GitHub keeps elsewhere; that place never gets the token.

        :raises Failure: If it has more bytes than ``most``.
        """
        content = self._read("GET", url, most=most + 1)
        if len(content) > most:
            raise Failure(f"The archive has more than {most} bytes.")
        return content

    def _read(
        self, method: str, url: str, data: bytes | None = None, most: int | None = None
    ) -> bytes:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - GitHub's
        opener = urllib.request.build_opener(_Redirects)
        try:
            with opener.open(request, timeout=_TIME_LIMIT_SECONDS) as answer:
                content: bytes = answer.read(most)
        except (OSError, HTTPException) as error:
            raise Failure(f"GitHub does not answer: {error} ({method} {url})") from None
        return content


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        if followed is not None:
            followed.remove_header("Authorization")
        return followed
