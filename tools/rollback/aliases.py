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
    :param of_stack: The version that the stack has.
    :param is_new: Whether the last deployment published it. A deployment publishes only versions of
        functions that it changes.
    :param before: The newest version before that, if one is left.
    :param before_from: When that one was published; as Lambda writes it.
    """

    function: str
    version: int
    shifting: bool
    of_stack: int
    is_new: bool
    before: int | None
    before_from: str


def aliases(stack: Stack) -> Iterator[Alias]:
    """Those of a stack, sorted by function."""
    is_new = stack.changed("AWS::Lambda::Version")
    published = dict(arn.rpartition(":")[::2] for arn in is_new)
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
        earlier = {
            int(each["Version"]): each["LastModified"]
            for each in versions or []
            if each["Version"].isdecimal() and int(each["Version"]) < of_stack
        }
        before = max(earlier, default=None)
        yield Alias(
            function=function,
            version=int(answer["FunctionVersion"]),
            shifting=bool(answer.get("RoutingConfig", {}).get("AdditionalVersionWeights")),
            of_stack=of_stack,
            is_new=is_new[f"{function_arn}:{of_stack}"],
            before=before,
            before_from=earlier[before] if before else "",
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
