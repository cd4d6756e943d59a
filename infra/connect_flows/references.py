"""What a flow names of its instance and account by ARN, and a flow with other ARNs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

REGION_OF_CALL = "$.AwsRegion"
"""Connect's path of the region in which a call is, as in flows of a replicated instance."""
# If another path of Connect follows, the ARN is known only in a call. "$LATEST" is no path.
_ARN = re.compile(
    r"arn:aws[a-z-]*:[a-z0-9-]+:(?:[a-z0-9-]*|\$\.AwsRegion):[0-9]*:"
    r"[A-Za-z0-9_/:.+=@-]++(?:\$[A-Z]+)?+(?![$])"
)
_OF_INSTANCE = re.compile(r"instance/[0-9a-f-]{36}/([a-z-]+)/")
_KINDS: Mapping[str, str] = {
    "contact-flow": "flow",
    "flow-module": "module",
    "operating-hours": "hours of operation",
}
"""What people call what is in an ARN of the instance, if it is another word."""
_IDS: Mapping[str, str] = {
    "AgentId": "agent",
    "ContactFlowId": "flow",
    "FlowModuleId": "module",
    "HoursOfOperationId": "hours of operation",
    "PromptId": "prompt",
    "QueueId": "queue",
}
"""Parameters that take an id of the instance too, without the rest of the ARN."""
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Reference:
    """:param block: The action's identifier.
    :param type: The action's type.
    :param kind: What people call it: ``queue``, ``Lambda function``; else the ARN's service.
    :param arn: As it is in the block; or the bare id, which the API takes as well.
    """

    block: str
    type: str
    kind: str
    arn: str

    def __str__(self) -> str:
        return f"the block {self.block!r} ({self.type}) names the {self.kind} {self.arn}"

    @property
    def is_anywhere(self) -> bool:
        """Whether it says neither a region nor an account, like a bucket."""
        return self.arn.startswith("arn:") and self.arn.split(":")[3:5] == ["", ""]

    @property
    def without_version(self) -> tuple[str, str]:
        """What it names, and the version of that: ``:$LATEST`` of a module; mostly empty."""
        if not instance_of(self.arn):
            return self.arn, ""
        _, colon, version = self.arn.rpartition("/")[2].partition(":")
        return self.arn.removesuffix(colon + version), colon + version


def kind_of(arn: str) -> str:
    """What people call what an ARN names, or the ARN's service."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    if service == "connect" and (found := _OF_INSTANCE.match(resource)):
        return _KINDS.get(found[1], found[1])
    if service == "lambda" and resource.startswith("function:"):
        return "Lambda function"
    return "Lex bot" if service == "lex" and resource.startswith("bot-alias/") else service


def instance_of(arn: str) -> str:
    """The ARN of the instance in which something is; empty if it is in none."""
    found = re.match(r"arn:[^:]*:connect:[^:]*:[^:]*:instance/[^/]+", arn)
    return found[0] if found else ""


def references(content: Mapping[str, Any]) -> Iterator[Reference]:
    """What the blocks of a flow name, each once a block. A path of Connect is none of them."""
    for action in content["Actions"]:
        found: dict[str, str] = {}

        def see(arn: str, kind: str, found: dict[str, str] = found) -> str:
            found[arn] = kind
            return arn

        _walk({key: action.get(key) for key in ("Parameters", "Transitions")}, see)
        for arn, kind in found.items():
            yield Reference(action["Identifier"], action["Type"], kind, arn)


def with_arns(content: Mapping[str, Any], arns: Mapping[str, str]) -> dict[str, Any]:
    """The flow with other ARNs, also in what the flow designer shows (``Metadata``).

    :param arns: The new ARN, or a token, of each ARN or id that the flow's blocks name.
    """
    changed: dict[str, Any] = _walk(dict(content), lambda arn, _: arns.get(arn, arn))
    return changed


def _walk(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:
    """The same, with each ARN, and each id of the instance, changed."""
    if isinstance(value, dict):
        inside = "ContactFlowId" if key == "EventHooks" else ""
        return {name: _walk(each, change, inside or name) for name, each in value.items()}
    if isinstance(value, list):
        return [_walk(each, change, key) for each in value]
    if not isinstance(value, str):
        return value
    if key in _IDS and _ID.fullmatch(value):
        return change(value, _IDS[key])
    return _ARN.sub(lambda found: change(found[0], kind_of(found[0])), value)
