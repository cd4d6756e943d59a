"""The commands that set our flows where the customer's are set, and those that set them back.

Nothing is run. No command sets a hook, because a block of a flow does: then the commands weave a
start or a stop into the flow that the block names.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from connect_flows.audit.findings import Report
from connect_flows.audit.instance import DEFAULTS, AuditedFlow, Instance
from connect_flows.flow_types import AGENT_TRANSFER, OUTBOUND_WHISPER, QUEUE_TRANSFER

_WEAVES = {
    "agent whisper": "start",
    "customer whisper": "start",
    "queue": "stop",
    "hold": "stop",
    "disconnect": "stop",
}
"""What our flow of that moment does."""
_TRANSFERS = {
    "UserConfig": (AGENT_TRANSFER, "Transcription transfer to agent"),
    "QueueConfig": (QUEUE_TRANSFER, "Transcription transfer to queue"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """
    :param what: What it changes.
    :param set: Commands that set ours.
    :param back: Commands that set the old one back.
    """

    what: str
    set: tuple[str, ...]
    back: tuple[str, ...]


def changes(instance: Instance, report: Report) -> list[Change]:
    """Every setting of the customer's in which a flow of ours could stand."""
    if not instance.arn:
        return []
    return [
        *_queues(instance),
        *_quick_connects(instance),
        *_hooks(instance, report),
        *_numbers(instance, report),
    ]


def _aws(instance: Instance, *words: str) -> str:
    command = ["aws", "connect", words[0], "--instance-id", instance.id, *words[1:]]
    return f"{shlex.join(command)} --region {instance.region}"


def _queues(instance: Instance) -> Iterator[Change]:
    ours = instance.ready_made(OUTBOUND_WHISPER, "Transcription outbound whisper")
    default = instance.default(OUTBOUND_WHISPER)
    for queue in instance.queues:
        before = queue.flow or (default.id if default else "")
        known = instance.flows.get(before)
        if not ours or not queue.calls_out or (known and "start" in instance.roles_in(known)):
            continue
        commands = [
            _aws(
                instance,
                "update-queue-outbound-caller-config",
                "--queue-id",
                queue.id,
                "--outbound-caller-config",
                json.dumps({**queue.config, "OutboundFlowId": flow}, ensure_ascii=False),
            )
            for flow in (ours.id, before)
            if flow
        ]
        what = f"the outbound whisper flow of the queue {queue.name!r}"
        yield Change(what, (commands[0],), tuple(commands[1:]))


def _quick_connects(instance: Instance) -> Iterator[Change]:
    for quick_connect in instance.quick_connects:
        for part, (type, name) in _TRANSFERS.items():
            config = quick_connect.config.get(part)
            ours = instance.ready_made(type, name)
            known = instance.flows.get(quick_connect.flow)
            if not isinstance(config, dict) or not ours or (known and instance.roles_in(known)):
                continue
            commands = [
                _aws(
                    instance,
                    "update-quick-connect-config",
                    "--quick-connect-id",
                    quick_connect.id,
                    "--quick-connect-config",
                    json.dumps(
                        {**quick_connect.config, part: {**config, "ContactFlowId": flow}},
                        ensure_ascii=False,
                    ),
                )
                for flow in (ours.id, str(config.get("ContactFlowId")))
            ]
            yield Change(
                f"the transfer flow of the quick connect {quick_connect.name!r}",
                (commands[0],),
                (commands[1],),
            )


def _hooks(instance: Instance, report: Report) -> Iterator[Change]:
    """The customer's flows for later moments: weave into them, as no command sets a hook."""
    moments: dict[tuple[str, str], None] = {}
    for path in report.paths.values():
        moments |= {each: None for each in path.flows if each[0] in _WEAVES}
    for moment, id in moments:
        flow, role = instance.flows.get(id), _WEAVES[moment]
        if flow is None or instance.roles_in(flow):
            continue
        # A stop at a hold needs the lifecycle; Connect's defaults are everybody's.
        if (moment == "hold" and not instance.lifecycle) or flow.name in DEFAULTS.values():
            continue
        yield _woven(instance, flow, role, f"the {moment} flow {flow.name!r}")


def _woven(instance: Instance, flow: AuditedFlow, role: str, what: str) -> Change:
    name = re.sub(r"[^A-Za-z0-9]+", "-", flow.name).strip("-").lower() or flow.id
    ours = {"start": instance.start, "stop": instance.stop}[role] or f"${role.upper()}_ARN"
    describe = _aws(
        instance,
        "describe-contact-flow",
        "--contact-flow-id",
        flow.id,
        "--query",
        "ContactFlow.Content",
        "--output",
        "text",
    )
    update = _aws(instance, "update-contact-flow-content", "--contact-flow-id", flow.id)
    return Change(
        what,
        (
            f"{describe} > {name}.json",
            f"python -m connect_flows weave {name}.json --type {flow.type} --{role} {ours} "
            f"> {name}-woven.json",
            f"{update} --content file://{name}-woven.json",
        ),
        (f"{update} --content file://{name}.json",),
    )


def _numbers(instance: Instance, report: Report) -> Iterator[Change]:
    """Flows that set no whisper: in a copy, a person puts the block, and a number leads to it."""
    lacking = {
        each.flow_id: each.block
        for each in report.findings
        if each.kind == "no-transcript" and each.setting == "Set whisper flow"
    }
    for number in instance.numbers:
        flow = instance.flows.get(number.flow)
        if flow is None or flow.id not in lacking:
            continue
        associate = _aws(
            instance, "associate-phone-number-contact-flow", "--phone-number-id", number.id
        )
        yield Change(
            f"the flow of {number.number}: in a copy of {flow.name!r}, put *Set whisper flow* "
            f"before {lacking[flow.id]!r}; COPY is the id of the copy",
            (f'{associate} --contact-flow-id "$COPY"',),
            (f"{associate} --contact-flow-id {flow.id}",),
        )


def shown(changes: list[Change]) -> Iterator[str]:
    """The commands, to paste. Each is one line."""
    if not changes:
        yield "# There is nothing to set, or no instance to set it in."
    for change in changes:
        yield f"# {change.what}"
        yield from change.set
        yield "# and back:" if change.back else "# there was none before"
        yield from change.back
        yield ""
