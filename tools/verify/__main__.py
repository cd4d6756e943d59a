"""``make verify ENV=dev``: does what was deployed work? After a deployment, without a phone call.

It changes nothing but a marked conversation, which it erases again, and a temporary rule and queue.
What a run that was cut off has left, the next one removes. It exits with 0 if there is no problem,
with 1 if there is one, and with 2 if it cannot tell: the environment's file is wrong, nothing is
deployed, or it is another account.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tools.doctor.findings import CannotGoOn, NotSeen
from tools.environment import environment
from tools.verify.account import Account
from tools.verify.conversation import Conversation
from tools.verify.listener import Listener
from tools.verify.report import (
    CHECKS,
    Checks,
    Result,
    counts,
    examine,
    show,
    write_json,
    write_junit,
)

CANNOT, INTERRUPTED = 2, 130


def main(
    arguments: Sequence[str] | None = None, *, patience: float = 30, checks: Checks = CHECKS
) -> int:
    """:param patience: Seconds that an utterance may take to each place."""
    parser = argparse.ArgumentParser(prog="verify", description="Looks after you deployed")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("--asapp", action="store_true", help="send a start that ASAPP must refuse")
    parser.add_argument("--json", type=Path, help="where to write all findings")
    parser.add_argument("--junit", type=Path, help="where to write them for a CI system")
    parser.add_argument("--certificate", help="a client certificate for the webhook, in PEM")
    parser.add_argument("--key", help="its key, in PEM")
    given = parser.parse_args(arguments)
    if bool(given.certificate) != bool(given.key):
        parser.error("give --certificate and --key, or neither")
    if not (found := environment(given.environment)):
        return CANNOT
    name, settings = found
    tokens = {each: os.environ.get(each, "").strip() for each in ("WEBHOOK_TOKEN", "LIVE_TOKEN")}
    for variable, token in tokens.items():
        if not re.fullmatch(r"[\w.~+/=-]*", token, re.ASCII):
            what = "is no token; set it to a token alone, without Bearer"
            print(f"{variable} {what}", file=sys.stderr)
            return CANNOT
    certificate = (given.certificate, given.key) if given.certificate else None
    account = Account(
        settings,
        name,
        given.asapp,
        patience,
        certificate,
        webhook_token=tokens["WEBHOOK_TOKEN"],
        live_token=tokens["LIVE_TOKEN"],
    )
    console = Console(highlight=False, soft_wrap=True)
    results: list[Result] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _clean(account, console, "an earlier run left")
        try:
            for result in examine(account, checks):
                results.append(result)
                show(console, result)
        finally:
            _clean(account)
    except CannotGoOn as unseen:
        console.print(f"{unseen.finding.what}\n→ {unseen.finding.remedy}")
        return CANNOT
    except NotSeen as unseen:
        console.print(f"what was made could not be removed: {unseen.finding.what}")
        console.print(f"→ {unseen.finding.remedy}; the next run removes it")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what was made is removed")
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    if given.json:
        write_json(given.json, name, results)
    if given.junit:
        write_junit(given.junit, name, results)
    seen = counts(results)
    said = (f"{seen[each]} {each}{'s' * (seen[each] != 1)}" for each in ("problem", "warning"))
    console.print(", ".join(said), style="bold")
    return int(seen["problem"] > 0)


def _clean(account: Account, console: Console | None = None, whose: str = "") -> None:
    listeners, items = Listener(account).remove(), Conversation(account).erase()
    if console and (listeners or items):
        console.print(f"removed what {whose}; rules with a queue: {listeners}, items: {items}")


if __name__ == "__main__":
    sys.exit(main())
