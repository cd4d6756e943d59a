"""Functions, API, queue and table: all that a call's words pass."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe.call_lifecycle import CallLifecycle
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

    call_lifecycle: CallLifecycle | None
    """Nothing where its mode is off: flows alone start and stop."""

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
        self.call_lifecycle = self._call_lifecycle(settings, removal_policy)
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
        functions: dict[str, lambda_.IFunction] = {
            "StartStreaming": self.transcription_control.start_streaming,
            "StopStreaming": self.transcription_control.stop_streaming,
            "AuthorizeWebhook": self.transcript_webhook.api.authorize_webhook,
            "StoreTranscript": self.transcript_webhook.store_transcript,
            "PublishUtterance": self.transcript_store.publish_utterance,
        }
        dead_letters: dict[str, sqs.IQueue] = {
            "DeadLetters": self.transcript_webhook.dead_letters,
            "Unpublished": self.transcript_store.unpublished,
        }
        if lifecycle := self.call_lifecycle:
            functions |= {
                "FollowAgentEvents": lifecycle.follow_agent_events,
                "FollowContactEvents": lifecycle.follow_contact_events,
            }
            dead_letters |= {
                "AgentEventDeadLetters": lifecycle.agent_event_dead_letters,
                "ContactEventDeadLetters": lifecycle.contact_event_dead_letters,
            }
        topic_arn = settings.alarms.topic_arn
        self.alarms = TranscriptionAlarms(
            self,
            "Alarms",
            functions=functions,
            webhook=self.transcript_webhook,
            dead_letters=dead_letters,
            topic=sns.Topic.from_topic_arn(self, "AlarmTopic", topic_arn) if topic_arn else None,
            email=settings.alarms.email,
        )

    def _call_lifecycle(
        self, settings: Settings, removal_policy: RemovalPolicy
    ) -> CallLifecycle | None:
        lifecycle = settings.lifecycle
        if lifecycle.mode == "off":
            return None
        key = (
            kms.Key.from_key_arn(self, "AgentEventKey", lifecycle.key_arn)
            if lifecycle.key_arn
            else None
        )
        stream = (
            kinesis.Stream.from_stream_attributes(
                self, "AgentEvents", stream_arn=lifecycle.stream_arn, encryption_key=key
            )
            if lifecycle.stream_arn
            else None
        )
        return CallLifecycle(
            self,
            "CallLifecycle",
            mode=lifecycle.mode,
            instance_arn=settings.connect.instance_arn,
            control=self.transcription_control,
            agent_event_stream=stream,
            stream_key=None if stream else key,
            initiation_methods=lifecycle.initiation_methods,
            log_retention_days=settings.retention.logs_days,
            removal_policy=removal_policy,
        )
