"""GitHub's record of deployments, over its REST API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_TIME_LIMIT_SECONDS = 30
_PAGE = 100


class Failure(Exception):
    """Why the command cannot give an answer, in words for the person who ran it."""


@dataclass(frozen=True)
class Deployment:
    """One job that named the environment.

    :param states: All that it ever had: waiting, queued, in_progress, success, failure, …
    """

    id: int
    commit: str
    states: frozenset[str]

    @property
    def succeeded(self) -> bool:
        return "success" in self.states

    @property
    def begun(self) -> bool:
        """Whether it may have changed something; one that waits for approval has not."""
        return self.succeeded or "in_progress" in self.states


@dataclass(frozen=True)
class Records:
    """Those of one repository.

    :param api: The root of GitHub's API, https://api.github.com.
    :param repository: Its owner and name.
    :param token: One that may read deployments.
    """

    api: str
    repository: str
    token: str

    @classmethod
    def of(cls, surroundings: Mapping[str, str]) -> Records:
        """:raises Failure: If a variable is missing that a workflow has."""
        try:
            return cls(
                surroundings.get("GITHUB_API_URL", "https://api.github.com"),
                surroundings["GITHUB_REPOSITORY"],
                surroundings["GH_TOKEN"],
            )
        except KeyError as missing:
            raise Failure(
                f"Set {missing.args[0]}: GITHUB_REPOSITORY is owner/name, and GH_TOKEN may be what "
                "`gh auth token` prints."
            ) from None

    def deployments(self, environment: str) -> Iterator[Deployment]:
        """The newest first; each is asked for when it is read.

        :raises Failure: If GitHub does not tell.
        """
        for each in self._pages(f"deployments?environment={quote(environment, safe='')}&"):
            states = {
                status["state"] for status in self._pages(f"deployments/{each['id']}/statuses?")
            }
            yield Deployment(each["id"], each["sha"], frozenset(states))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        number = 1
        while True:
            page = self._read(f"{path}per_page={_PAGE}&page={number}")
            yield from page
            if len(page) < _PAGE:
                return
            number += 1

    def _read(self, path: str) -> list[dict[str, Any]]:
        url = f"{self.api}/repos/{self.repository}/{path}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
        }
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - GitHub's own URL
        try:
            with urllib.request.urlopen(request, timeout=_TIME_LIMIT_SECONDS) as answer:  # noqa: S310
                found: list[dict[str, Any]] = json.load(answer)
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise Failure(f"GitHub does not tell what is deployed: {error} ({url})") from None
        return found


def last_deployed(newest_first: Iterable[Deployment]) -> str | None:
    """The commit that an environment runs; a success counts even if GitHub calls it inactive."""
    return next((each.commit for each in newest_first if each.succeeded), None)
