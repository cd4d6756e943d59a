"""Templates that somebody else made and packed: read as data, within bounds."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path

from tools.diff.revisions import Failure

MOST_FILES = 2_000
MOST_BYTES = 100_000_000
_PART = re.compile(r"(?!\.\.?(?:/|$))[^/\\\0]{1,200}")
_DEEPEST = 20


def unpack(archive: Path, folder: Path, *, most_bytes: int = MOST_BYTES) -> Path:
    """Write an archive's plain files below ``folder``, and nothing elsewhere.

    :raises Failure: If it is no archive; or has links, other paths, or more than is reasonable.
    """
    left = most_bytes
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if len(members) > MOST_FILES:
                raise Failure(f"The templates are more than {MOST_FILES} files.")
            for member in members:
                if member.is_dir():
                    continue
                path = folder / _path(member)
                with packed.open(member) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise Failure(f"The templates have more than {most_bytes} bytes.")
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as out:
                    out.write(content)
    except (
        EOFError,
        IndexError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise Failure(f"The templates cannot be unpacked: {type(error).__name__}.") from error
    return folder


def _path(member: zipfile.ZipInfo) -> str:
    parts = member.filename.split("/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_plain = kind in (0, stat.S_IFREG) and len(parts) <= _DEEPEST
    is_plain = is_plain and member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not is_plain or not all(map(_PART.fullmatch, parts)):
        raise Failure("The templates hold a file that is not a plain one below their folder.")
    return member.filename
