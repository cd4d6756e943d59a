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

from tools.diff.report import diff, diff_of_templates, exit_code
from tools.diff.revisions import Failure
from tools.diff.values import code


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
    parser.add_argument(
        "--templates",
        type=Path,
        help="what the other revision has synthesised already, a folder or a ZIP archive: its code "
        "is then not run. Default: the working tree is synthesised",
    )
    parser.add_argument("--head", default="HEAD", help="with --templates: the commit of them")
    given = parser.parse_args(arguments)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            if given.templates is None:
                report = diff(given.base, given.environment, folder)
            else:
                report = diff_of_templates(
                    given.base,
                    given.environment,
                    folder,
                    head_name=given.head,
                    templates=given.templates,
                )
    except Failure as problem:
        print(f"## This could not be compared with {code(given.base)}\n\n{problem}")
        return 2
    print(report.markdown())
    return exit_code(report, given.fail_on)


if __name__ == "__main__":
    sys.exit(main())
