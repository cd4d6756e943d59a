"""``make webhook-certificate OUT=folder``: a client certificate for ASAPP, from your own authority.

The first time it makes the authority too. It never writes over a file. It exits with 0 if the
certificate is made, and with 2 if it refuses to make one; then it has made nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.webhook_certificate.folder import Made, Refused, make, outside_of_repositories

SUBJECT = "asapp-webhook"
SETTING = "infra/environments/prod-client-authorities.pem"
MADE = """\
Made in {folder}:
  {client}.pem        a client certificate, good until {ends:%Y-%m-%d}; CN={name}
  {client}.key.pem    its private key

Who gets what
  ASAPP: {client}.pem, and {client}.key.pem by a secure way, never by e-mail or ticket. When ASAPP
  has the key, delete it here. Also the address WebhookCertificateUrl, an output of the
  transcription stack.
  Nobody: {authority}.key.pem. Whoever has it can post to your webhook. Keep it where you keep keys
  that are seldom used, not on a shared machine. You need it again to renew.

Let ASAPP in
"""
FIRST = """\
  {authority}.pem is your authority's certificate, good until {authority_ends:%Y-%m-%d}. It is no
  secret.
    cp '{folder}/{authority}.pem' {setting}
  In the environment's file, write that path into [webhook_mtls] authorities_file, and "mtls" into
  [webhook] auth beside the way that ASAPP uses now. Then: make deploy ENV=prod
"""
RENEWED = """\
  Nothing is to be deployed: the webhook knows the authority, {authority}.pem, which is good until
  {authority_ends:%Y-%m-%d}. Both certificates are good, so ASAPP changes when it likes.
"""
ANOTHER = """\
  {authority}.pem is the new authority, good until {authority_ends:%Y-%m-%d}. Trust both while ASAPP
  changes to the new certificate. Put the name of your [webhook_mtls] authorities_file for
  {setting}.
    1. cp '{folder}/{bundle}' {setting}
       make deploy ENV=prod
    2. Give ASAPP the new certificate. Wait until it presents it.
    3. cp '{folder}/{authority}.pem' {setting}
       make deploy ENV=prod
  After the third step, no certificate of the old authority gets in. If a key leaked, begin with the
  third step: ASAPP's utterances are lost until ASAPP has the new certificate, but nobody else gets
  in.
"""
RENEW = """\

Renew
  Before {ends:%Y-%m-%d}, run the same command again: it makes the next certificate, of the same
  authority. Nobody reminds you of that date: put a day a month before it into your calendar.
  With AUTHORITY=new it makes another authority beside this one. Do that a year before
  {authority_ends:%Y-%m-%d}, or at once if {authority}.key.pem or a client's key got into wrong
  hands."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="webhook-certificate", description="Makes a client certificate for ASAPP"
    )
    parser.add_argument("folder", type=Path, help="where it is made; outside of every repository")
    parser.add_argument(
        "--name",
        default=SUBJECT,
        help="the certificate's common name, if you agreed one with ASAPP; default: %(default)s",
    )
    parser.add_argument(
        "--authority",
        choices=["new"],
        help="make another authority; default: the newest of the folder, if it has one",
    )
    given = parser.parse_args(arguments)
    try:
        folder = outside_of_repositories(given.folder)
        made = make(folder, given.name, datetime.now(UTC), new_authority=given.authority == "new")
    except Refused as refused:
        print(f"{refused}\nNothing was made.", file=sys.stderr)
        return 2
    print(explained(made, folder, given.name))
    return 0


def explained(made: Made, folder: Path, name: str) -> str:
    """What was made, and what to do with it."""
    if made.bundle:
        let_in = ANOTHER
    elif made.is_renewed:
        let_in = RENEWED
    else:
        let_in = FIRST
    return f"{MADE}{let_in}{RENEW}".format(
        folder=folder,
        name=name,
        setting=SETTING,
        client=made.client,
        ends=made.client_ends,
        authority=made.authority,
        authority_ends=made.authority_ends,
        bundle=made.bundle,
    )


if __name__ == "__main__":
    sys.exit(main())
