"""The stacks of an environment, and what CloudFormation says of their drift."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.doctor.aws import Aws
from tools.doctor.checks.media_streaming import own_prefix
from tools.doctor.findings import NotSeen, problem

ACTIONS = {
    ("cloudformation", "describe_stack_drift_detection_status"): (
        "cloudformation:DescribeStackDriftDetectionStatus"
    ),
    ("cloudformation", "describe_stack_resource_drifts"): (
        "cloudformation:DescribeStackResourceDrifts"
    ),
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "detect_stack_drift"): "cloudformation:DetectStackDrift",
    ("cloudformation", "get_template"): "cloudformation:GetTemplate",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("iam", "get_role_policy"): "iam:GetRolePolicy",
    ("iam", "list_attached_role_policies"): "iam:ListAttachedRolePolicies",
    ("iam", "list_role_policies"): "iam:ListRolePolicies",
}
"""What is called, and what IAM must allow for it. CloudFormation reads more in the caller's name:
docs/promote.md."""

_TIME_LIMIT_SECONDS = 900
_BETWEEN_SECONDS = 5
_SHOWN = 300
"""Characters that are shown of a value; the console shows the rest."""


@dataclass(frozen=True)
class Deployed:
    """One environment in AWS.

    :param sleep: Waits some seconds.
    """

    aws: Aws
    environment: str
    account: str
    instance_alias: str
    sleep: Callable[[float], None] = time.sleep

    def stacks(self) -> list[Stack]:
        """The stacks of this environment. Those of prod-eu are not those of prod.

        :raises NotSeen: If AWS does not tell.
        """
        ours = re.compile(f"autotranscribe-{re.escape(self.environment)}-[a-z]+")
        found = self.aws.pages("cloudformation", "describe_stacks", "Stacks") or []
        return [
            Stack(
                each["StackName"],
                {
                    output["ExportName"]: output["OutputValue"]
                    for output in each.get("Outputs", [])
                    if "ExportName" in output
                },
            )
            for each in found
            if ours.fullmatch(each["StackName"]) and each["StackStatus"] != "DELETE_COMPLETE"
        ]


@dataclass(frozen=True)
class Stack:
    """:param exports: The values that it exports, by the exports' names."""

    name: str
    exports: Mapping[str, str]

    @property
    def short(self) -> str:
        return self.name.rpartition("-")[2]


@dataclass
class Drifts:
    """What CloudFormation found.

    :param compared: How many resources it compared.
    :param not_looked_at: The types of those that it cannot compare, one for each.
    """

    compared: int = 0
    drifted: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)


def detect(deployed: Deployed, stacks: Sequence[Stack]) -> Drifts:
    """Let CloudFormation compare all stacks, at the same time.

    :raises NotSeen: If AWS does not tell, or not in time.
    """
    running = [(stack, _begin(deployed.aws, stack)) for stack in stacks]
    found = Drifts()
    for stack, detection in running:
        status = _end(deployed, stack, detection)
        if status["DetectionStatus"] == "DETECTION_FAILED":
            reason = status.get("DetectionStatusReason", "no reason given")
            found.unknown.append(f"{stack.short}: {reason}")
        looked_at = set()
        for drift in _drifts(deployed.aws, stack):
            state, id = drift["StackResourceDriftStatus"], drift["LogicalResourceId"]
            name = f"{stack.short} {id} ({drift['ResourceType']})"
            if state in ("NOT_CHECKED", "UNSUPPORTED"):
                continue
            looked_at.add(id)
            if state == "UNKNOWN":
                reason = drift.get("DriftStatusReason", "no reason given")
                found.unknown.append(f"{name}: {reason}")
            elif state == "DELETED":
                found.drifted.append(f"{name}: it is gone")
            elif state == "MODIFIED":
                found.drifted += (f"{name}: {each}" for each in _differences(deployed, drift))
        found.compared += len(looked_at)
        found.not_looked_at += (
            each["ResourceType"]
            for each in resources(deployed.aws, stack)
            if each["LogicalResourceId"] not in looked_at
            and each["ResourceType"] != "AWS::CDK::Metadata"
        )
    return found


def resources(aws: Aws, stack: Stack) -> list[dict[str, Any]]:
    return (
        aws.pages(
            "cloudformation",
            "list_stack_resources",
            "StackResourceSummaries",
            StackName=stack.name,
        )
        or []
    )


def _begin(aws: Aws, stack: Stack) -> str:
    answer = aws.read("cloudformation", "detect_stack_drift", StackName=stack.name) or {}
    return str(answer["StackDriftDetectionId"])


def _end(deployed: Deployed, stack: Stack, detection: str) -> dict[str, Any]:
    for _ in range(_TIME_LIMIT_SECONDS // _BETWEEN_SECONDS):
        status = deployed.aws.read(
            "cloudformation",
            "describe_stack_drift_detection_status",
            StackDriftDetectionId=detection,
        )
        assert status is not None  # noqa: S101 - no error code counts as absent
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return status
        deployed.sleep(_BETWEEN_SECONDS)
    what = f"{stack.name}: the detection was not over after {_TIME_LIMIT_SECONDS // 60} minutes"
    raise NotSeen(problem(what, "run it again"))


def _drifts(aws: Aws, stack: Stack) -> Iterator[dict[str, Any]]:
    """Page by page; boto3 has no paginator for it."""
    request = {"StackName": stack.name}
    while True:
        answer = aws.read("cloudformation", "describe_stack_resource_drifts", (), **request)
        assert answer is not None  # noqa: S101 - no error code counts as absent
        yield from answer["StackResourceDrifts"]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _differences(deployed: Deployed, drift: Mapping[str, Any]) -> Iterator[str]:
    for each in drift.get("PropertyDifferences", []):
        path, expected, actual = each["PropertyPath"], each["ExpectedValue"], each["ActualValue"]
        if (
            drift["ResourceType"] == "AWS::Connect::InstanceStorageConfig"
            and path == "/KinesisVideoStreamConfig/Prefix"
            and own_prefix(_plain(actual), deployed.instance_alias) == _plain(expected)
        ):
            continue  # Connect tells the prefix with what it adds to it
        yield f"{path} is {_short(actual)}, and was deployed as {_short(expected)}"


def _plain(value: str) -> str:
    """A property's value; CloudFormation documents a string, which may be JSON's or plain."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
