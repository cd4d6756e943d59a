"""The two revisions of a pull request: where their sources are, and what they synthesise to."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

_DRIVER = Path(__file__).with_name("synthesise.py")
_LAST_LINES = 20


class Failure(Exception):
    """Why the revisions cannot be compared, as a message for the user."""


@dataclass(frozen=True)
class Revision:
    """Sources that can be synthesised.

    :param name: What messages call it, in Markdown.
    """

    name: str
    folder: Path

    def environments(self, wanted: str | None) -> list[str]:
        """Those that it has.

        :param wanted: One, as ``-c environment=`` takes it: a name, or the path of a TOML file.
            None for all of ``infra/environments``.
        """
        names = sorted(file.stem for file in (self.folder / "infra/environments").glob("*.toml"))
        if wanted is None:
            return names
        is_file = wanted.endswith(".toml") and (self.folder / wanted).is_file()
        return [wanted] if is_file or wanted in names else []

    def text(self, path: str) -> str:
        """A file's text; empty if there is no such file."""
        file = self.folder / path
        return file.read_text(encoding="utf-8") if file.is_file() else ""


def head(repository: Path) -> Revision:
    """The working tree as it is, with what is not committed."""
    return Revision("the working tree", repository)


def base(name: str, repository: Path, folder: Path) -> Revision:
    """Where the branch left ``name``, as a pull request is compared, unpacked into ``folder``.

    In a clone without the history between them it is ``name`` itself.
    """

    def git(*arguments: str) -> bytes | None:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True)
        return done.stdout if done.returncode == 0 else None

    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is None:
        raise Failure(
            f"There is no revision `{name}` in this repository. Fetch it first, for instance with "
            "`git fetch origin main`, or write another: `make diff BASE=…`."
        )
    tip = commit.decode().strip()
    fork = (git("merge-base", tip, "HEAD") or commit).decode().strip()
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", fork) or b"")) as tar:
        tar.extractall(folder, filter="data")
    return Revision(f"`{name}` ({fork[:7]})", folder)


def synthesise(asked: Mapping[Revision, list[str]], folder: Path) -> dict[Revision, Path]:
    """Synthesise the revisions at the same time, each with the packages of this Python.

    :param asked: The environments of each.
    :returns: For each the folder below ``folder`` that has a cloud assembly an environment.
    :raises Failure: With the last lines of the error; the other revision is not waited for.
    """
    out = {revision: folder / str(number) for number, revision in enumerate(asked)}
    running = {
        revision: subprocess.Popen(
            [sys.executable, "-P", str(_DRIVER), str(out[revision]), *names],
            cwd=revision.folder,
            env=_surroundings(revision.folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for revision, names in asked.items()
        if names
    }
    with ThreadPoolExecutor(len(running)) as pool:
        ends = {pool.submit(process.communicate): each for each, process in running.items()}
        try:
            for end in as_completed(ends):
                revision = ends[end]
                if running[revision].returncode:
                    raise _failure(revision, end.result()[1])
        finally:
            for process in running.values():
                process.kill()
    return out


def _failure(revision: Revision, error: str) -> Failure:
    said = error.replace(f"{revision.folder}{os.sep}", "").rstrip()
    last = "\n".join(said.splitlines()[-_LAST_LINES:])
    return Failure(f"It is {revision.name} that does not synthesise:\n\n```\n{last}\n```")


def _surroundings(folder: Path) -> dict[str, str]:
    """A revision's own sources come before installed packages."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join((str(folder / "infra"), str(folder))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20,21,22,23,24,25",
    }
