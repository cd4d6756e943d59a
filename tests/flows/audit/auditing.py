"""Small instances for the audit, and what it finds in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connect_flows.audit.audit import audit
from connect_flows.audit.findings import Report
from connect_flows.audit.instance import AuditedFlow, Instance, Number, Queue, QuickConnect
from tests.flow_builders import (
    END,
    FUNCTION,
    HANG_UP,
    START_ARN,
    STOP_ARN,
    Json,
    flow,
    invoke,
    leading,
    queue,
    say,
    stream,
)

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/i"
FULL = f"{INSTANCE}/contact-flow/"
NUMBER = "+15550100"

Found = tuple[str, str, str, str]


def hook(name: str, event: str, to: str, flow: str) -> Json:
    parameters = {"EventHooks": {event: flow if flow.startswith("$") else FULL + flow}}
    return leading(name, "UpdateContactEventHooks", parameters, to)


def queued(*first: Json) -> Json:
    """A flow that does these blocks, the last of which leads to ``Queue``."""
    return flow(*first, queue("Queue", "Hang up"), HANG_UP)


WHISPERED = queued(
    hook("Set whisper", "AgentWhisper", "Left", "whisper"),
    hook("Left", "CustomerRemaining", "Queue", "left"),
)
WHISPER = flow(stream("On", True, "Start"), invoke("Start", "End", START_ARN), END)
LEFT = flow(invoke("Stop", "Off", STOP_ARN), stream("Off", False, "Hang up"), HANG_UP)
SURVEY = flow(say("Ask", "Hang up"), HANG_UP)
QUIET_WHISPER = flow(say("Say", "End"), END)


def instance_of(
    flows: dict[str, tuple[str, Json]],
    *,
    number: str = "main",
    functions: tuple[str, ...] | None = (START_ARN, STOP_ARN),
    drafts: dict[str, Json] | None = None,
    quick_connects: tuple[QuickConnect, ...] = (),
    queues: tuple[Queue, ...] = (),
    lifecycle: bool = False,
) -> Instance:
    """:param flows: The type and the content of each, by its id, which is also its name."""
    return Instance(
        flows={
            id: AuditedFlow(id, id, type, content, (drafts or {}).get(id))
            for id, (type, content) in flows.items()
        },
        numbers=(Number("n", NUMBER, number),) if number else (),
        quick_connects=quick_connects,
        queues=queues,
        functions=None if functions is None else frozenset(functions),
        arn=INSTANCE,
        start=START_ARN,
        stop=STOP_ARN,
        lifecycle=lifecycle,
    )


GOOD: dict[str, tuple[str, Json]] = {
    "main": ("CONTACT_FLOW", WHISPERED),
    "whisper": ("AGENT_WHISPER", WHISPER),
    "left": ("CONTACT_FLOW", LEFT),
}
"""All is well with them."""


def found(report: Report) -> list[Found]:
    return [(each.kind, each.flow, each.block, each.setting) for each in report.findings]


def audited(flows: dict[str, tuple[str, Json]], **more: Any) -> list[Found]:
    return found(audit(instance_of(flows, **more)))


def own(name: str) -> str:
    return f"{FUNCTION}{name}:live"


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content), "utf-8")
