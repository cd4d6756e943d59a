"""A wheel whose bytes depend on the commit and on nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

PAGE = "web"
"""The folder of the live page's sources."""


class Unequal(Exception):
    """Two builds of one commit differ."""


def hatchling(sources: Path, out: Path, surroundings: dict[str, str]) -> None:
    """Build the wheel of a folder, with the live page that it has the sources of."""
    if (sources / PAGE).is_dir():
        _build_page(sources / PAGE, surroundings)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)],
        cwd=sources,
        env=os.environ | surroundings,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _build_page(web: Path, surroundings: dict[str, str]) -> None:
    """With the packages of its own lock, and with nothing that they would run at installation."""
    commands = [["node", "build.mjs"]]
    if not (web / "node_modules").is_dir():  # no commit has it
        install = ["npm", "ci", "--ignore-scripts", "--silent", "--no-fund", "--no-audit"]
        commands.insert(0, install)
    for command in commands:
        subprocess.run(command, cwd=web, env=os.environ | surroundings, check=True)
    if not (web / "dist" / "index.html").is_file():
        raise FileNotFoundError(f"{web} has built no page")


Builder = Callable[[Path, Path, dict[str, str]], None]


def build_twice(commit: str, repository: Path, folder: Path, builder: Builder = hatchling) -> Path:
    """Build in two folders, under two time zones, hash seeds and file modes.

    :returns: The wheel, in ``folder``.
    :raises Unequal: If the second differs from the first.
    """
    with TemporaryDirectory() as scratch:
        first, second = (
            _build(commit, repository, Path(scratch) / name, surroundings, umask, builder)
            for name, surroundings, umask in (
                ("a", {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C"}, 0o022),
                (
                    "another",
                    {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8"},
                    0o077,
                ),
            )
        )
        contents = first.read_bytes()
        if (first.name, contents) != (second.name, second.read_bytes()):
            raise Unequal(
                f"Two builds of {commit[:7]} differ: {first.name} {_sha256(first)}, "
                f"{second.name} {_sha256(second)}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / first.name
        wheel.write_bytes(contents)
    return wheel


def _build(
    commit: str,
    repository: Path,
    scratch: Path,
    surroundings: dict[str, str],
    umask: int,
    builder: Builder,
) -> Path:
    """From what is committed, so that no file of the working tree gets in."""
    sources, out = scratch / "sources", scratch / "out"
    before = os.umask(umask)
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit],
            cwd=repository,
            check=True,
            capture_output=True,
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
            tar.extractall(sources)  # noqa: S202 - a commit that is trusted
        out.mkdir()
        builder(sources, out, surroundings)
    finally:
        os.umask(before)
    (wheel,) = out.glob("*.whl")
    return wheel


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
