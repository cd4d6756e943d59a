"""``make drift ENV=prod``: is what runs what was deployed? It reads, and changes nothing.

CloudFormation compares what it can. It does not look at ``AWS::IAM::Policy``, which has every
permission of ours, so this compares the roles' policies with the deployed templates itself. What
neither looked at is said. It exits with 0 if there is no drift, with 1 if there is or something
could not be looked at, and with 2 if the environment's file is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.doctor.aws import Aws
from tools.doctor.findings import NotSeen
from tools.drift.report import report
from tools.drift.stacks import ACTIONS, Deployed
from tools.environment import environment


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="drift", description="Compares AWS with the templates")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    deployed = Deployed(
        aws=Aws(settings.region, ACTIONS, guide="docs/promote.md"),
        environment=name,
        account=settings.account,
        instance_alias=settings.connect.instance_alias,
    )
    try:
        return report(deployed, print)
    except NotSeen as unseen:
        print(f"{unseen.finding.what} → {unseen.finding.remedy}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
