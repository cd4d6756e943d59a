"""What the audit knows of an instance: its flows, and what leads to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from connect_flows.blocks import InvokeLambdaFunction, is_dynamic
from connect_flows.flow_content import Action, Content
from connect_flows.flow_types import (
    AGENT_WHISPER,
    CUSTOMER_HOLD,
    CUSTOMER_WHISPER,
    INBOUND,
    OUTBOUND_WHISPER,
    QUEUE,
)

HOOKS: Mapping[str, str] = {
    "CustomerQueue": QUEUE,
    "AgentWhisper": AGENT_WHISPER,
    "CustomerWhisper": CUSTOMER_WHISPER,
    "CustomerHold": CUSTOMER_HOLD,
    "CustomerRemaining": INBOUND,
}
"""The events of a call for which a flow may be set, and the type of that flow."""

DEFAULTS: Mapping[str, str] = {
    QUEUE: "Default customer queue",
    AGENT_WHISPER: "Default agent whisper",
    CUSTOMER_WHISPER: "Default customer whisper",
    CUSTOMER_HOLD: "Default customer hold",
    OUTBOUND_WHISPER: "Default outbound",
}
"""The flows that Connect runs if none is set, by type (AG contact-flow-default)."""

_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+|\$\.AwsRegion):(?P<account>[0-9]{12}):"
    r"function:(?P<name>[\w-]+)(?::(?P<alias>[\w$-]+))?",
    re.ASCII,
)
_REGION_OF_THE_FLOW = re.compile(r":\$(?:\.AwsRegion|\['AwsRegion'\]):")
_NAMES = {"start": re.compile("start[-_]?streaming", re.I), "stop": re.compile("stop[-_]?st", re.I)}
_INSTANCE = re.compile(r"arn:[^:]+:connect:[^:]*:[0-9]*:instance/[^/]+")


def last_of(reference: str) -> str:
    """The id in an ARN or in an id, without a version or alias."""
    return reference.rpartition("/")[2].partition(":")[0]


def is_open(value: object) -> bool:
    """Whether a value is known only during a call, or only at a deployment."""
    return not isinstance(value, str) or not value or is_dynamic(value) or "${" in value


@dataclass(frozen=True)
class AuditedFlow:
    """A flow or a module.

    :param id: Connect's id; for an exported file, which has none, its name.
    :param type: As in `connect_flows.flow_types`.
    :param content: What is published; None if nothing is, or if it cannot be read.
    :param draft: What is saved; None if that is not known.
    :param unread: Why there is no content.
    """

    id: str
    name: str
    type: str
    content: Content | None
    draft: Content | None = None
    unread: str = ""

    @cached_property
    def actions(self) -> dict[str, Action]:
        return {str(each["Identifier"]): each for each in (self.content or {}).get("Actions", ())}

    @property
    def start(self) -> str:
        return str((self.content or {}).get("StartAction"))

    def parameters(self, block: str) -> Mapping[str, Any]:
        return self.actions[block].get("Parameters") or {}

    def of_type(self, kind: str) -> Iterator[str]:
        return (name for name, action in self.actions.items() if action["Type"] == kind)

    def shown_name(self, block: str, *path: str) -> str:
        """The name that the flow designer shows for a parameter's value, or ``""``.

        In another instance, or in a file without ids, it says more than the ARN.
        """
        found: Any = ((self.content or {}).get("Metadata") or {}).get("ActionMetadata") or {}
        for key in (block, "parameters", *path, "displayName"):
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number. ``flow`` is the id of the flow that it leads to, or ``""``."""

    id: str
    number: str
    flow: str


@dataclass(frozen=True, slots=True)
class QuickConnect:
    """:param config: Connect's ``QuickConnectConfig``."""

    id: str
    name: str
    config: Mapping[str, Any]

    @property
    def flow(self) -> str:
        """The id of its transfer flow; ``""`` if it calls a phone number."""
        for part in ("UserConfig", "QueueConfig", "FlowConfig"):
            if isinstance(self.config.get(part), dict):
                return last_of(str(self.config[part].get("ContactFlowId") or ""))
        return ""


