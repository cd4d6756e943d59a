"""Functions, APIs, queue, table and bucket: all that a call's words pass."""

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

from connect_autotranscribe.calls.call_lifecycle import CallLifecycle
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.monitoring.alarms_and_dashboard import (
    TranscriptionAlarms,
    TranscriptionDashboard,
)
from connect_autotranscribe.monitoring.transcription_metrics import TranscriptionMetrics
from connect_autotranscribe.settings import Settings
from connect_autotranscribe.transcripts.transcript_api import TranscriptApi
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook


class TranscriptionStack(Stack):
    """Start and stop at ASAPP, its webhook, and the transcripts: stored, mended, exported, read.

    :param settings: The environment.
    :param kwargs: Those of ``aws_cdk.Stack``.

    .. code-block:: python

        transcription = TranscriptionStack(self, "Transcription", settings=settings)
    """

    call_lifecycle: CallLifecycle | None
    """Nothing where its mode is off: flows alone start and stop."""
    utterance_export: UtteranceExport | None
    """Nothing where its mode is off: ASAPP enables the feed for each account."""

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
        self._credentials_secret = secretsmanager.Secret.from_secret_name_v2(
            self, "AsappCredentials", asapp.credentials_secret_name
        )
        self.transcription_control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=settings.connect.instance_arn,
            table=self.transcript_store.table,
            credentials_secret=self._credentials_secret,
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
        self.transcript_api = TranscriptApi(
            self,
            "TranscriptApi",
            table=self.transcript_store.table,
            log_retention_days=retention.logs_days,
            removal_policy=removal_policy,
        )
        if account := self.transcript_webhook.api.rest_api.node.try_find_child("Account"):
            # The role of API Gateway's logs, which that API sets for the whole account.
            self.transcript_api.rest_api.deployment_stage.node.add_dependency(account)
        CfnOutput(
            self,
            "TranscriptUrl",
            value=self.transcript_api.url,
            description="Where a system that may execute-api:Invoke reads a call's transcript",
        )
        self.utterance_export = self._utterance_export(settings, removal_policy)
        self.transcript_reconciliation = TranscriptReconciliation(
            self,
            "TranscriptReconciliation",
            table=self.transcript_store.table,
            credentials_secret=self._credentials_secret,
            api_host=asapp.api_host,
            after_minutes=settings.reconciliation.after_minutes,
            export=self.utterance_export,
            transcript_retention_days=retention.transcripts_days,
            log_retention_days=retention.logs_days,
            removal_policy=removal_policy,
        )
        CfnOutput(
            self,
            "ReconcileFunction",
            value=self.transcript_reconciliation.reconcile_transcript.function_name,
            description="Invoked with a conversation's id, it looks at that one now",
        )
        functions: dict[str, lambda_.IFunction] = {
            "StartStreaming": self.transcription_control.start_streaming,
            "StopStreaming": self.transcription_control.stop_streaming,
            "AuthorizeWebhook": self.transcript_webhook.api.authorize_webhook,
            "StoreTranscript": self.transcript_webhook.store_transcript,
            "PublishUtterance": self.transcript_store.publish_utterance,
            "ReconcileTranscript": self.transcript_reconciliation.reconcile_transcript,
            "ReadTranscript": self.transcript_api.read_transcript,
        }
        dead_letters: dict[str, sqs.IQueue] = {
            "DeadLetters": self.transcript_webhook.dead_letters,
            "Unpublished": self.transcript_store.unpublished,
            "ReconciliationDeadLetters": self.transcript_reconciliation.dead_letters,
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
        if export := self.utterance_export:
            functions["ExportUtterances"] = export.export_utterances
            dead_letters["ExportDeadLetters"] = export.dead_letters
        metrics = TranscriptionMetrics(
            self,
            "Metrics",
            control=self.transcription_control,
            webhook=self.transcript_webhook,
            reconciliation=self.transcript_reconciliation,
            export=self.utterance_export,
        )
        topic_arn = settings.alarms.topic_arn
        self.alarms = TranscriptionAlarms(
            self,
            "Alarms",
            functions=functions,
            webhook=self.transcript_webhook,
            metrics=metrics,
            dead_letters=dead_letters,
            topic=sns.Topic.from_topic_arn(self, "AlarmTopic", topic_arn) if topic_arn else None,
            email=settings.alarms.email,
        )
        self.dashboard = TranscriptionDashboard(
            self,
            "Dashboard",
            alarms=self.alarms.alarms,
            metrics=metrics,
            webhook=self.transcript_webhook,
            functions=functions,
            dead_letters=dead_letters,
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
            log_retention_days=settings.retention.logs_days,
            removal_policy=removal_policy,
        )

    def _utterance_export(
        self, settings: Settings, removal_policy: RemovalPolicy
    ) -> UtteranceExport | None:
        export = settings.export
        if export.mode == "off":
            return None
        key = kms.Key.from_key_arn(self, "ExportKey", export.key_arn) if export.key_arn else None
        made = UtteranceExport(
            self,
            "UtteranceExport",
            credentials_secret=self._credentials_secret,
            api_host=settings.asapp.api_host,
            at=export.at,
            keep_days=export.keep_days,
            lookback_days=export.lookback_days,
            columns=export.columns,
            key=key,
            log_retention_days=settings.retention.logs_days,
            removal_policy=removal_policy,
        )
        queries = made.queries
        for id, value, description in (
            ("ExportFunction", made.export_utterances.function_name, "Fetches days by hand too"),
            ("ExportBucket", made.bucket.bucket_name, "ASAPP's files, a folder for each day"),
            ("ExportWorkGroup", queries.work_group_name, "The Athena work group of the queries"),
            ("ExportDatabase", queries.database_name, "Its database"),
            ("ExportQuery", queries.example, "A query to begin with"),
        ):
            CfnOutput(self, id, value=value, description=description)
        return made
