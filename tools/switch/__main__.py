"""``make stop-all ENV=prod``, ``make resume-all ENV=prod``: stop all transcription, or go on.

It sets the parameter that every start reads. After ``stop`` it waits until no process keeps the old
value, and then stops each call that ASAPP still hears. It exits with 0 if that is done, with 1 if
something is not stopped or nobody agreed, and with 2 if the environment's file is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.environment import NotDeployed, environment
from tools.switch.switch import KEPT_SECONDS, STOPPED, Switch


def main(
    arguments: Sequence[str] | None = None,
    client: Callable[..., Any] = boto3.client,
    ask: Callable[[str], str] = input,
) -> int:
    parser = argparse.ArgumentParser(prog="switch", description="Stops all transcription")
    parser.add_argument("command", choices=["stop", "resume"])
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("--approval", choices=["never"], help="do not ask")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    stack = f"autotranscribe-{name}-transcription"
    try:
        switch = Switch.of(stack, settings.region, client)
        print(f"{name}: transcription is {switch.state} ({switch.parameter})")
        return (_stop if given.command == "stop" else _resume)(switch, bool(given.approval), ask)
    except NotDeployed as problem:
        print(problem, file=sys.stderr)
    except (ClientError, BotoCoreError) as problem:
        print(f"AWS refused it: {problem}", file=sys.stderr)
    return 1


def _stop(switch: Switch, agreed: bool, ask: Callable[[str], str]) -> int:
    if not (agreed or _agrees(ask, "Stop all transcription, also of the calls in progress?")):
        return 1
    switch.turn("disabled")
    print(f"transcription is disabled: flows get the status `disabled` in {KEPT_SECONDS} s")
    failed = 0
    for conversation_id, status in switch.stop_calls():
        print(f"  {conversation_id}: {status}")
        failed += status not in STOPPED
    if failed:
        print(f"{failed} calls are not stopped: run it again")
        return 1
    print("no call is transcribed now; `make resume-all` lets calls start again")
    return 0


def _resume(switch: Switch, agreed: bool, ask: Callable[[str], str]) -> int:
    if not (agreed or _agrees(ask, "Let calls start transcription again?")):
        return 1
    switch.turn("enabled")
    print(
        f"transcription is enabled: in {KEPT_SECONDS} s calls that start are transcribed, and "
        "calls in progress from their next hold or transfer on"
    )
    return 0


def _agrees(ask: Callable[[str], str], question: str) -> bool:
    try:
        if ask(f"{question} [yes/no] ").strip().lower() == "yes":
            return True
    except EOFError:
        print("there is no terminal to answer on: add APPROVAL=never (--approval never)")
    print("nothing was changed")
    return False


if __name__ == "__main__":
    sys.exit(main())
