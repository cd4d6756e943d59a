"""What adds to the table what the webhook missed."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import TranscriptReconciliation, TranscriptStore


class Reconciliation(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        TranscriptReconciliation(
            self,
            "TranscriptReconciliation",
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )


def build(app: App) -> None:
    Reconciliation(
        app, "Reconciliation", env=Environment(account="111122223333", region="eu-central-1")
    )
