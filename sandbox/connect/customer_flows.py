"""Flows as customers write them to use the ready-made flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_Block = tuple[str, str, dict[str, Any]]
"""Name, action type, parameters."""


def inbound(hooks: Mapping[str, str], *, module: str = "") -> dict[str, Any]:
    """An inbound flow: it may invoke a module, sets the flows of later events, and queues the call.

    :param hooks: The flow for each event, such as ``{"AgentWhisper": "…"}``.
    """
    blocks = [_invoke(module)] if module else []
    blocks += [
        (f"Set {hook}", "UpdateContactEventHooks", {"EventHooks": {hook: flow}})
        for hook, flow in hooks.items()
    ]
    blocks.append(("Queue", "TransferContactToQueue", {}))
    return _in_a_row(blocks, ("Hang up", "DisconnectParticipant"))


def invoking(module: str) -> dict[str, Any]:
    """The smallest flow that invokes a module."""
    return _in_a_row([_invoke(module)], ("End", "EndFlowExecution"))


def _invoke(module: str) -> _Block:
    return "Invoke module", "InvokeFlowModule", {"FlowModuleId": module}


def _in_a_row(blocks: Sequence[_Block], end: tuple[str, str]) -> dict[str, Any]:
    """A flow of blocks in a row. If a block fails, the next one follows all the same."""
    followers = [*(name for name, _, _ in blocks[1:]), end[0]]
    actions = []
    for (name, kind, parameters), follower in zip(blocks, followers, strict=True):
        errors = ["NoMatchingError"]
        if kind == "TransferContactToQueue":
            errors.append("QueueAtCapacity")
        transitions = {
            "NextAction": follower,
            "Errors": [{"ErrorType": error, "NextAction": follower} for error in errors],
        }
        actions.append(_action(name, kind, parameters, transitions))
    return {
        "Version": "2019-10-30",
        "StartAction": actions[0]["Identifier"],
        "Actions": [*actions, _action(*end, {}, {})],
    }


def _action(
    name: str, kind: str, parameters: dict[str, Any], transitions: dict[str, Any]
) -> dict[str, Any]:
    return {
        "Identifier": name,
        "Type": kind,
        "Parameters": parameters,
        "Transitions": transitions,
    }
