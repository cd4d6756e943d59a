"""The function that may change or refuse an utterance: without its answer nothing is stored."""

from __future__ import annotations

from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan


def on_utterance(plan: Plan) -> Findings:
    arn = plan.settings.on_utterance.function_arn
    if not arn:
        yield well("no function changes what is stored")
        return
    absent = ("ResourceNotFoundException",)
    found = plan.aws.read("lambda", "get_function_configuration", absent=absent, FunctionName=arn)
    if found is None:
        yield problem(
            f"{arn} does not exist: nothing would be stored",
            "deploy it, or remove on_utterance.function_arn",
        )
        return
    state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
    if state == "Failed" or update == "Failed":
        reason = (
            found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
        )
        yield problem(f"{arn} cannot run ({reason}): nothing would be stored", "deploy it again")
    elif state == "Active":
        yield well(f"{arn} is {state}")
    else:
        yield warning(f"{arn} is {state}", "invoke it once, and run this again")
