"""Actions and flows for tests, as Connect's API takes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:"
START_ARN, STOP_ARN, OWN_ARN = (f"{FUNCTION}{name}:live" for name in ("start", "stop", "own"))
STREAMING = "UpdateContactMediaStreamingBehavior"
LAMBDA = "InvokeLambdaFunction"
PROMPT = "MessageParticipant"
MUSIC = "MessageParticipantIteratively"

Json = dict[str, Any]

PARAMETERS: dict[str, Json] = {
    "Compare": {"ComparisonValue": "$.Attributes.tier"},
    LAMBDA: {"LambdaFunctionARN": START_ARN, "InvocationTimeLimitSeconds": "8"},
    "UpdateContactEventHooks": {"EventHooks": {"CustomerHold": "hold-flow"}},
    STREAMING: {
        "MediaStreamingState": "Enabled",
        "MediaStreamType": "Audio",
        "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["To", "From"]}],
    },
    "Wait": {"TimeLimitSeconds": "60"},
}
"""Parameters that Connect takes, for the actions that cannot do without."""


def action(name: str, kind: str, parameters: Json | None = None, **transitions: Any) -> Json:
    """:param parameters: Default: `PARAMETERS`."""
    return {
        "Identifier": name,
        "Type": kind,
        "Parameters": PARAMETERS.get(kind, {}) if parameters is None else parameters,
        "Transitions": transitions,
    }


def error(to: str, type: str = "NoMatchingError") -> Json:
    return {"NextAction": to, "ErrorType": type}


def errors(*types: str, to: str = "End") -> list[Json]:
    return [error(to, type) for type in types]


def condition(*operands: Any, to: str = "End", operator: str = "Equals") -> Json:
    return {"NextAction": to, "Condition": {"Operator": operator, "Operands": list(operands)}}


def leading(
    name: str, kind: str, parameters: Json | None, to: str, failed: str | None = None
) -> Json:
    """An action that leads on, whether it works or not.

    :param failed: Where it leads if it fails. Default: to the same block.
    """
    return action(name, kind, parameters, NextAction=to, Errors=[error(failed or to)])


def say(name: str, to: str, failed: str | None = None) -> Json:
    return leading(name, PROMPT, {"Text": "Hello"}, to, failed)


def note(name: str, to: str, value: str = "x", failed: str | None = None) -> Json:
    parameters = {"Attributes": {"a": value}, "TargetContact": "Current"}
    return leading(name, "UpdateContactAttributes", parameters, to, failed)


def invoke(
    name: str, to: str, arn: str = OWN_ARN, failed: str | None = None, **parameters: Any
) -> Json:
    given = {"LambdaFunctionARN": arn, "InvocationTimeLimitSeconds": "2"} | parameters
    return leading(name, LAMBDA, given, to, failed)


def stream(name: str, on: bool, to: str, failed: str | None = None) -> Json:
    state = {"MediaStreamingState": "Enabled" if on else "Disabled"}
    return leading(name, STREAMING, PARAMETERS[STREAMING] | state, to, failed)


def compare(name: str, otherwise: str, **ways: str) -> Json:
    return action(
        name,
        "Compare",
        {"ComparisonValue": "$.Attributes.a"},
        NextAction=otherwise,
        Errors=[error(otherwise, "NoMatchingCondition")],
        Conditions=[condition(value, to=to) for value, to in ways.items()],
    )


def queue(name: str, full: str, failed: str | None = None) -> Json:
    errors = [error(full, "QueueAtCapacity"), error(failed or full)]
    return action(name, "TransferContactToQueue", NextAction=failed or full, Errors=errors)


def music(name: str = "Music", **transitions: Any) -> Json:
    return action(name, MUSIC, {"Messages": [{"Text": "Please wait."}]}, **transitions)


END = action("End", "EndFlowExecution")
HANG_UP = action("Hang up", "DisconnectParticipant")


def flow(*actions: Json, start: str = "", **more: Any) -> Json:
    """Content that begins with the first of these actions, drawn in one row; fit for a module."""
    return {
        "Version": "2019-10-30",
        "StartAction": start or (actions[0]["Identifier"] if actions else ""),
        "Metadata": {
            "entryPointPosition": {"x": 40, "y": 40},
            "ActionMetadata": {
                one["Identifier"]: {"position": {"x": 150 + 220 * column, "y": 40}}
                for column, one in enumerate(actions)
            },
            "Annotations": [],
        },
        "Actions": list(actions),
        "Settings": {},
    } | more


def blocks(content: Json) -> dict[str, Json]:
    return {one["Identifier"]: one for one in content["Actions"]}


def shared(path: str) -> str:
    """A file that is not ours, read where it lies."""
    file = SHARED / path
    if not file.is_file():
        pytest.skip(f"it is not here: {file}")
    return file.read_text("utf-8")


def published(name: str) -> str:
    """A flow that others published."""
    return shared(f"data/flows/{name}")


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m connect_flows``."""
    return subprocess.run(
        [sys.executable, "-m", "connect_flows", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def file(folder: Path, content: object, name: str = "flow.json") -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, "utf-8")
    return path
