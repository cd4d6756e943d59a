"""The Connect instance."""

from __future__ import annotations

from tools.doctor.findings import Findings, problem, well
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
