"""The aliases that flows, API Gateway and the queue invoke, and the versions behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools.doctor.aws import Aws
from tools.rollback.stack import Stack

ACTIONS = {
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("lambda", "get_alias"): "lambda:GetAlias",
    ("lambda", "list_versions_by_function"): "lambda:ListVersionsByFunction",
    ("lambda", "update_alias"): "lambda:UpdateAlias",
}
"""What is called, and what IAM must allow for it. Only the last one changes something."""
_LIVE = "live"


@dataclass(frozen=True, kw_only=True)
class Alias:
    """One alias ``live``.

    :param version: The version that it points to.
    :param shifting: Whether a part of the traffic goes to a second version.
    :param of_stack: The version that the last deployment published.
    :param before: The newest version before that, if one is left.
    """

    function: str
    version: int
    shifting: bool
    of_stack: int
    before: int | None


def aliases(stack: Stack) -> Iterator[Alias]:
    """Those of a stack, sorted by function."""
    published = dict(arn.rpartition(":")[::2] for arn in stack.physical_ids("AWS::Lambda::Version"))
    for arn in sorted(stack.physical_ids("AWS::Lambda::Alias")):
        function_arn, _, name = arn.rpartition(":")
        if name != _LIVE or function_arn not in published:
            continue
        function = function_arn.rpartition(":")[2]
        answer = stack.aws.read("lambda", "get_alias", FunctionName=function, Name=name) or {}
        of_stack = int(published[function_arn])
        versions = stack.aws.pages(
            "lambda", "list_versions_by_function", "Versions", FunctionName=function
        )
        numbers = [each["Version"] for each in versions or []]
        yield Alias(
            function=function,
            version=int(answer["FunctionVersion"]),
            shifting=bool(answer.get("RoutingConfig", {}).get("AdditionalVersionWeights")),
            of_stack=of_stack,
            before=max(
                (int(each) for each in numbers if each.isdecimal() and int(each) < of_stack),
                default=None,
            ),
        )


def move(aws: Aws, alias: Alias, version: int) -> None:
    """Point an alias to one version, for all traffic."""
    aws.read(
        "lambda",
        "update_alias",
        FunctionName=alias.function,
        Name=_LIVE,
        FunctionVersion=str(version),
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
