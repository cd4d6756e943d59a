"""``python -m tools.diff.templates OUT``: the templates of this tree, for another to compare.

It runs in the job of a pull request that has no permission, with the pull request's own code: what
it writes is believed by nobody.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.diff import revisions
from tools.diff.report import ROOT
from tools.diff.revisions import Failure


def main() -> int:
    (out,) = sys.argv[1:]
    head = revisions.head(ROOT)
    try:
        made = revisions.synthesise({head: head.environments(None)}, Path(out).parent)
    except Failure as problem:
        print(problem, file=sys.stderr)
        return 2
    made[head].rename(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
