"""``make erase ENV=prod CONTACT=…`` or ``CUSTOMER=…``: erase a call, or a customer, everywhere.

It first says what would go and where, and asks. Then it waits for the receipt, which comes 20
minutes after the beginning, and prints it. An erasure goes on by itself, whatever becomes of the
command: run it again to see how far it is.

It exits with 0 if the receipt is there, with 1 if something speaks against it or nobody agreed,
with 2 if the environment's file or an argument is wrong, and with 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.botocore_errors import error_code
from tools.environment import NotDeployed, environment
from tools.erase import report
from tools.erase.function import EraseFunction, Failed

_SECONDS_BETWEEN_LOOKS = 20


def main(
    arguments: Sequence[str] | None = None,
    client: Callable[..., Any] = boto3.client,
    ask: Callable[[str], str] = input,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    given = _parser().parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    asked = {"contact": given.contact} if given.contact else {"customer": given.customer}
    if given.day:
        asked["day"] = given.day
    try:
        function = EraseFunction.of(f"autotranscribe-{name}-transcription", settings.region, client)
        return _erase(function, asked, given, ask, sleep)
    except NotDeployed as problem:
        print(problem, file=sys.stderr)
    except (ClientError, BotoCoreError) as problem:
        print(f"AWS refused it: {problem}", file=sys.stderr)
    except Failed as problem:
        print(f"the function failed ({problem}): its log has more", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="erase", description="Erases a call or a customer")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--contact", help="the id of a contact of the call")
    which.add_argument("--customer", help="the customer's id as ASAPP was told it: the number")
    running = parser.add_mutually_exclusive_group()
    running.add_argument("--stop", action="store_true", help="stop a call that goes on first")
    running.add_argument("--when", choices=["ended"], help="erase a call that goes on at its end")
    parser.add_argument("--day", help="of a call that the table has forgotten, like 2026-11-23")
    parser.add_argument("--confirm", type=int, help="do not ask: so many calls may be erased")
    parser.add_argument("--json", type=Path, help="where to write the receipt")
    return parser


def _erase(
    function: EraseFunction,
    asked: dict[str, str],
    given: argparse.Namespace,
    ask: Callable[[str], str],
    sleep: Callable[[float], None],
) -> int:
    state = function.invoke(asked | {"progress": True})
    if state["state"] == "none":
        state = _begin(function, asked, given, ask)
    return _wait(function, asked, state, given.json, sleep) if state else 1


def _begin(
    function: EraseFunction,
    asked: dict[str, str],
    given: argparse.Namespace,
    ask: Callable[[str], str],
) -> dict[str, Any]:
    """Say what would go, and have it erased if somebody agrees; again if it changes meanwhile.

    :returns: How far the erasure is; empty if nothing was changed.
    """
    running = "stop" if given.stop else "ended" if given.when else "refuse"
    while True:
        found = function.invoke(asked | {"dryRun": True})
        if objection := _objection(found, running, given.day):
            print(f"nothing was changed: {report.refused(objection)}")
            return {}
        print("\n".join(report.found(found)))
        calls = [call for call in found["calls"] if call["state"] != "held"]
        if not _agrees(ask, len(calls), given.confirm):
            return {}
        # Before anything goes: afterwards nobody knows the ids of a customer's calls.
        print("\n".join(report.request_to_asapp(calls)))
        state = _request(function, asked, {"running": running, "agreed": found.get("agreed", "")})
        if state != {"state": "refused", "reason": "changed"}:
            break
        print("Nothing was changed: these are other calls by now. Do not send the list above.\n")
    if state["state"] == "refused":
        print(f"nothing was changed: {report.refused(state)}")
        return {}
    return state


def _request(
    function: EraseFunction, asked: dict[str, str], agreed: dict[str, str]
) -> dict[str, Any]:
    """:raises Failed: if nothing was begun."""
    try:
        return function.invoke(asked | agreed)
    except Failed as problem:
        state = function.invoke(asked | {"progress": True})
        if state["state"] == "none":
            raise
        print(f"it is not done at once ({problem}), and goes on by itself")
        return state


def _objection(found: dict[str, Any], running: str, day: str | None) -> dict[str, str]:
    """Why the calls cannot be erased as asked; empty if they can. The function checks that too."""
    calls = found["calls"]
    if not calls or (not day and not any(call["items"] for call in calls)):
        return {"reason": "unknown"}
    if all(call["state"] == "held" for call in calls):
        return {"reason": "held", "heldBy": calls[0]["heldBy"]}
    goes_on = any(call["state"] == "running" for call in calls)
    return {"reason": "running"} if goes_on and running == "refuse" else {}


def _wait(
    function: EraseFunction,
    asked: dict[str, str],
    state: dict[str, Any],
    json_file: Path | None,
    sleep: Callable[[float], None],
) -> int:
    said, is_given_up = "", False
    try:
        while state["state"] == "erasing":
            if (now := report.progress(state)) != said:
                print(f"{time.strftime('%H:%M:%S')} {now}")
                said = now
            sleep(_SECONDS_BETWEEN_LOOKS)
            before, state = state, function.invoke(asked | {"progress": True})
            if state["state"] == "none":  # it was given up, or the customer has called again
                is_given_up, state = "contact" in asked, before
                break
    except KeyboardInterrupt:
        print("\nThe erasure goes on by itself. Run the same command to see how far it is;")
        print(f"its receipt will be {function.place(state['receipt'])}")
        return 130
    key = state["receipt"]
    if is_given_up:
        print("there is no receipt: the call is held by now, or goes on. Nothing was erased")
        return 1
    try:
        content, text = (function.receipt(each) for each in (key, key.replace(".json", ".txt")))
    except (ClientError, BotoCoreError) as problem:
        place = function.place(key)
        print(f"it is erased; its receipt at {place} cannot be read: {error_code(problem)}.")
        print(
            "Run the same command as somebody who may: ConversationErasure.grant_invoke grants it"
        )
        return 1
    if json_file:
        json_file.write_text(content, "utf-8")
    print(text)
    print(f"The receipt: {function.place(key)}")
    return 0


def _agrees(ask: Callable[[str], str], calls: int, confirmed: int | None) -> bool:
    if confirmed is not None:
        if confirmed == calls:
            return True
        print(f"nothing was changed: CONFIRM={confirmed}, and there are {calls} calls")
        return False
    try:
        if ask(f"Erase {calls} for good? [yes/no] ").strip().lower() == "yes":
            return True
    except EOFError:
        print(f"there is no terminal to answer on: add CONFIRM={calls}, the number of calls")
    print("nothing was changed")
    return False


if __name__ == "__main__":
    sys.exit(main())
