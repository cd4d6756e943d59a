"""A function that the flows of one instance may invoke."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe import FlowFunction


class Association(Stack):
    """``start_alias`` is most often the ``start_streaming`` of a ``TranscriptionControl``."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        instance_arn = (
            "arn:aws:connect:eu-central-1:111122223333:instance/"
            "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
        )
        start_alias = lambda_.Function.from_function_arn(
            self,
            "StartAlias",
            "arn:aws:lambda:eu-central-1:111122223333:function:start-streaming:live",
        )
        FlowFunction(self, "StartStreaming", instance_arn=instance_arn, function=start_alias)


def build(app: App) -> None:
    Association(app, "Association", env=Environment(account="111122223333", region="eu-central-1"))
