"""The stack of functions, APIs, queue, table and bucket."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._gradual import GradualDeployment
from connect_autotranscribe.calls.call_lifecycle import CallLifecycle
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.monitoring.monitored import (
    Monitored,
    apis_of,
    functions_of,
    log_group_name,
    queues_of,
)
from connect_autotranscribe.monitoring.transcription_alarms import TranscriptionAlarms
from connect_autotranscribe.monitoring.transcription_dashboard import TranscriptionDashboard
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.stacks._webhook import output_what_asapp_needs, webhook_arguments
from connect_autotranscribe.transcripts.conversation_erasure import ConversationErasure
from connect_autotranscribe.transcripts.transcript_api import TranscriptApi
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook
from connect_autotranscribe.transcripts.webhook_domain import WebhookDomain
from connect_settings import Settings
from connect_settings.sizing import warm_write_units


class TranscriptionStack(Stack):
    """Starts and stops transcription; receives, stores, completes and exports transcripts.

    :param settings: The environment.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.
    :param kwargs: Those of ``aws_cdk.Stack``.

    .. code-block:: python

        transcription = TranscriptionStack(self, "Transcription", settings=settings)
    """

    call_lifecycle: CallLifecycle | None
    """None if its mode is off: only flows start and stop."""
    gradual_deployment: GradualDeployment | None
    """None if a new version takes over at once."""
    utterance_export: UtteranceExport | None
    """None if its mode is off: ASAPP enables the feed for each account."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        asapp, days = settings.asapp, settings.retention
        self._settings = settings
        # What the code says goes before what the file says.
        reserved = dict(settings.capacity.reserved)
        if number := reserved.get("AuthorizeWebhook"):
            # There is one function for each way to prove who calls.
            reserved |= {"AuthorizeToken": number, "AuthorizeCertificate": number}
        reserved |= function_options.reserved_concurrency
        self._function_options = replace(function_options, reserved_concurrency=reserved)
        self._retention = Retention(
            logs=Duration.days(days.logs_days),
            removal_policy=RemovalPolicy.DESTROY
            if settings.on_delete == "destroy"
            else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self._key = self._imported_key("Key", settings.encryption.key_arn)
        self.transcript_store = TranscriptStore(
            self,
            "TranscriptStore",
            sender_id_in_events=asapp.sender_id_in_events,
            warm_write_units_per_second=warm_write_units(settings.capacity.expected_calls),
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )
        table = self.transcript_store.table
        self._credentials_secret = self._credentials()
        self.transcription_control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=settings.connect.instance_arn,
            resiliency=settings.connect.resiliency,
            table=table,
            credentials_secret=self._credentials_secret,
            api_host=asapp.api_host,
            language=asapp.language,
            redaction=asapp.redaction,
            detailed_tokens=asapp.detailed_tokens,
            audio_recording_allowed=asapp.audio_recording_allowed,
            start_selector=asapp.start_selector,
            conversation_id=asapp.conversation_id,
            transcript_retention=Duration.days(days.transcripts_days),
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )
        self.call_lifecycle = self._call_lifecycle()
        on_utterance = self._on_utterance()
        self.transcript_webhook = TranscriptWebhook(
            self,
            "TranscriptWebhook",
            table=table,
            transcript_retention=Duration.days(days.transcripts_days),
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
            max_consumers=settings.capacity.consumers,
            with_aliases=settings.deployment.gradual,
            redaction=asapp.redaction,
            on_utterance=on_utterance,
            **webhook_arguments(self, settings),
        )
        self.transcript_api = TranscriptApi(
            self,
            "TranscriptApi",
            table=table,
            record_retention=Duration.days(settings.audit.record_days)
            if settings.audit.mode == "on"
            else None,
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )
        if account := self.transcript_webhook.apis[0].rest_api.node.try_find_child("Account"):
            # That API sets the role for API Gateway's logs, for the whole account.
            self.transcript_api.rest_api.deployment_stage.node.add_dependency(account)
        self.utterance_export = self._utterance_export()
        self.conversation_erasure = self._conversation_erasure()
        self.transcript_reconciliation = TranscriptReconciliation(
            self,
            "TranscriptReconciliation",
            table=table,
            credentials_secret=self._credentials_secret,
            api_host=asapp.api_host,
            after=Duration.minutes(settings.reconciliation.after_minutes),
            export=self.utterance_export,
            on_utterance=on_utterance,
            transcript_retention=Duration.days(days.transcripts_days),
            switch=self.transcription_control.switch,
            customers_key=self.conversation_erasure.customers_key,
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )
        self._monitor()
        self.gradual_deployment = self._gradual_deployment()
        self._outputs()

    def _imported_key(self, id: str, arn: str | None) -> kms.IKey | None:
        return kms.Key.from_key_arn(self, id, arn) if arn else None

    def _credentials(self) -> secretsmanager.ISecret:
        """ASAPP's credentials, in a secret that the customer made."""
        asapp, secret = self._settings.asapp, secretsmanager.Secret
        id, name = "AsappCredentials", asapp.credentials_secret_name
        key = self._imported_key("CredentialsKey", asapp.credentials_key_arn)
        if key is None:
            return secret.from_secret_name_v2(self, id, name)
        arn = self.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return secret.from_secret_attributes(self, id, secret_partial_arn=arn, encryption_key=key)

    def _on_utterance(self) -> lambda_.IFunction | None:
        arn = self._settings.on_utterance.function_arn
        return lambda_.Function.from_function_arn(self, "OnUtterance", arn) if arn else None

    def _call_lifecycle(self) -> CallLifecycle | None:
        lifecycle = self._settings.lifecycle
        if lifecycle.mode == "off":
            return None
        key = self._imported_key("AgentEventKey", lifecycle.key_arn)
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
            instance_arn=self._settings.connect.instance_arn,
            control=self.transcription_control,
            agent_event_stream=stream,
            stream_key=None if stream else key,
            shards=None if stream else self._settings.agent_event_shards,
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )

    def _utterance_export(self) -> UtteranceExport | None:
        export = self._settings.export
        if export.mode == "off":
            return None
        return UtteranceExport(
            self,
            "UtteranceExport",
            credentials_secret=self._credentials_secret,
            api_host=self._settings.asapp.api_host,
            at=export.at,
            keep=Duration.days(export.keep_days),
            lookback=Duration.days(export.lookback_days),
            columns=export.columns,
            key=self._imported_key("ExportKey", export.key_arn) or self._key,
            retention=self._retention,
            function_options=self._function_options,
        )

    def _conversation_erasure(self) -> ConversationErasure:
        settings = self._settings
        queues: dict[str, sqs.IQueue] = {
            **self.transcript_webhook.dead_letter_queues,
            **self.transcript_store.dead_letter_queues,
        }
        if self.call_lifecycle:
            queues["ContactEventDeadLetters"] = self.call_lifecycle.contact_event_dead_letters
        hours = settings.media_streaming.retention_hours
        return ConversationErasure(
            self,
            "ConversationErasure",
            table=self.transcript_store.table,
            control=self.transcription_control,
            queues=queues,
            export=self.utterance_export,
            connect_instance_arn=settings.connect.instance_arn
            if settings.erasure.contact_records
            else None,
            receipts_locked=_days(settings.erasure.receipts_locked_days),
            audio_retention=Duration.hours(hours) if hours else None,
            key=self._key,
            retention=self._retention,
            function_options=self._function_options,
        )

    def _gradual_deployment(self) -> GradualDeployment | None:
        if not self._settings.deployment.gradual:
            return None
        control = self.transcription_control
        aliases = {
            "StartStreaming": control.start_streaming,
            "StopStreaming": control.stop_streaming,
            **self.transcript_webhook.aliases,
        }
        return GradualDeployment(self, "GradualDeployment", aliases=aliases)

    def _monitor(self) -> None:
        constructs: list[Monitored | None] = [
            self.transcription_control,
            self.transcript_webhook,
            self.transcript_store,
            self.transcript_reconciliation,
            self.transcript_api,
            self.call_lifecycle,
            self.utterance_export,
            self.conversation_erasure,
        ]
        there = [each for each in constructs if each is not None]
        self._watched = there
        alarms = self._settings.alarms
        self.alarms = TranscriptionAlarms(
            self,
            "Alarms",
            constructs=there,
            domains=[each for each in self.node.children if isinstance(each, WebhookDomain)],
            topic=sns.Topic.from_topic_arn(self, "AlarmTopic", alarms.topic_arn)
            if alarms.topic_arn
            else None,
            email=alarms.email,
            key=self._key,
        )
        self.dashboard = TranscriptionDashboard(
            self,
            "Dashboard",
            constructs=there,
            alarms=self.alarms.alarms,
        )

    def _outputs(self) -> None:
        webhook, reconcile = self.transcript_webhook, self.transcript_reconciliation
        output_what_asapp_needs(self, webhook)
        outputs = {
            "TranscriptUrl": (
                self.transcript_api.url,
                "A system with the permission execute-api:Invoke reads a call's transcript here",
            ),
            "ReconcileFunction": (
                reconcile.reconcile_transcript.function_name,
                "Invoke it with a conversation's id to compare that conversation now",
            ),
        }
        for name, function in functions_of(self._watched).items():
            log = f"The log of {name}: aws logs tail"
            outputs[f"{name}Logs"] = (log_group_name(function), log)
        for name, queue in queues_of(self._watched).items():
            outputs[f"{name}Url"] = (queue.queue_url, "Messages that could not be handled")
        for name, api in apis_of([webhook]).items():
            what = "Each request to the webhook, with its status"
            outputs[f"{name}AccessLogs"] = (api.access_log.log_group_name, what)
        outputs |= {
            "TranscriptAccessLogs": (
                self.transcript_api.access_log.log_group_name,
                "Each request for a transcript, with its status",
            ),
            "WebhookQueueUrl": (webhook.queue.queue_url, "Messages that wait to be stored"),
            "EraseFunction": (
                self.conversation_erasure.erase_conversation.function_name,
                "Erases a call or a customer: make erase",
            ),
            "ReceiptsBucket": (
                self.conversation_erasure.receipts.bucket_name,
                "The receipts of erasures, under receipts/",
            ),
            "TableName": (self.transcript_store.table.table_name, "The table of transcripts"),
            "DashboardName": (self.dashboard.dashboard.dashboard_name, "The dashboard"),
            "StartFunction": (
                self.transcription_control.start_streaming.function_arn,
                "The function that flows invoke to start; make audit looks for it",
            ),
            "StopFunction": (
                self.transcription_control.stop_streaming.function_arn,
                "The function that flows invoke to stop; make stop-all does it too",
            ),
            "SwitchName": (
                self.transcription_control.switch.parameter_name,
                "The parameter that stops all transcription: make stop-all",
            ),
        }
        if record := self.transcript_api.record:
            what = "Which identity has read which transcript; make who-read asks it"
            outputs["TranscriptRecordLogs"] = (record.log_group_name, what)
        if export := self.utterance_export:
            queries = export.queries
            outputs |= {
                "ExportFunction": (
                    export.export_utterances.function_name,
                    "Invoke it to fetch days",
                ),
                "ExportBucket": (export.bucket.bucket_name, "ASAPP's files, a folder for each day"),
                "ExportWorkGroup": (queries.work_group_name, "The Athena work group for queries"),
                "ExportDatabase": (queries.database_name, "The database for queries"),
                "ExportQuery": (queries.example, "An example of a query"),
            }
        if gradual := self.gradual_deployment:
            arns = ",".join(each.alarm_arn for each in gradual.alarms)
            outputs["RollbackAlarmArns"] = (arns, "If one rings, a deployment goes back")
        for id, (value, description) in outputs.items():
            CfnOutput(self, id, value=value, description=description)


def _days(days: int | None) -> Duration | None:
    return Duration.days(days) if days else None
