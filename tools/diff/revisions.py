"""The two revisions of a pull request: where their sources are, and what they synthesise to."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.diff.values import block, code

_ENVIRONMENTS = "infra/environments"
_LOCK = ".flows.lock"
_MOST_FILES = 100
_MOST_BYTES = 100_000
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
        """Those that it has: prod first, then staging. The sandbox, in no account, if wanted.

        :param wanted: One, as ``-c environment=`` takes it: a name, or the path of a TOML file.
            None for all of ``infra/environments``.
        """
        names = sorted(
            (file.stem for file in (self.folder / _ENVIRONMENTS).glob("*.toml")),
            key=lambda name: (not name.startswith("prod"), name != "staging", name),
        )
        if wanted is None:
            return [name for name in names if name != "sandbox" or not self._is_in_no_account(name)]
        is_file = wanted.endswith(".toml") and (self.folder / wanted).is_file()
        return [wanted] if is_file or wanted in names else []

    def _is_in_no_account(self, name: str) -> bool:
        text = self.text(f"{_ENVIRONMENTS}/{name}.toml")
        return re.search('^account = "000000000000"', text, re.MULTILINE) is not None

    def text(self, path: str) -> str:
        """A file's text; empty if there is no such file."""
        file = self.folder / path
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def head(repository: Path) -> Revision:
    """The working tree as it is, with what is not committed."""
    return Revision("the working tree", repository)


@dataclass(frozen=True)
class Repository:
    """A clone, of which only commits are read.

    :param folder: Its working tree.
    """

    folder: Path

    def fork(self, base: str, head: str) -> str:
        """The commit where ``head`` left ``base``, as a pull request is compared.

        In a clone without the history between them it is ``base`` itself.
        """
        tip = self.commit(base)
        return (self._git("merge-base", tip, self.commit(head)) or tip.encode()).decode().strip()

    def commit(self, name: str) -> str:
        """:raises Failure: If there is none."""
        verify = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        commit = self._git(*verify)
        if commit is None:
            raise Failure(
                f"There is no revision {code(name)} in this repository. Fetch it first, for "
                "instance with `git fetch origin main`, or write another: `make diff BASE=…`."
            )
        return commit.decode().strip()

    def sources(self, name: str, commit: str, folder: Path) -> Revision:
        """All of a commit that is trusted, unpacked into ``folder`` to be synthesised."""
        archive = self._git("archive", "--format=tar", commit) or b""
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
            tar.extractall(folder)  # noqa: S202 - a commit that is trusted
        return Revision(f"{code(name)} ({commit[:7]})", folder)

    def data(self, commit: str, folder: Path) -> Revision:
        """Of a commit that nobody trusts: its settings with their locks, and its list of packages.

        What became of flow files is in the templates.
        """
        paths = ("requirements.txt", f"{_ENVIRONMENTS}/")
        listed = (self._git("ls-tree", "-z", "-l", commit, "--", *paths) or b"").split(b"\0")
        files = [each for each in map(_regular, listed) if each]
        if len(files) > _MOST_FILES:
            raise Failure(f"{code(commit)} has more than {_MOST_FILES} files of environments.")
        for path, blob, size in files:
            most = (10 if path.endswith(_LOCK) else 1) * _MOST_BYTES
            if path != "requirements.txt" and size > most:
                raise Failure(f"{code(path)} has more than {most} bytes.")
            content = self._git("cat-file", "blob", blob) if size < 10 * _MOST_BYTES else None
            if content is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        return Revision(code(commit), folder)

    def changed(self, fork: str, head: str | None) -> list[str]:
        """The paths that differ.

        :param head: A commit. None for the working tree.
        """
        names = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--name-only", "-z")
        found = self._git(*names, fork, *([head] if head else []), "--") or b""
        if head is None:
            found += self._git("ls-files", "--others", "--exclude-standard", "-z") or b""
        return [os.fsdecode(path) for path in found.split(b"\0") if path]

    def _git(self, *arguments: str) -> bytes | None:
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True)
        return done.stdout if done.returncode == 0 else None


def _regular(line: bytes) -> tuple[str, str, int] | None:
    """Path, blob and size of a plain file that we read; a link is none."""
    about, _, path = line.partition(b"\t")
    parts = about.decode().split()
    if len(parts) != 4 or parts[0] not in ("100644", "100755"):
        return None
    name = os.fsdecode(path)
    kinds = rf"\.toml|{re.escape(_LOCK)}"
    wanted = rf"requirements\.txt|{_ENVIRONMENTS}/[A-Za-z0-9-]{{1,60}}({kinds})"
    return (name, parts[2], int(parts[3])) if re.fullmatch(wanted, name) else None


def synthesise(asked: Mapping[Revision, list[str]], folder: Path) -> dict[Revision, Path]:
    """Synthesise the revisions at the same time, each with the packages of this Python.

    :param asked: The environments of each.
    :returns: For each the folder below ``folder`` that has a cloud assembly an environment.
    :raises Failure: With the last lines of the error. The other revision is waited for: it writes
        below ``folder``, which the caller may remove then.
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
    try:
        errors = {revision: process.communicate()[1] for revision, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
    for revision, process in running.items():
        if process.returncode:
            raise _failure(revision, errors[revision])
    return out


def _failure(revision: Revision, error: str) -> Failure:
    said = error.replace(f"{revision.folder}{os.sep}", "").rstrip()
    last = "\n".join(said.splitlines()[-_LAST_LINES:])
    return Failure(f"It is {revision.name} that does not synthesise:\n\n{block(last)}")


def _surroundings(folder: Path) -> dict[str, str]:
    """A revision's own sources come before installed packages."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join((str(folder / "infra"), str(folder))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20,21,22,23,24,25",
    }
