"""The endpoint to which ASAPP posts each utterance, and the two things that ASAPP needs of it."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import SharedSecret, TranscriptStore, TranscriptWebhook


class Webhook(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        webhook = TranscriptWebhook(self, "TranscriptWebhook", table=store.table)
        CfnOutput(self, "WebhookUrl", value=webhook.urls[SharedSecret])
        if webhook.secret:
            CfnOutput(self, "WebhookSecretArn", value=webhook.secret.secret_arn)


def build(app: App) -> None:
    Webhook(app, "Webhook", env=Environment(account="111122223333", region="eu-central-1"))