@dataclass(frozen=True, slots=True)
class Queue:
    """:param config: Connect's ``OutboundCallerConfig``."""

    id: str
    name: str
    config: Mapping[str, Any]

    @property
    def flow(self) -> str:
        """The id of its outbound whisper flow, or ``""``."""
        return last_of(str(self.config.get("OutboundFlowId") or ""))

    @property
    def calls_out(self) -> bool:
        """Whether agents can call from it: that needs a number."""
        return bool(self.config.get("OutboundCallerIdNumberId"))


@dataclass(frozen=True, slots=True)
class Function:
    """A function's ARN, in its parts."""

    arn: str
    region: str
    account: str
    name: str
    alias: str


@dataclass(frozen=True)
class Instance:
    """
    :param flows: Flows and modules, by id.
    :param functions: The ARNs of the functions that flows may invoke; None if that is not known.
    :param start: The ARN of the alias that starts transcription. Default: functions with
        ``start_streaming`` in their name.
    :param stop: The ARN of the alias that stops it. Default: by the functions' names, too.
    :param lifecycle: Whether agent events and contact events start and stop transcription, too.
    :param notes: What the files did not tell.
    """

    flows: Mapping[str, AuditedFlow]
    numbers: tuple[Number, ...] = ()
    quick_connects: tuple[QuickConnect, ...] = ()
    queues: tuple[Queue, ...] = ()
    functions: frozenset[str] | None = None
    arn: str = ""
    start: str = ""
    stop: str = ""
    lifecycle: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def region(self) -> str:
        return self.arn.split(":")[3] if self.arn else ""

    @property
    def account(self) -> str:
        return self.arn.split(":")[4] if self.arn else ""

    @property
    def id(self) -> str:
        return last_of(self.arn)

    @cached_property
    def _by_name(self) -> dict[str, AuditedFlow]:
        return {flow.name: flow for flow in self.flows.values()}

    def default(self, type: str) -> AuditedFlow | None:
        """The flow that Connect runs for a moment for which none is set."""
        flow = self._by_name.get(DEFAULTS.get(type, ""))
        return flow if flow and flow.type == type else None

    def named(self, flow: AuditedFlow, block: str, *path: str) -> AuditedFlow | None:
        """The flow or module that a parameter of a block names; None if it is not here.

        :param path: The keys below ``Parameters``.
        """
        value: Any = flow.parameters(block)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        found = None if is_open(value) else self.flows.get(last_of(value))
        return found or self._by_name.get(flow.shown_name(block, *path))

    def function(self, arn: object) -> Function | None:
        """A function's ARN in its parts; None if it is not known here, or no ARN."""
        if isinstance(arn, str) and self.region:  # a flow that also runs in a replica
            arn = _REGION_OF_THE_FLOW.sub(f":{self.region}:", arn)
        match = _FUNCTION.fullmatch(arn) if isinstance(arn, str) else None
        return Function(match[0], **match.groupdict("")) if match else None

    def role(self, arn: object) -> str:
        """What a function of ours does: ``start`` or ``stop``; else ``""``.

        Also if it is named by the wrong alias, or is that of another account.
        """
        function = self.function(arn)
        if function is None:
            return ""
        for role, ours in (("start", self.start), ("stop", self.stop)):
            if known := self.function(ours):
                if function.name == known.name:
                    return role
            elif _NAMES[role].search(function.name):
                return role
        return ""

    def roles_in(self, flow: AuditedFlow) -> set[str]:
        """What a flow does by functions of ours, itself."""
        return {
            self.role(flow.parameters(name).get("LambdaFunctionARN"))
            for name in flow.of_type(InvokeLambdaFunction.TYPE)
        } - {""}

    def ready_made(self, type: str, name: str) -> AuditedFlow | None:
        """A flow of ours by its name, which may have a prefix."""
        return next(
            (
                flow
                for flow in self.flows.values()
                if flow.type == type
                and (flow.name == name or flow.name.endswith(f" {name}"))
                and self.roles_in(flow)
            ),
            None,
        )


def instance_arn(resource_arn: object) -> str:
    """The ARN of the instance that a flow, queue or quick connect is in, or ``""``."""
    match = _INSTANCE.match(resource_arn) if isinstance(resource_arn, str) else None
    return match[0] if match else ""
