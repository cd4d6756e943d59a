"""A ready-made flow in an instance."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe import FlowFunction, TranscriptionFlow
from connect_flows.ready_made.whispers import agent_whisper


class Whisper(Stack):
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
        start_streaming = FlowFunction(
            self, "StartStreaming", instance_arn=instance_arn, function=start_alias
        )
        whisper = TranscriptionFlow(
            self,
            "AgentWhisper",
            instance_arn=instance_arn,
            flow=agent_whisper(
                start_function_arn=start_streaming.arn,
                customer_id_path="$.CustomerEndpoint.Address",
                agent_id_path="$.Agent.UserName",
            ),
        )
        whisper.node.add_dependency(start_streaming)  # Connect refuses a function it does not know


def build(app: App) -> None:
    Whisper(app, "Whisper", env=Environment(account="111122223333", region="eu-central-1"))
