"""What erases a call, or all calls of a customer."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import (
    ConversationErasure,
    TranscriptionControl,
    TranscriptStore,
    TranscriptWebhook,
)

INSTANCE = "arn:aws:connect:eu-central-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"


class Erasure(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        webhook = TranscriptWebhook(self, "TranscriptWebhook", table=store.table)
        control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=INSTANCE,
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
        ConversationErasure(
            self,
            "ConversationErasure",
            table=store.table,
            control=control,
            queues={"DeadLetters": webhook.dead_letters, "Unpublished": store.unpublished},
        )


def build(app: App) -> None:
    Erasure(app, "Erasure", env=Environment(account="111122223333", region="eu-central-1"))
