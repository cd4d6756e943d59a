"""The outcome of a block: the branch that follows, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Action = Mapping[str, Any]

DISCONNECTS, ENDS, LOOPS, RETURNS = "Disconnects", "Ends", "Loops", "Returns"
TO_QUEUE, TO_AGENT, TO_FLOW = "Transfers to queue", "Transfers to agent", "Transfers to flow"


class FlowError(Exception):
    """Connect would refuse the flow, or this runner does not know a part of it."""


class BlockFailed(Exception):
    """The block failed during the call: its error branch follows."""

    def __init__(self, why: str, error_type: str = "NoMatchingError") -> None:
        super().__init__(why)
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a block.

    :param branch: As in `sandbox.connect.flow_runner.Step`.
    :param target: The block that follows; None if the flow or the module ends.
    :param to: If the flow ends with a transfer: the id of the flow or the queue.
    """

    branch: str
    target: str | None = None
    detail: str = ""
    to: str = ""


def leads_on(action: Action, detail: str = "") -> Outcome:
    target = action["Transitions"].get("NextAction")
    if not target:
        raise FlowError(f"{action['Identifier']!r} has no NextAction")
    return Outcome("NextAction", target, detail)


def takes_error_branch(action: Action, failure: BlockFailed) -> Outcome:
    for error in action["Transitions"].get("Errors") or ():
        if error["ErrorType"] == failure.error_type:
            return Outcome(failure.error_type, error["NextAction"], str(failure))
    raise FlowError(f"{action['Identifier']!r} has no branch for {failure.error_type} ({failure})")


def takes_condition(action: Action, result: str, detail: str = "") -> Outcome:
    """The branch of a block whose conditions compare the block's own result."""
    for condition in action["Transitions"].get("Conditions") or ():
        if condition["Condition"] == {"Operator": "Equals", "Operands": [result]}:
            return Outcome(f"Equals {result}", condition["NextAction"], detail)
    raise FlowError(f"{action['Identifier']!r} has no condition for {result}")


def parameter(action: Action, name: str) -> Any:
    """A required parameter of the block."""
    value = action["Parameters"].get(name)
    if value in (None, "", [], {}):
        raise FlowError(f"{action['Identifier']!r} has no {name}")
    return value
