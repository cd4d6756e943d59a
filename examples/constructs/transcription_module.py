"""A ready-made module in an instance, which flows run with *Invoke module*."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe import FlowFunction, TranscriptionModule
from connect_flows.ready_made.modules import stop_module


class Module(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        instance_arn = (
            "arn:aws:connect:eu-central-1:111122223333:instance/"
            "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
        )
        stop_alias = lambda_.Function.from_function_arn(
            self,
            "StopAlias",
            "arn:aws:lambda:eu-central-1:111122223333:function:stop-streaming:live",
        )
        stop_streaming = FlowFunction(
            self, "StopStreaming", instance_arn=instance_arn, function=stop_alias
        )
        module = TranscriptionModule(
            self,
            "StopModule",
            instance_arn=instance_arn,
            module=stop_module(stop_function_arn=stop_streaming.arn),
        )
        module.node.add_dependency(stop_streaming)  # Connect refuses a function it does not know


def build(app: App) -> None:
    Module(app, "Module", env=Environment(account="111122223333", region="eu-central-1"))
