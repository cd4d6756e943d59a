"""What follows a call where no flow runs, by the agent events that the instance publishes."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import CallLifecycle, TranscriptionControl, TranscriptStore


class Lifecycle(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        instance_arn = (
            "arn:aws:connect:eu-central-1:111122223333:instance/"
            "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
        )
        stream_arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/agent-events"
        store = TranscriptStore(self, "TranscriptStore")
        control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=instance_arn,
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
        CallLifecycle(
            self,
            "CallLifecycle",
            mode="adopt",
            instance_arn=instance_arn,
            control=control,
            agent_event_stream=kinesis.Stream.from_stream_arn(self, "AgentEvents", stream_arn),
        )


def build(app: App) -> None:
    Lifecycle(app, "Lifecycle", env=Environment(account="111122223333", region="eu-central-1"))
