"""Which commit is older than another."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tools.deployed.records import Deployment, Failure


def refusal(commit: str, newest_first: Iterable[Deployment], repository: Path) -> str | None:
    """Why this commit may not be deployed, or None.

    It must have every commit whose deployment began, back to the last that succeeded. What began
    and failed may have changed something, and one that runs at this moment has no success yet.

    :raises Failure: If there is no such commit in the clone.
    """
    ours = _resolved(commit, repository)
    for each in newest_first:
        if each.begun and not _has(ours, each.commit, repository):
            return (
                f"Refused: {each.commit[:7]} was deployed here, and {ours[:7]} does not have it. "
                "To go back, revert on main and deploy that. If main was rewritten, delete "
                f"deployment {each.id} in GitHub first."
            )
        if each.succeeded:
            return None
    return None


def _resolved(commit: str, repository: Path) -> str:
    name = f"{commit}^{{commit}}"
    done = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    if done.returncode:
        raise Failure(f"There is no commit {commit} in this clone.")
    return done.stdout.strip()


def _has(ours: str, other: str, repository: Path) -> bool:
    """A commit that is not in the clone is in no history of it."""
    return _git(repository, "merge-base", "--is-ancestor", other, ours).returncode == 0


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments],
        cwd=repository,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
