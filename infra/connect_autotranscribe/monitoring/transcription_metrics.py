"""Metrics from the functions' logs."""

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
from connect_settings.shared_names import shared_names

_EVENTS = shared_names("log_events")


class TranscriptionMetrics(Construct):
    """Counts calls and utterances in the functions' logs, by the field ``event`` of each line.

    The namespace of the metrics is ``ConnectAutotranscribe/<stack>``. If a period has no such line,
    the metric has no value for it, not zero.

    :param control: Metrics count its starts and stops.
    :param webhook: A metric counts the utterances that it stores.
    :param reconciliation: Metrics count the utterances that it recovers, and the conversations that
        stay incomplete.
    :param export: A metric counts its missing days. Default: no export, and no such metric.

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
    """Utterances that the webhook brought."""
    utterances_recovered: cloudwatch.Metric
    calls_not_transcribed: cloudwatch.Metric
    """Answered calls without a transcript, or without its end; counted minutes after the call."""
    asapp_limit_reached: cloudwatch.Metric
    """Days on which ASAPP's daily limit stopped reconciliation."""
    conversations_incomplete: cloudwatch.Metric
    """Conversations that are a day old and still have fewer utterances than ASAPP has."""
    export_days_missing: cloudwatch.Metric | None
    """The missing days; one value for each run."""

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
        started, stopped = _EVENTS.START_STREAMING, _EVENTS.STOP_STREAMING
        self.calls_started = self._count("CallsStarted", start, _event(started, "started"))
        self.calls_stopped = self._count("CallsStopped", stop, _event(stopped, "stopped"))
        refused = ("rejected", "unavailable")
        self.calls_refused = self._count("CallsRefused", start, _event(started, *refused))
        self._count("StopsRefused", stop, _event(stopped, *refused), name="CallsRefused")
        self.utterances_stored = self._count(
            "UtterancesStored",
            webhook.store_transcript,
            _event(_EVENTS.UTTERANCES_STORED),
            "$.utterances",
        )
        self.utterances_recovered = self._count(
            "UtterancesRecovered",
            reconcile,
            _event(_EVENTS.CONVERSATION_RECONCILED),
            "$.recovered",
        )
        self.calls_not_transcribed = self._count(
            "CallsNotTranscribed", reconcile, _event(_EVENTS.CALL_NOT_TRANSCRIBED)
        )
        self.asapp_limit_reached = self._count(
            "AsappLimitReached", reconcile, _event(_EVENTS.ASAPP_LIMIT_REACHED)
        )
        self.conversations_incomplete = self._count(
            "ConversationsIncomplete", reconcile, _event(_EVENTS.CONVERSATION_INCOMPLETE)
        )
        self.export_days_missing = (
            self._count(
                "ExportDaysMissing",
                export.export_utterances,
                _event(_EVENTS.EXPORT_RUN),
                "$.daysMissing",
            )
            if export
            else None
        )

    def _count(
        self,
        id: str,
        function: lambda_.Function,
        lines: logs.IFilterPattern,
        value: str = "1",
        *,
        name: str | None = None,
    ) -> cloudwatch.Metric:
        """The sum of a value over the log lines that match.

        :param value: ``1`` to count the lines, or the field of each line that is added up.
        :param name: The metric's name. Default: the construct id.
        """
        return logs.MetricFilter(
            self,
            id,
            log_group=function.log_group,
            filter_pattern=lines,
            metric_namespace=f"ConnectAutotranscribe/{Stack.of(self).stack_name}",
            metric_name=name or id,
            metric_value=value,
        ).metric(statistic=cloudwatch.Stats.SUM, period=Duration.minutes(5))


def _event(event: str, *statuses: str) -> logs.IFilterPattern:
    """The log lines of an event, with one of these statuses if any is given."""
    line = logs.FilterPattern.string_value("$.event", "=", event)
    if not statuses:
        return line
    each = [logs.FilterPattern.string_value("$.status", "=", status) for status in statuses]
    return logs.FilterPattern.all(line, logs.FilterPattern.any(*each))
