"""The metrics that Connect keeps of a flow."""

from __future__ import annotations

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct


def flow_metric(
    scope: Construct, instance_arn: str, flow_name: str, metric_name: str
) -> cloudwatch.Metric:
    """A metric of one flow, summed over five minutes.

    Source: https://docs.aws.amazon.com/connect/latest/adminguide/monitoring-cloudwatch.html
    """
    instance = Stack.of(scope).split_arn(instance_arn, ArnFormat.SLASH_RESOURCE_NAME)
    return cloudwatch.Metric(
        namespace="AWS/Connect",
        metric_name=metric_name,
        dimensions_map={
            "InstanceId": str(instance.resource_name),
            "MetricGroup": "ContactFlow",
            "ContactFlowName": flow_name,
        },
        statistic=cloudwatch.Stats.SUM,
        period=Duration.minutes(5),
    )
