"""Who is told when calls go without transcription, and the page that one looks at then."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import (
    TranscriptionAlarms,
    TranscriptionControl,
    TranscriptionDashboard,
    TranscriptReconciliation,
    TranscriptStore,
    TranscriptWebhook,
)


class Watched(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        credentials = secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp")
        store = TranscriptStore(self, "TranscriptStore")
        control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=(
                "arn:aws:connect:eu-central-1:111122223333:instance/"
                "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
            ),
            table=store.table,
            credentials_secret=credentials,
            api_host="https://api.asapp.com",
        )
        webhook = TranscriptWebhook(self, "TranscriptWebhook", table=store.table)
        reconciliation = TranscriptReconciliation(
            self,
            "TranscriptReconciliation",
            table=store.table,
            credentials_secret=credentials,
            api_host="https://api.asapp.com",
        )
        alarms = TranscriptionAlarms(
            self,
            "Alarms",
            constructs=[control, store, webhook, reconciliation],
            email="ops@example.com",
        )
        TranscriptionDashboard(
            self,
            "Dashboard",
            constructs=[control, store, webhook, reconciliation],
            alarms=alarms.alarms,
        )


def build(app: App) -> None:
    Watched(app, "Watched", env=Environment(account="111122223333", region="eu-central-1"))
