"""The templates that the pull request's own run has made, in the job without permissions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tools.pull_request.github import Failure, Github

WORKFLOW = "templates.yml"
MOST_BYTES = 32_000_000
_LONGEST_SECONDS = 600
_PAUSE_SECONDS = 10


def templates_of(
    commit: str,
    github: Github,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """Wait for the run of a commit, and load the archive that it made.

    :raises Failure: If the run failed, waits for an approval, or made none that is small enough.
    """
    until = now() + _LONGEST_SECONDS
    while (run := _newest(commit, github)) is None or run["status"] != "completed":
        if now() >= until:
            raise Failure(
                f"The workflow {WORKFLOW} has not made the templates of {commit}. If it waits for "
                "an approval, approve it, then run this again."
            )
        sleep(_PAUSE_SECONDS)
    if run["conclusion"] != "success":
        raise Failure(f"The workflow {WORKFLOW} ended with {run['conclusion']}: {run['html_url']}")
    made = github.ask("GET", f"actions/runs/{run['id']}/artifacts?name=templates")["artifacts"]
    if not made:
        raise Failure(f"The workflow {WORKFLOW} has left no templates: {run['html_url']}")
    if made[0]["size_in_bytes"] > MOST_BYTES:
        raise Failure(f"The templates have more than {MOST_BYTES} bytes.")
    return github.download(made[0]["archive_download_url"], MOST_BYTES)


def _newest(commit: str, github: Github) -> dict[str, Any] | None:
    path = f"actions/workflows/{WORKFLOW}/runs?event=pull_request&head_sha={quote(commit)}"
    runs: list[dict[str, Any]] = github.ask("GET", path)["workflow_runs"]
    return max(
        (each for each in runs if each["head_sha"] == commit),
        key=lambda each: int(each["id"]),
        default=None,
    )
