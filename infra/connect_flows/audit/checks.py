"""What is wrong whether or not a call comes by: functions, drafts, and flows that nothing names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from connect_flow import diff
from connect_flow import flow as connect_flow

from connect_flows.audit.findings import Finding, Kind
from connect_flows.audit.instance import (
    DEFAULTS,
    AuditedFlow,
    Function,
    Instance,
    is_open,
    last_of,
)
from connect_flows.audit.walk import KNOWN_BLOCKS
from connect_flows.blocks import InvokeLambdaFunction
from connect_flows.flow_content import Content
from connect_flows.flow_types import AGENT_WHISPER, CUSTOMER_WHISPER, MODULE, QUEUE

_SHOWN = 5


def functions(instance: Instance, notes: dict[str, None]) -> Iterator[Finding]:
    """Lambda blocks that cannot work. Connect does not report a wrong ARN: no log shows it."""
    for flow in instance.flows.values():
        for block in flow.of_type(InvokeLambdaFunction.TYPE):
            arn = flow.parameters(block).get("LambdaFunctionARN")
            function = instance.function(arn)
            if is_open(arn):
                why = f"is known only during a call ({arn})" if arn else "is not set"
                notes[f"{flow.name} / {block}: the function {why}, so it is not checked"] = None
            elif function is None:
                notes[f"{flow.name} / {block}: {arn!r} is no ARN of a function"] = None
            elif fault := _fault(instance, function):
                kind, what, remedy = fault
                yield Finding(kind, flow.name, flow.id, block, "LambdaFunctionARN", what, remedy)


def _fault(instance: Instance, function: Function) -> tuple[Kind, str, str] | None:
    role = instance.role(function.arn)
    ours = {"start": instance.start, "stop": instance.stop}.get(role, "")
    named = f"name {ours}" if ours else "name the ARN of an alias of your account"
    if instance.arn and (function.account, function.region) != (instance.account, instance.region):
        place = f"account {function.account}, {function.region}"
        if role:
            return (
                "function-of-another-account",
                f"it names {function.name} of {place}: another environment's",
                named,
            )
        return (
            "function-of-another-account",
            f"it names {function.name} of {place}: only a permission on that function lets the "
            "instance invoke it",
            "name a function of the instance's account and region",
        )
    version = not function.alias or function.alias == "$LATEST" or function.alias.isdecimal()
    if role and (function.arn != ours if ours else version):
        return "function-not-our-alias", f"it names {function.arn}", named
    if instance.functions is not None and function.arn not in instance.functions:
        return (
            "function-not-associated",
            f"it names {function.arn}: such a block takes its error branch, and no log shows why",
            "aws connect associate-lambda-function, or deploy the flows stack for our functions",
        )
    return None


def drafts(instance: Instance, notes: dict[str, None]) -> Iterator[Finding]:
    """What was saved and not published. Positions of blocks do not count."""
    for flow in instance.flows.values():
        if flow.content is None and flow.draft is not None:
            notes[
                f"{flow.name} was never published, so no call meets it: publish it, or delete it"
            ] = None
        elif flow.content is not None and flow.draft is not None:
            blocks = _differences(flow.content, flow.draft)
            if not blocks:
                continue
            more = f" and {len(blocks) - _SHOWN} more" if len(blocks) > _SHOWN else ""
            yield Finding(
                "draft-differs",
                flow.name,
                flow.id,
                blocks[0] if len(blocks) == 1 else "",
                "Save and Publish",
                f"in what is saved, these blocks differ: {', '.join(blocks[:_SHOWN])}{more}",
                "publish it, or save what is published",
            )


def _differences(published: Content, draft: Content) -> list[str]:
    """The blocks that differ; ``the entry`` if the flow begins elsewhere."""
    found = diff.compare(
        _parsed(published), _parsed(draft), label_a="published", label_b="saved", functional=True
    )
    blocks = sorted({*found.added, *found.removed, *found.changed})
    return blocks or (["the entry"] if found.flow_level_changed else [])


def _parsed(content: Content) -> Any:
    metadata = {"ActionMetadata": {}} | (content.get("Metadata") or {})
    return connect_flow.parse(json.dumps({**content, "Metadata": metadata}))


def unnamed(instance: Instance, notes: dict[str, None]) -> Iterator[Finding]:
    """Flows of ours that nothing names: they never run."""
    having_a_name = named(instance)
    ours = [
        flow
        for flow in instance.flows.values()
        if flow.name not in DEFAULTS.values() and instance.roles_in(flow)
    ]
    whispers = {AGENT_WHISPER, CUSTOMER_WHISPER}
    whispers_run = any(flow.id in having_a_name and flow.type in whispers for flow in ours)
    for flow in ours:
        if flow.id in having_a_name:
            continue
        if flow.type in (MODULE, QUEUE) or (flow.type in whispers and whispers_run):
            notes[f"nothing names {flow.name!r} of ours: that is right if you do not need it"] = (
                None
            )
            continue
        yield Finding(
            "named-by-nothing",
            flow.name,
            flow.id,
            "",
            _where(flow),
            "no flow, phone number, queue or quick connect names it",
            "set it there, or delete it",
        )


def _where(flow: AuditedFlow) -> str:
    return {
        "AGENT_WHISPER": "Set whisper flow",
        "CUSTOMER_WHISPER": "Set whisper flow",
        "OUTBOUND_WHISPER": "Outbound whisper flow of the queue",
        "CUSTOMER_HOLD": "Set hold flow",
        "AGENT_HOLD": "Set hold flow",
        "AGENT_TRANSFER": "Contact flow of the quick connect",
        "QUEUE_TRANSFER": "Contact flow of the quick connect",
    }.get(flow.type, "Set disconnect flow, or the phone number")


def named(instance: Instance) -> set[str]:
    """The ids of the flows that something else names."""
    all_named = {
        *(number.flow for number in instance.numbers),
        *(quick_connect.flow for quick_connect in instance.quick_connects),
        *(queue.flow for queue in instance.queues),
    }
    for flow in instance.flows.values():
        found: set[str] = set()
        for block in flow.actions:
            found |= {last_of(text) for text in _texts(flow.parameters(block))}
            for path in (("ContactFlowId",), ("FlowModuleId",)):
                if other := instance.named(flow, block, *path):
                    found.add(other.id)
            hooks = flow.parameters(block).get("EventHooks")
            for event in hooks if isinstance(hooks, dict) else ():
                if other := instance.named(flow, block, "EventHooks", event):
                    found.add(other.id)
        all_named |= found - {flow.id}
    return all_named


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def unknown_blocks(instance: Instance) -> Iterator[str]:
    """Notes on blocks that nobody here knows."""
    found: dict[str, list[str]] = {}
    for flow in instance.flows.values():
        for kind in {str(action["Type"]) for action in flow.actions.values()} - KNOWN_BLOCKS:
            found.setdefault(kind, []).append(flow.name)
    for kind, flows in sorted(found.items()):
        more = f" and {len(flows) - 1} more" if len(flows) > 1 else ""
        yield f"{kind} is not known here, in {flows[0]!r}{more}: all of its branches are followed"
