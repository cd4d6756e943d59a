"""``make who-read ENV=prod CONTACT=…``: who has read a conversation, by the API or on the page.

It reads the records of both and changes nothing. It exits with 0, with 1 if a record that there
should be cannot be read, and with 2 if what was given is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tools.doctor.aws import Aws
from tools.doctor.findings import NotSeen
from tools.environment import environment
from tools.who_read.records import ACTIONS, GUIDE, IS_ID, Reading, Records

_DAY_MS = 86_400_000
_CONTACT = (
    "the conversation's id, that of its first contact; a later contact's finds the readings only "
    "if somebody has read the call by it"
)


def main(arguments: Sequence[str] | None = None, now_ms: int | None = None) -> int:
    parser = argparse.ArgumentParser(prog="who-read", description="Who has read a conversation")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("contact", help=_CONTACT)
    parser.add_argument("--days", type=int, default=365, help="how far back; default: a year")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    if not IS_ID.fullmatch(given.contact):
        print("CONTACT is a contact's id, of letters, digits and -", file=sys.stderr)
        return 2
    now = now_ms or time.time_ns() // 1_000_000
    records = Records(Aws(settings.region, ACTIONS, guide=GUIDE), name)
    try:
        readings = records.of(given.contact, now - given.days * _DAY_MS)
        _tell(readings, given.contact, given.days)
    except NotSeen as unseen:
        print(f"{unseen.finding.what} → {unseen.finding.remedy}", file=sys.stderr)
        return 1
    if settings.audit.mode == "off":
        print('Readings by the API are not recorded: write [audit] mode = "on".')
    print("Not in it: who reads the table, the bus or the export's files. CloudTrail can know it.")
    return 0


def _tell(found: Sequence[Reading], contact: str, days: int) -> None:
    for each in found:
        print(each)
    if not found:
        print(
            f"No reading by {contact} is recorded in {days} days. If that is a later contact, give"
        )
        print("the conversation's id, that of its first contact: it alone finds all readings.")


if __name__ == "__main__":
    sys.exit(main())
