"""The Connect instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

NO_INSTANCE = problem("not seen: the instance does not exist", "write connect.instance_arn")


def instance(plan: Plan) -> Findings:
    settings = plan.settings.connect
    answer = plan.aws.read(
        "connect",
        "describe_instance",
        absent=("ResourceNotFoundException",),
        InstanceId=plan.instance_id,
    )
    if answer is None:
        yield problem(
            f"{settings.instance_arn} does not exist",
            f"write connect.instance_arn: {plan.command('connect list-instances')} shows it",
        )
        return
    found = answer["Instance"]
    status, alias = found["InstanceStatus"], found.get("InstanceAlias", "")
    if status != "ACTIVE":
        reason = found.get("StatusReason", {}).get("Message", "no reason given")
        yield problem(
            f"its status is {status} ({reason}), not ACTIVE",
            "wait until it is made, or name another one in connect.instance_arn",
        )
    if alias != settings.instance_alias:
        yield problem(
            f'its alias is "{alias}", not "{settings.instance_alias}"',
            f'write connect.instance_alias = "{alias}", if it is the right instance',
        )
    if status == "ACTIVE" and alias == settings.instance_alias:
        yield well(f'"{alias}" is ACTIVE')
    yield from _replication(plan, answer.get("ReplicationConfiguration") or {})


def _replication(plan: Plan, replication: Mapping[str, Any]) -> Findings:
    """Connect mirrors its flows into a replica; what flows call is not there by itself."""
    here = plan.settings.region
    others = {
        each["Region"]: each.get("ReplicationStatus", "status unknown")
        for each in replication.get("ReplicationStatusSummaryList", [])
        if each.get("Region") not in (here, None)
    }
    source = replication.get("SourceRegion") or here
    if source != here:
        yield warning(
            f"it is the replica of {source}, from where Connect mirrors the flows: the flows stack "
            "would make flows beside the mirrored ones, or be refused because of their names",
            "deploy access and transcription here, not flows: docs/resiliency.md",
        )
        return
    regions = ", ".join(f"{region} ({status})" for region, status in others.items())
    if others and plan.settings.connect.resiliency:
        yield well(f"it is replicated to {regions}; there the functions must be deployed, too")
    elif others:
        yield warning(
            f"it is replicated to {regions}, where no call would be transcribed: our flows name "
            f"functions of {here}, and the functions have generated names, so they cannot have the "
            "same names there",
            "set connect.resiliency = true as docs/resiliency.md says, before traffic goes there",
        )
