"""A function that the flows of one Connect instance may invoke."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import Fn, Token
from aws_cdk import aws_connect as connect
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe._arguments import check_arguments, like

MAX_FUNCTION_ARN_CHARACTERS = 140
_AROUND_REGION = range(3), range(4, 8)
"""The places in ``arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS``."""


class FlowFunction(Construct):
    """Lets the flows of one Connect instance invoke a function.

    If both are in the same Region, Connect itself adds the function's resource permission. The
    permission is for exactly this ARN. So flows must invoke `arn`; for an alias, this is the
    alias's ARN.

    :param instance_arn: The Connect instance, whole ARN.
    :param function: The function, or an alias of it. Its ARN has at most 140 characters.
    :param resiliency: Whether the flows also run in the instance's replica in another Region
        (*Global Resiliency*). Then ``arn`` names no Region, so flows invoke the function of this
        name in the Region where they run. Default: no.

    .. code-block:: python

        FlowFunction(self, "StartStreaming", instance_arn=instance_arn, function=start_alias)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_arn: str,
        function: lambda_.IFunction,
        resiliency: bool = False,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            like("connect", instance_arn=instance_arn, resiliency=resiliency),
            _too_long(function.function_arn),
        )
        self.instance_arn = instance_arn
        #: The ARN for the Lambda blocks of flows.
        self.arn = function.function_arn
        if resiliency:
            self.arn = _in_any_region(function.function_arn)
        self.association = connect.CfnIntegrationAssociation(
            self,
            "Association",
            instance_id=instance_arn,
            integration_type="LAMBDA_FUNCTION",
            integration_arn=function.function_arn,
        )


def _in_any_region(function_arn: str) -> str:
    """An ARN of an alias in which a flow puts the Region where it runs.

    https://docs.aws.amazon.com/connect/latest/adminguide/create-replica-connect-instance.html
    """
    if not Token.is_unresolved(function_arn):
        parts = function_arn.split(":")
        return ":".join([*parts[:3], "$.AwsRegion", *parts[4:]])
    split = Fn.split(":", function_arn)
    before, after = ([Fn.select(place, split) for place in places] for places in _AROUND_REGION)
    return Fn.join(":", [*before, "$.AwsRegion", *after])


def _too_long(function_arn: str) -> Iterator[str]:
    """What Connect would refuse of a function's ARN. An unresolved token passes."""
    if not Token.is_unresolved(function_arn) and len(function_arn) > MAX_FUNCTION_ARN_CHARACTERS:
        yield (
            f"function: its ARN has {len(function_arn)} characters, and Connect takes at most "
            f"{MAX_FUNCTION_ARN_CHARACTERS}; write one with a shorter name"
        )
