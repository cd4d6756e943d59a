"""How many invocations at a time Lambda keeps for calls, and how many the account has."""

from __future__ import annotations

from dataclasses import replace

from connect_settings.sizing import FOR_OTHER_FUNCTIONS
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

_QUOTA = "service-quotas request-service-quota-increase --service-code lambda "
_QUOTA += "--quota-code L-B99A9384 --desired-value "


def concurrency(plan: Plan) -> Findings:
    answer = plan.aws.read("lambda", "get_account_settings") or {}
    limits = answer["AccountLimit"]
    limit, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    capacity = plan.settings.capacity
    wanted = sum(replace(capacity, reserve=True).reserved.values())
    free += _already(plan)
    missing = wanted + FOR_OTHER_FUNCTIONS - free
    increase = plan.command(f"{_QUOTA}{limit + missing}")
    if not capacity.reserve:
        yield warning(
            f"nothing is reserved: another function of this account that runs {limit} times at a "
            "time leaves no room. Calls then have no transcript, and the webhook refuses ASAPP's "
            "POSTs, which ASAPP does not repeat",
            f"{increase}, then write capacity.reserve = true"
            if missing > 0
            else "write capacity.reserve = true",
        )
    elif missing > 0:
        yield problem(
            f"AWS refuses to reserve {wanted} of {free}, because it keeps "
            f"{FOR_OTHER_FUNCTIONS} for functions without a reservation",
            f"{increase}, or write capacity.reserve = false",
        )
    else:
        yield well(f"{wanted} of {limit} are reserved; {free - wanted} are left to other functions")
    if capacity.consumers >= limit:
        yield warning(
            f"{capacity.consumers} invocations at a time may store utterances, and the account has "
            f"{limit}: a backlog can take all of them",
            increase if missing > 0 else "write a smaller capacity.store_transcript",
        )


def _already(plan: Plan) -> int:
    """What our deployed functions have reserved: a deployment gives it back before it takes."""
    return sum(
        (
            plan.aws.read(
                "lambda",
                "get_function_concurrency",
                absent=("ResourceNotFoundException",),
                FunctionName=name,
            )
            or {}
        ).get("ReservedConcurrentExecutions", 0)
        for name in plan.deployed("transcription", "AWS::Lambda::Function")
    )
