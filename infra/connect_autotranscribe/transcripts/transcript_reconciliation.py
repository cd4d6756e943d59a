"""Compares each finished call with ASAPP's own transcript, and stores what the webhook missed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._encrypted import (
    ask_on_utterance,
    grant_on_items,
    grant_read_switch,
    grant_secret_value,
)
from connect_autotranscribe._functions import Function
from connect_autotranscribe._log_metric import event, log_metric
from connect_autotranscribe._schedule import (
    alias_for_export,
    dead_letters_of_schedule,
    every_minute,
)
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.interfaces import ExportedFiles
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention, days_of
from connect_autotranscribe.transcripts.transcript_store import RECONCILE_INDEX
from connect_settings.shared_names import shared_names

_EVENTS = shared_names("log_events")


class TranscriptReconciliation(Construct):
    """Compares each finished call with ASAPP's transcript, and stores missing utterances.

    It looks for finished calls every minute. Added utterances go to the event bus like any other.
    ASAPP's API returns at most 1,000 messages of a call, for seven days. If it does not return all
    messages of a call, the call waits for ``export``.

    A run takes up to ten minutes, so runs may overlap: a run leases each conversation for 15
    minutes. A failed run is not repeated, because the next one starts within a minute. A run for a
    day of ``export`` is repeated twice, and then goes to ``dead_letters``.

    :param table: The table of :class:`TranscriptStore`.
    :param credentials_secret: ``{"apiId": "…", "apiSecret": "…"}``.
    :param api_host: ``https://api.asapp.com``, or ASAPP's sandbox.
    :param after: The time between a call's end and the comparison, in whole minutes; late webhook
        messages arrive meanwhile. Default: 15 minutes.
    :param export: The ``UtteranceExport`` with ASAPP's own files, for calls of which its API does
        not return all messages; or other ``ExportedFiles``. Default: none.
    :param on_utterance: A function of yours, in this account and region, that may change or refuse
        an utterance before it is stored: ``docs/on-utterance.md``. Give an alias or a version. Give
        the same one to ``TranscriptWebhook``. Default: none; everything is stored.
    :param switch: The ``switch`` of a :class:`TranscriptionControl`: each run logs whether it stops
        transcription, for the alarm. Default: none.
    :param customers_key: The ``customers_key`` of a :class:`ConversationErasure`: each call is
        entered into an index by its customer's hashed id, so that a customer can be erased.
        Default: no such index.
    :param transcript_retention: The time until a stored utterance is deleted, in whole days.
        Default: 30 days.
    :param dead_letters: The queue for runs that failed. Default: made here.
    :param key: Encrypts the queue and the log that are made here. Default: AWS's own keys.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        TranscriptReconciliation(
            self,
            "TranscriptReconciliation",
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
    """

    reconcile_transcript: lambda_.Function
    dead_letters: sqs.IQueue
    """Runs that Lambda did not accept, and days of the export that failed three times."""
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        credentials_secret: secretsmanager.ISecret,
        api_host: str,
        after: Duration | None = None,
        export: ExportedFiles | None = None,
        on_utterance: lambda_.IFunction | None = None,
        switch: ssm.IStringParameter | None = None,
        customers_key: secretsmanager.ISecret | None = None,
        transcript_retention: Duration | None = None,
        dead_letters: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("asapp", api_host=api_host),
                "after": Argument(value=after, rule="reconciliation.after_minutes", optional=True),
                "transcript_retention": Argument(
                    value=transcript_retention, rule="retention.transcripts_days", optional=True
                ),
            },
        )
        self.dead_letters = dead_letters or dead_letters_of_schedule(
            self, key, retention.removal_policy
        )
        self.reconcile_transcript = Function(
            self,
            "ReconcileTranscript",
            folder="reconcile_transcript",
            description="Adds what finished calls lack of ASAPP's transcripts",
            timeout=Duration.minutes(10),
            environment={
                "TRANSCRIPT_TABLE": table.table_name,
                "TRANSCRIPT_RETENTION_DAYS": str(days_of(transcript_retention)),
                "ASAPP_API_HOST": api_host,
                "ASAPP_CREDENTIALS_SECRET": credentials_secret.secret_name,
                "RECONCILE_AFTER_MINUTES": str(after.to_minutes() if after else 15),
                "EXPORT_BUCKET": export.bucket.bucket_name if export else "",
                "FEED_COLUMNS": json.dumps(export.columns if export else {}),
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        # The next minute's run is the retry. No invocation waits, so they do not pile up.
        self.reconcile_transcript.configure_async_invoke(
            retry_attempts=0, max_event_age=Duration.minutes(1)
        )
        if switch:
            self.reconcile_transcript.add_environment("TRANSCRIPTION_SWITCH", switch.parameter_name)
            grant_read_switch(switch, self.reconcile_transcript)
        if on_utterance:
            ask_on_utterance(self.reconcile_transcript, on_utterance)
        if customers_key:
            self.reconcile_transcript.add_environment(
                "CUSTOMERS_KEY_SECRET", customers_key.secret_arn
            )
            grant_secret_value(customers_key, self.reconcile_transcript)
        grant_secret_value(credentials_secret, self.reconcile_transcript)
        grant_on_items(
            table,
            self.reconcile_transcript,
            "dynamodb:BatchWriteItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        )
        self.reconcile_transcript.add_to_role_policy(
            iam.PolicyStatement(
                actions=["dynamodb:Query"], resources=[f"{table.table_arn}/index/{RECONCILE_INDEX}"]
            )
        )
        if export:
            export.grant_read(self.reconcile_transcript)
            export.announce_to(alias_for_export(self, self.reconcile_transcript, self.dead_letters))
        self.schedule = every_minute(
            self,
            function=self.reconcile_transcript,
            description="Every minute: compares finished calls with ASAPP's transcripts",
            dead_letters=self.dead_letters,
        )

        self.functions = {"ReconcileTranscript": self.reconcile_transcript}
        self.dead_letter_queues = {"ReconciliationDeadLetters": self.dead_letters}

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Grant comparing a conversation now, by an invocation with its id."""
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["lambda:InvokeFunction"],
            resource_arns=[self.reconcile_transcript.function_arn],
        )

    def metric_utterances_recovered(self, **options: Any) -> cloudwatch.Metric:
        """Utterances that the webhook missed."""
        lines = event(_EVENTS.CONVERSATION_RECONCILED)
        return self._count("UtterancesRecovered", lines, "$.recovered", **options)

    def metric_calls_in_progress(self, **options: Any) -> cloudwatch.Metric:
        """Calls that changed in the last half hour and are not known to be over, the most; one
        value a minute."""
        options = {"statistic": cloudwatch.Stats.MAXIMUM, **options}
        lines = event(_EVENTS.CALLS_IN_PROGRESS)
        return self._count("CallsInProgress", lines, "$.calls", **options)

    def metric_transcription_stopped(self, **options: Any) -> cloudwatch.Metric:
        """1 while ``switch`` stops transcription, else 0; one value a minute."""
        options = {"statistic": cloudwatch.Stats.MAXIMUM, **options}
        lines = event(_EVENTS.CALLS_IN_PROGRESS)
        return self._count("TranscriptionStopped", lines, "$.stopped", **options)

    def metric_calls_not_transcribed(self, **options: Any) -> cloudwatch.Metric:
        """Answered calls without a transcript, or without its end; counted minutes after."""
        return self._count("CallsNotTranscribed", event(_EVENTS.CALL_NOT_TRANSCRIBED), **options)

    def metric_asapp_limit_reached(self, **options: Any) -> cloudwatch.Metric:
        """Days on which ASAPP's daily limit stopped reconciliation."""
        return self._count("AsappLimitReached", event(_EVENTS.ASAPP_LIMIT_REACHED), **options)

    def metric_conversations_incomplete(self, **options: Any) -> cloudwatch.Metric:
        """Conversations that are a day old and still have fewer utterances than ASAPP has."""
        lines = event(_EVENTS.CONVERSATION_INCOMPLETE)
        return self._count("ConversationsIncomplete", lines, **options)

    def _count(
        self, id: str, lines: logs.IFilterPattern, value: str = "1", **options: Any
    ) -> cloudwatch.Metric:
        log = self.reconcile_transcript.log_group
        return log_metric(self, id, log, lines, value, **options)
