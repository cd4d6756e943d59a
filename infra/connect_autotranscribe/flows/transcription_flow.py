"""One flow in a Connect instance."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_connect as connect
from constructs import Construct

from connect_autotranscribe._arguments import check_arguments, like
from connect_autotranscribe.flows._flow_metric import flow_metric
from connect_flows.flow import Flow, described


class TranscriptionFlow(Construct):
    """Puts a flow into a Connect instance, published at once.

    The flow's description says that CDK manages it: CloudFormation does not see edits in the flow
    designer, and overwrites them. Connect takes two requests a second, so make each flow depend on
    the one before.

    :param instance_arn: The Connect instance, whole ARN.
    :param flow: A ready-made flow, or your own `Flow`.

    .. code-block:: python

        TranscriptionFlow(
            self,
            "AgentWhisper",
            instance_arn=instance_arn,
            flow=agent_whisper(
                start_function_arn=start_streaming.arn,
                customer_id_path="$.CustomerEndpoint.Address",
                agent_id_path="$.Agent.UserName",
            ),
        )
    """

    def __init__(self, scope: Construct, id: str, *, instance_arn: str, flow: Flow) -> None:
        super().__init__(scope, id)
        check_arguments(self, like("connect", instance_arn=instance_arn))
        self._instance_arn, self._name = instance_arn, flow.name
        self.resource = connect.CfnContactFlow(
            self,
            "Flow",
            instance_arn=instance_arn,
            name=flow.name,
            type=flow.type,
            description=described(flow.description),
            content=flow.to_json(),
        )
        self.arn = self.resource.attr_contact_flow_arn

    def metric(self, metric_name: str) -> cloudwatch.Metric:
        """What Connect counts of this flow, summed over five minutes.

        :param metric_name: ``ContactFlowErrors`` or ``ContactFlowFatalErrors``.
        """
        return flow_metric(self, self._instance_arn, self._name, metric_name)
