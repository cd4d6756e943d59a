"""The whole audit of an instance."""

from __future__ import annotations

from collections.abc import Iterator

from connect_flows.audit import checks
from connect_flows.audit.findings import Report
from connect_flows.audit.instance import Instance
from connect_flows.audit.walk import Walk
from connect_flows.flow_types import INBOUND, OUTBOUND_WHISPER, TRANSFERS


def audit(instance: Instance) -> Report:
    """Everything that is wrong in an instance, and notes on what is unknown."""
    walk, report = Walk(instance), Report()
    notes: dict[str, None] = dict.fromkeys(instance.notes)
    for entry, flow in _entries(instance):
        report.paths[entry] = walk.from_flow(entry, flow)
    for queue in instance.queues:
        if queue.calls_out:
            entry = f"queue {queue.name}"
            default = instance.default(OUTBOUND_WHISPER)
            flow = queue.flow or (default.id if default else "")
            report.paths[entry] = walk.from_queue(entry, queue.id, flow)
    report.add(walk.findings)
    for check in (checks.functions, checks.drafts, checks.unnamed):
        report.add(list(check(instance, notes)))
    notes |= walk.notes
    notes |= dict.fromkeys(checks.unknown_blocks(instance))
    if not instance.numbers and not instance.quick_connects:
        notes[
            "the files name no phone number and no quick connect: calls begin in each inbound "
            "flow and transfer flow that no other flow names"
        ] = None
    report.notes = list(notes)
    return report


def _entries(instance: Instance) -> Iterator[tuple[str, str]]:
    """What calls begin with, and the id of its flow. Numbers with one flow are one entry."""
    numbers: dict[str, list[str]] = {}
    for number in instance.numbers:
        if number.flow:
            numbers.setdefault(number.flow, []).append(number.number)
    for flow, having in numbers.items():
        yield ", ".join(having), flow
    for quick_connect in instance.quick_connects:
        if quick_connect.flow:
            yield f"quick connect {quick_connect.name}", quick_connect.flow
    if not instance.numbers and not instance.quick_connects:
        by_others = checks.named(instance)
        for found in instance.flows.values():
            if found.type in {INBOUND, *TRANSFERS} and found.id not in by_others:
                yield f"flow {found.name}", found.id
