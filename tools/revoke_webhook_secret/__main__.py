"""``make revoke-webhook-secret ENV=prod``: a value of the webhook's secret that leaked is refused.

A rotation is no revocation: the previous value stays good until the next one. It says what it will
do and asks, then exits with 0 if all of it is done, with 1 if something could not be done, and with
2 if the environment's file is wrong or nobody can answer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tools.doctor.aws import Aws
from tools.environment import environment
from tools.revoke_webhook_secret.revocation import ACTIONS, GUIDE, Webhook, revoke


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="revoke-webhook-secret", description="Refuses a value of the webhook's secret"
    )
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument(
        "--only",
        choices=["previous"],
        help="revoke the previous value alone; default: the current one too, and make a new one",
    )
    parser.add_argument("--approval", choices=["never"], help="do not ask")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    if not given.approval and not sys.stdin.isatty():
        print("It asks before it changes anything, and there is no terminal to answer on.")
        print("Nothing was changed. APPROVAL=never (--approval never) does not ask.")
        return 2
    webhook = Webhook(
        aws=Aws(settings.region, ACTIONS, guide=GUIDE),
        environment=name,
        account=settings.account,
    )
    return revoke(
        webhook,
        only_previous=given.only == "previous",
        agreed=lambda: bool(given.approval) or _agreed(name),
        say=print,
        sleep=time.sleep,
    )


def _agreed(environment: str) -> bool:
    try:
        return input(f"Type {environment} to do it: ").strip() == environment
    except (EOFError, KeyboardInterrupt):
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
