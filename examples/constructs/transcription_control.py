"""The functions with which the flows of one instance start and stop transcription."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import TranscriptionControl, TranscriptStore


class Control(Stack):
    """Its ``control`` goes to whatever has the flows."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        instance_arn = (
            "arn:aws:connect:eu-central-1:111122223333:instance/"
            "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
        )
        store = TranscriptStore(self, "TranscriptStore")
        control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=instance_arn,
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
        self.control = control


def build(app: App) -> None:
    Control(app, "Control", env=Environment(account="111122223333", region="eu-central-1"))
