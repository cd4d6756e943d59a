"""``python3 -m tools.deployed prod``: the commit that the workflow *Deploy* deployed last.

GitHub keeps the record: each job that names an environment is a deployment of it. So no job of ours
may write it, and none can forget to. This runs in the deploying job: standard library only.

It prints the commit, or nothing if there was no deployment. With ``--refuse-older HEAD`` it exits
with 1 unless that commit has all that was ever begun to be deployed there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.deployed.history import refusal
from tools.deployed.records import Failure, Records, last_deployed

ROOT = Path(__file__).parents[2]


def main(
    arguments: Sequence[str] | None = None,
    *,
    surroundings: Mapping[str, str] = os.environ,
    repository: Path = ROOT,
) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.deployed", description=__doc__)
    parser.add_argument("environment", help="a GitHub environment: dev, staging or prod")
    parser.add_argument("--refuse-older", metavar="COMMIT", help="what shall be deployed")
    given = parser.parse_args(arguments)
    try:
        records = Records.of(surroundings)
        if given.refuse_older is None:
            print(last_deployed(records.deployments(given.environment)) or "")
            return 0
        said = refusal(given.refuse_older, records.deployments(given.environment), repository)
    except Failure as problem:
        print(problem, file=sys.stderr)
        return 2
    if said:
        print(said, file=sys.stderr)
    return int(said is not None)


if __name__ == "__main__":
    sys.exit(main())
