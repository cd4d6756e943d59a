"""The webhook and the store, with a key, an event bus, a secret and a log group of one's own."""

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe import Retention, SharedSecret, TranscriptStore, TranscriptWebhook

KEY = "arn:aws:kms:eu-central-1:111122223333:key/4d1a2f77-3c0e-4d5b-9d0e-6c8f5b0a7e21"


def build(app: App) -> None:
    stack = Stack(
        app, "Transcripts", env=Environment(account="111122223333", region="eu-central-1")
    )
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    retention = Retention(
        log_group=logs.LogGroup.from_log_group_name(stack, "Logs", "/contact-centre/transcripts")
    )
    store = TranscriptStore(
        stack,
        "TranscriptStore",
        event_bus=events.EventBus.from_event_bus_name(stack, "Bus", "contact-centre"),
        key=key,
        retention=retention,
    )
    secret = secretsmanager.Secret.from_secret_attributes(
        stack,
        "Secret",
        secret_complete_arn=(
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:asapp/webhook-AbCdEf"
        ),
        encryption_key=key,
    )
    webhook = TranscriptWebhook(
        stack,
        "TranscriptWebhook",
        table=store.table,
        auth=[SharedSecret(secret=secret)],
        key=key,
        retention=retention,
    )
    CfnOutput(stack, "WebhookUrl", value=webhook.urls[SharedSecret])


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
