"""A function that the flows of one Connect instance may invoke."""

from __future__ import annotations

from aws_cdk import Token
from aws_cdk import aws_connect as connect
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

MAX_INSTANCE_ARN_CHARACTERS = 100
MAX_FUNCTION_ARN_CHARACTERS = 140


class FlowFunction(Construct):
    """Lets the flows of one Connect instance invoke a function.

    If both are in the same Region, Connect itself adds the function's resource permission. The
    permission is for exactly this ARN. So flows must invoke `arn`; for an alias, this is the
    alias's ARN.

    :param instance_arn: The Connect instance, whole ARN.
    :param function: The function, or an alias of it. Its ARN has at most 140 characters.

    .. code-block:: python

        FlowFunction(self, "StartStreaming", instance_arn=instance_arn, function=start_alias)
    """

    def __init__(
        self, scope: Construct, id: str, *, instance_arn: str, function: lambda_.IFunction
    ) -> None:
        super().__init__(scope, id)
        _check(instance_arn, function.function_arn)
        self.instance_arn = instance_arn
        #: The ARN for the Lambda blocks of flows.
        self.arn = function.function_arn
        self.association = connect.CfnIntegrationAssociation(
            self,
            "Association",
            instance_id=instance_arn,
            integration_type="LAMBDA_FUNCTION",
            integration_arn=function.function_arn,
        )


def _check(instance_arn: str, function_arn: str) -> None:
    """Raise for an ARN that Connect would refuse. An unresolved token passes."""
    problems = [
        f"{name} has {len(arn)} characters, and Connect takes at most {limit}: {advice}"
        for name, arn, limit, advice in (
            ("instance_arn", instance_arn, MAX_INSTANCE_ARN_CHARACTERS, "give the ARN alone"),
            ("the function's ARN", function_arn, MAX_FUNCTION_ARN_CHARACTERS, "shorten its name"),
        )
        if not Token.is_unresolved(arn) and len(arn) > limit
    ]
    if not Token.is_unresolved(instance_arn) and ":instance/" not in instance_arn:
        problems.append(f"instance_arn is {instance_arn!r}: give the ARN, not the id or the alias")
    if problems:
        raise ValueError("; ".join(problems))
