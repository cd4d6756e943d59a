"""What the functions say in their logs, counted."""

from __future__ import annotations

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook


class TranscriptionMetrics(Construct):
    """Counts calls and utterances by the functions' log lines; a night without a line is no zero.

    Their namespace is ``ConnectAutotranscribe/<stack>``.

    :param control: Whose answers to flows are counted.
    :param webhook: Whose stored utterances are counted.
    :param reconciliation: Whose findings are counted.
    :param export: Whose nights are counted. Default: none are.

    .. code-block:: python

        metrics = TranscriptionMetrics(
            self, "Metrics", control=control, webhook=webhook, reconciliation=reconciliation
        )
    """

    calls_started: cloudwatch.Metric
    calls_stopped: cloudwatch.Metric
    calls_refused: cloudwatch.Metric
    """Starts and stops that ASAPP refused or did not answer in time."""
    utterances_stored: cloudwatch.Metric
    """As the webhook brought them."""
    utterances_recovered: cloudwatch.Metric
    conversations_incomplete: cloudwatch.Metric
    """A day old, and still not as many utterances as ASAPP has."""
    export_days_missing: cloudwatch.Metric | None
    """One value a run."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        control: TranscriptionControl,
        webhook: TranscriptWebhook,
        reconciliation: TranscriptReconciliation,
        export: UtteranceExport | None = None,
    ) -> None:
        super().__init__(scope, id)
        start = cast(lambda_.Function, control.start_streaming.lambda_)
        stop = cast(lambda_.Function, control.stop_streaming.lambda_)
        reconcile = reconciliation.reconcile_transcript
        self.calls_started = self._count("CallsStarted", start, _says("start streaming: started"))
        self.calls_stopped = self._count("CallsStopped", stop, _says("stop streaming: stopped"))
        self.calls_refused = self._refused("CallsRefused", start, "start streaming")
        self._refused("StopsRefused", stop, "stop streaming")
        self.utterances_stored = self._count(
            "UtterancesStored", webhook.store_transcript, _says("stored a batch"), "$.utterances"
        )
        self.utterances_recovered = self._count(
            "UtterancesRecovered", reconcile, _says("reconciled"), "$.recovered"
        )
        self.conversations_incomplete = self._count(
            "ConversationsIncomplete", reconcile, _says("a conversation stays incomplete")
        )
        self.export_days_missing = (
            self._count(
                "ExportDaysMissing", export.export_utterances, _says("exported"), "$.daysMissing"
            )
            if export
            else None
        )

    def _refused(self, id: str, function: lambda_.Function, request: str) -> cloudwatch.Metric:
        lines = [f"{request}: {status}" for status in ("rejected", "unavailable")]
        return self._count(id, function, _says(*lines), name="CallsRefused")

    def _count(
        self,
        id: str,
        function: lambda_.Function,
        lines: logs.IFilterPattern,
        value: str = "1",
        *,
        name: str | None = None,
    ) -> cloudwatch.Metric:
        """The sum, over these lines, of a number or of what is at a place in each."""
        return logs.MetricFilter(
            self,
            id,
            log_group=function.log_group,
            filter_pattern=lines,
            metric_namespace=f"ConnectAutotranscribe/{Stack.of(self).stack_name}",
            metric_name=name or id,
            metric_value=value,
        ).metric(statistic=cloudwatch.Stats.SUM, period=Duration.minutes(5))


def _says(*messages: str) -> logs.IFilterPattern:
    """Lines with one of these messages: they tell functions apart that share a log group."""
    each = [logs.FilterPattern.string_value("$.message", "=", message) for message in messages]
    return logs.FilterPattern.any(*each)
