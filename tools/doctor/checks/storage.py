"""The storage configurations of an instance: at most one of each kind."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tools.doctor.checks.instance import NO_INSTANCE
from tools.doctor.findings import Finding, NotSeen, problem, well
from tools.doctor.plan import Plan


def storage(plan: Plan, kind: str) -> dict[str, Any] | None:
    """The instance's configuration.

    :param kind: MEDIA_STREAMS, AGENT_EVENTS, CALL_RECORDINGS or SCHEDULED_REPORTS.
    """
    found = plan.aws.pages(
        "connect",
        "list_instance_storage_configs",
        "StorageConfigs",
        absent=("ResourceNotFoundException",),
        InstanceId=plan.instance_id,
        ResourceType=kind,
    )
    if found is None:
        raise NotSeen(NO_INSTANCE)
    return found[0] if found else None


def managed(
    plan: Plan, found: dict[str, Any] | None, *, stack: str, otherwise: str
) -> Generator[Finding, None, bool]:
    """For mode "manage": whether what was found is our stack's own.

    :param stack: The one that holds it: access or transcription.
    :param otherwise: What to do if it is somebody else's.
    """
    ours = plan.deployed(stack, "AWS::Connect::InstanceStorageConfig")
    if found is None and not ours:
        yield well("not set on the instance yet, which the deployment does")
    elif found is None:
        yield problem(
            f"removed from the instance, of which the stack {plan.stack(stack)} knows nothing: "
            "it would not set it again",
            'deploy with mode = "adopt", so that the stack forgets it, then with mode = "manage"',
        )
    elif not any(found["AssociationId"] in each for each in ours):
        yield problem(
            "set on the instance already, and not by our stack; an instance has only one, so with "
            'mode = "manage" the deployment fails',
            otherwise,
        )
    else:
        return True
    return False
