"""``python3 -m tools.pull_request …``: what the workflow *Report* asks of GitHub.

``templates OUT`` waits for the templates that the pull request's own run makes, and loads them.
``comment REPORT`` writes the report under the pull request; or if the file is absent or empty, that
the report could not be made. It runs beside a token that may write: standard library only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.pull_request.comment import body, write
from tools.pull_request.github import Failure, Github
from tools.pull_request.templates import templates_of


def main(
    arguments: Sequence[str] | None = None, *, surroundings: Mapping[str, str] = os.environ
) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.pull_request", description=__doc__)
    parser.add_argument("what", choices=("templates", "comment"))
    parser.add_argument("file", type=Path, help="what to write, or what to say")
    given = parser.parse_args(arguments)
    commit = surroundings["HEAD_SHA"]
    try:
        github = Github.of(surroundings)
        if given.what == "templates":
            given.file.write_bytes(templates_of(commit, github))
            return 0
        report = given.file.read_text("utf-8") if given.file.is_file() else ""
        write(body(report, commit, surroundings["RUN_URL"]), int(surroundings["NUMBER"]), github)
    except Failure as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
