"""What an earlier deployment left behind."""

from __future__ import annotations

from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

STACKS = ("access", "transcription", "flows")


def stacks(plan: Plan) -> Findings:
    """No stack is in a state from which the command line of CDK cannot go on."""
    for which in STACKS:
        name = plan.stack(which)
        answer = plan.aws.read(
            "cloudformation", "describe_stacks", absent=("ValidationError",), StackName=name
        )
        if answer is None:
            yield well(f"{name} is not there yet")
            continue
        stack = answer["Stacks"][0]
        status = stack["StackStatus"]
        if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
            if stack.get("EnableTerminationProtection"):
                yield problem(
                    f"{name} is {status}: its first deployment failed, and the next one cannot "
                    "delete what is left, because the stack is protected",
                    plan.command(
                        "cloudformation update-termination-protection "
                        f"--no-enable-termination-protection --stack-name {name}"
                    )
                    + ", then deploy: CDK deletes the stack, makes it again and protects it again",
                )
            else:
                yield warning(
                    f"{name} is {status}: its first deployment failed",
                    "deploy again: CDK deletes the stack and makes it again",
                )
        elif status == "UPDATE_ROLLBACK_FAILED":
            yield problem(
                f"{name} is {status}: nothing can be deployed",
                plan.command(f"cloudformation continue-update-rollback --stack-name {name}"),
            )
        else:
            yield well(f"{name} is {status}")
