"""Which files of a function's package differ: packages are folders of the cloud assembly."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

Files = tuple[tuple[str, int, int], ...]


def changed_files(base: Path, old: Any, head: Path, new: Any) -> Files | None:
    """Path, lines added and lines removed of each file that differs.

    :param base: The cloud assembly that has ``old``, a function's property ``Code``.
    :param head: The cloud assembly that has ``new``.
    :returns: None if one of the packages is not a folder there.
    """
    folders = [
        folder / f"asset.{asset[1]}"
        for folder, value in ((base, old), (head, new))
        if isinstance(value, dict)
        and (asset := re.fullmatch(r"([0-9a-f]{64})\.zip", str(value.get("S3Key"))))
    ]
    if len(folders) != 2 or not all(folder.is_dir() for folder in folders):
        return None
    before, after = (
        {str(file.relative_to(folder)): file.read_bytes() for file in _files(folder)}
        for folder in folders
    )
    return tuple(
        (path, *_lines(before.get(path, b""), after.get(path, b"")))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@cache
def _lines(old: bytes, new: bytes) -> tuple[int, int]:
    """How many were added and removed."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    kept = sum(block.size for block in SequenceMatcher(None, before, after).get_matching_blocks())
    return len(after) - kept, len(before) - kept
