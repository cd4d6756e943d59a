"""What a deploy of this working tree would change, in Markdown, with no AWS account.

``python -m tools.diff --base origin/main [--environment prod] [--fail-on replacement]``
synthesises both revisions and compares what became of them. It exits with 0 if nothing changes,
with 1 if something does, and with 2 if it cannot tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.diff.report import diff, exit_code
from tools.diff.revisions import Failure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.diff", description=__doc__)
    parser.add_argument("--base", required=True, help="the branch, tag or commit to compare with")
    parser.add_argument("--environment", help="only this one. Default: all of infra/environments")
    parser.add_argument(
        "--fail-on",
        choices=("change", "replacement"),
        default="change",
        help="what to exit with 1 for: any change (the default), or only if something is or may "
        "be replaced, or if a resource that holds data is removed",
    )
    given = parser.parse_args(arguments)
    try:
        with TemporaryDirectory() as folder:
            report = diff(given.base, given.environment, Path(folder))
    except Failure as problem:
        print(f"## This cannot be compared with `{given.base}`\n\n{problem}")
        return 2
    print(report.markdown())
    return exit_code(report, given.fail_on)


if __name__ == "__main__":
    sys.exit(main())
