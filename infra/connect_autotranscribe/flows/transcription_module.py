"""One flow module in a Connect instance."""

from __future__ import annotations

from aws_cdk import aws_connect as connect
from constructs import Construct

from connect_autotranscribe._arguments import check_arguments, like
from connect_flows.flow import FlowModule, described


class TranscriptionModule(Construct):
    """Puts a flow module into a Connect instance; flows run it with *Invoke module*.

    The module's description says that CDK manages it: CloudFormation does not see edits in the
    flow designer, and overwrites them. Connect takes two requests a second, so make each module
    depend on the one before.

    :param instance_arn: The Connect instance, whole ARN.
    :param module: A ready-made module, or your own `FlowModule`.

    .. code-block:: python

        TranscriptionModule(
            self,
            "StopModule",
            instance_arn=instance_arn,
            module=stop_module(stop_function_arn=stop_streaming.arn),
        )
    """

    def __init__(self, scope: Construct, id: str, *, instance_arn: str, module: FlowModule) -> None:
        super().__init__(scope, id)
        check_arguments(self, like("connect", instance_arn=instance_arn))
        self.resource = connect.CfnContactFlowModule(
            self,
            "Module",
            instance_arn=instance_arn,
            name=module.name,
            description=described(module.description),
            content=module.to_json(),
        )
        self.arn = self.resource.attr_contact_flow_module_arn
