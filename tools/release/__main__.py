"""``make release TAG=v1.2.3``: check the version, and build its wheel twice into the same bytes.

It writes the wheel and the release notes. It exits with 1 if something is in the way, and says all
of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.release.build import Unequal, build_twice
from tools.release.versions import Refused, Version

ROOT = Path(__file__).parents[2]
NOTES = "release-notes.md"


def main(arguments: Sequence[str] | None = None, *, repository: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("tag", help="of the version: v1.2.3, on the commit that is checked out")
    parser.add_argument("folder", type=Path, help="where the wheel and the notes go")
    given = parser.parse_args(arguments)
    try:
        version = Version.of(given.tag, repository)
        wheel = build_twice(version.commit, repository, given.folder)
    except (Refused, Unequal) as refused:
        print(refused, file=sys.stderr)
        return 1
    (given.folder / NOTES).write_text(version.notes, encoding="utf-8")
    print(f"{wheel.name}: built twice, the same bytes; its notes are in {NOTES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
