"""``make hold ENV=prod CONTACT=…``: keep a call from being deleted; ``UNDO=1`` lifts that.

It signs a request to the transcript API, which knows by that who asks. It exits with 0 if the hold
is there, or is lifted, with 1 if it is not, and with 2 if what was given is wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.environment import NotDeployed, environment
from tools.hold.api import Answer, HoldApi

_TRIES = 10
_UNTOUCHED = """\
Not held: the export's files (a lifecycle of the bucket deletes whole days), the audio, what ASAPP
has, and what other teams have stored of the event bus. Copy or ask for what you need of them."""


def main(
    arguments: Sequence[str] | None = None, session: Callable[..., Any] = boto3.Session
) -> int:
    parser = argparse.ArgumentParser(prog="hold", description="Keeps a call from being deleted")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("contact", help="the conversation's id, or that of a later contact")
    parser.add_argument("--undo", action="store_true", help="lift the hold")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    if not re.fullmatch(r"[\w-]{1,256}", given.contact, re.ASCII):
        print("CONTACT is a contact's id, of letters, digits and -", file=sys.stderr)
        return 2
    stack = f"autotranscribe-{name}-transcription"
    try:
        api = HoldApi.of(stack, session(region_name=settings.region))
        for _ in range(_TRIES):  # a long call takes more than one
            answer = api.ask("DELETE" if given.undo else "PUT", given.contact)
            if answer.status != 503:
                break
        return _told(answer)
    except NotDeployed as problem:
        print(problem, file=sys.stderr)
    except (ClientError, BotoCoreError) as problem:
        print(f"AWS refused it: {problem}", file=sys.stderr)
    return 1


def _told(answer: Answer) -> int:
    said: Mapping[str, Any] = answer.content
    if answer.status == 403:
        print("You may not: that needs execute-api:Invoke on PUT and DELETE of …/hold.")
        return 1
    if answer.status != 200:
        print(f"Nothing is held or lifted: {said.get('error') or answer.status}", file=sys.stderr)
        return 1
    print(json.dumps(said, indent=2))
    if "liftedAt" in said:
        print("Lifted. Each item expires when it would have, but not within a day.")
    else:
        print("Held: no item of the call expires, and it cannot be erased, until you lift it.")
        print(_UNTOUCHED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
