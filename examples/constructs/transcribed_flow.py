"""A flow of yours in an instance, with transcription woven in."""

from pathlib import Path

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe import FlowFunction, TranscribedFlow


class BillingFlows(Stack):
    """``flows/billing_agent_whisper.json`` is as the flow designer exports it."""

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
        TranscribedFlow(
            self,
            "BillingAgentWhisper",
            instance_arn=instance_arn,
            name="Billing agent whisper, transcribed",
            type="AGENT_WHISPER",
            content=Path("flows/billing_agent_whisper.json").read_text("utf-8"),
            start_streaming=start_streaming,
        )


def build(app: App) -> None:
    BillingFlows(
        app, "BillingFlows", env=Environment(account="111122223333", region="eu-central-1")
    )
