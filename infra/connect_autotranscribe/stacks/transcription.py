"""Functions, API, queue and table: all that a call's words pass."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from connect_autotranscribe.monitoring import TranscriptionAlarms
from connect_autotranscribe.settings import Settings
from connect_autotranscribe.transcript_store import TranscriptStore
from connect_autotranscribe.transcript_webhook import TranscriptWebhook
from connect_autotranscribe.transcription_control import TranscriptionControl


class TranscriptionStack(Stack):
    """Start and stop at ASAPP, its webhook, and the transcripts.

    :param settings: The environment.
    :param kwargs: Those of ``aws_cdk.Stack``.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        asapp, webhook, retention = settings.asapp, settings.webhook, settings.retention
        removal_policy = {"retain": RemovalPolicy.RETAIN, "destroy": RemovalPolicy.DESTROY}[
            settings.on_delete
        ]
        self.transcript_store = TranscriptStore(
            self,
            "TranscriptStore",
            log_retention_days=retention.logs_days,
            removal_policy=removal_policy,
        )
        self.transcription_control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=settings.connect.instance_arn,
            table=self.transcript_store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(
                self, "AsappCredentials", asapp.credentials_secret_name
            ),
            api_host=asapp.api_host,
            language=asapp.language,
            redaction=asapp.redaction,
            detailed_tokens=asapp.detailed_tokens,
            audio_recording_allowed=asapp.audio_recording_allowed,
            start_selector=asapp.start_selector,
            conversation_id=asapp.conversation_id,
            transcript_retention_days=retention.transcripts_days,
            log_retention_days=retention.logs_days,
            removal_policy=removal_policy,
        )
        self.transcript_webhook = TranscriptWebhook(
            self,
            "TranscriptWebhook",
            table=self.transcript_store.table,
            secret_in=webhook.secret_in,
            secret_name=webhook.secret_name,
            throttle_rate_per_second=webhook.throttle_rate_per_second,
            throttle_burst=webhook.throttle_burst,
            allowed_cidrs=webhook.allowed_cidrs,
            api_gateway_log_role=webhook.api_gateway_log_role,
            transcript_retention_days=retention.transcripts_days,
            log_retention_days=retention.logs_days,
            removal_policy=removal_policy,
        )
        CfnOutput(
            self,
            "WebhookUrl",
            value=self.transcript_webhook.api.url,
            description="Give it to ASAPP: where it posts each utterance",
        )
        CfnOutput(
            self,
            "WebhookSecretArn",
            value=self.transcript_webhook.secret.secret_arn,
            description="Give its value to ASAPP by a secure way: what it presents at the webhook",
        )
        topic_arn = settings.alarms.topic_arn
        self.alarms = TranscriptionAlarms(
            self,
            "Alarms",
            functions={
                "StartStreaming": self.transcription_control.start_streaming,
                "StopStreaming": self.transcription_control.stop_streaming,
                "AuthorizeWebhook": self.transcript_webhook.api.authorize_webhook,
                "StoreTranscript": self.transcript_webhook.store_transcript,
                "PublishUtterance": self.transcript_store.publish_utterance,
            },
            webhook=self.transcript_webhook,
            dead_letters={
                "DeadLetters": self.transcript_webhook.dead_letters,
                "Unpublished": self.transcript_store.unpublished,
            },
            topic=sns.Topic.from_topic_arn(self, "AlarmTopic", topic_arn) if topic_arn else None,
            email=settings.alarms.email,
        )
