"""Metrics from the functions' logs."""

from __future__ import annotations

from typing import cast

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from connect_autotranscribe.calls.call_lifecycle import CallLifecycle
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.monitoring.monitored import PERIOD, apis_of
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook
from connect_settings.shared_names import shared_names

_EVENTS = shared_names("log_events")
_REFUSED = ("rejected", "unavailable")


class TranscriptionMetrics(Construct):
    """Counts calls and utterances in the functions' logs, by the field ``event`` of each line.

    The namespace of the metrics is ``ConnectAutotranscribe/<stack>``. If a period has no such line,
    the metric has no value for it, not zero. Give the constructs that you have, at least one; a
    metric of a construct that you do not give is None.

    :param control: Metrics count its starts and stops. Default: no such metrics.
    :param webhook: Metrics count the utterances that it stores, and the requests that API Gateway
        throttles. Default: no such metrics.
    :param reconciliation: Metrics count the utterances that it recovers, the calls in progress, and
        the conversations that stay incomplete; one says whether transcription is stopped. Default:
        no such metrics.
    :param store: A metric is the age of what it publishes. Default: no such metric.
    :param lifecycle: Metrics count its restarts that ASAPP refused, and the agent events; one is
        their age. Default: no such metrics.
    :param export: A metric counts its missing days. Default: no such metric.

    .. code-block:: python

        metrics = TranscriptionMetrics(
            self, "Metrics", control=control, webhook=webhook, reconciliation=reconciliation
        )
    """

    calls_started: cloudwatch.Metric | None = None
    calls_stopped: cloudwatch.Metric | None = None
    calls_refused: cloudwatch.Metric | None = None
    """Starts and stops that ASAPP refused or did not answer in time."""
    restarts_refused: cloudwatch.Metric | None = None
    """Starts by an agent event, as after a hold, that ASAPP refused or did not answer."""
    agent_events: cloudwatch.Metric | None = None
    """Records that came into the stream of agent events."""
    agent_events_throttled: cloudwatch.Metric | None = None
    """Records of Connect that the stream of agent events refused."""
    agent_event_age: cloudwatch.Metric | None = None
    """Milliseconds between an agent event and the end of its handling, the longest."""
    utterances_stored: cloudwatch.Metric | None = None
    """Utterances that the webhook brought."""
    requests_throttled: cloudwatch.Metric | None = None
    """POSTs of the webhook that API Gateway answered with 429."""
    event_bus_age: cloudwatch.Metric | None = None
    """Milliseconds between an utterance's storage and its event on the bus, the longest."""
    utterances_recovered: cloudwatch.Metric | None = None
    calls_in_progress: cloudwatch.Metric | None = None
    """Calls that changed in the last half hour and are not known to be over; one value a minute."""
    transcription_stopped: cloudwatch.Metric | None = None
    """1 while ``TranscriptionControl.switch`` stops transcription, else 0; one value a minute."""
    calls_not_transcribed: cloudwatch.Metric | None = None
    """Answered calls without a transcript, or without its end; counted minutes after the call."""
    asapp_limit_reached: cloudwatch.Metric | None = None
    """Days on which ASAPP's daily limit stopped reconciliation."""
    conversations_incomplete: cloudwatch.Metric | None = None
    """Conversations that are a day old and still have fewer utterances than ASAPP has."""
    export_days_missing: cloudwatch.Metric | None = None
    """The missing days; one value for each run."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        control: TranscriptionControl | None = None,
        webhook: TranscriptWebhook | None = None,
        reconciliation: TranscriptReconciliation | None = None,
        store: TranscriptStore | None = None,
        lifecycle: CallLifecycle | None = None,
        export: UtteranceExport | None = None,
    ) -> None:
        super().__init__(scope, id)
        if not (control or webhook or reconciliation or store or lifecycle or export):
            raise ValueError(f"{self.node.path}: give at least one construct to measure")
        if control:
            self._of_control(control)
        if webhook:
            self._of_webhook(webhook)
        if reconciliation:
            self._of_reconciliation(reconciliation.reconcile_transcript)
        if store:
            self.event_bus_age = _age(store.publish_utterance)
        if lifecycle:
            function = lifecycle.follow_agent_events
            connected = _event(_EVENTS.AGENT_EVENT, *_REFUSED, state="connected")
            self.restarts_refused = self._count("RestartsRefused", function.log_group, connected)
            self.agent_events = lifecycle.agent_event_stream.metric_incoming_records(
                statistic=cloudwatch.Stats.SUM, period=PERIOD
            )
            self.agent_events_throttled = lifecycle.agent_event_stream.metric(
                "WriteProvisionedThroughputExceeded",
                statistic=cloudwatch.Stats.SUM,
                period=PERIOD,
            )
            self.agent_event_age = _age(function)
        if export:
            self.export_days_missing = self._count(
                "ExportDaysMissing",
                export.export_utterances.log_group,
                _event(_EVENTS.EXPORT_RUN),
                "$.daysMissing",
            )

    def _of_control(self, control: TranscriptionControl) -> None:
        start, stop = (
            cast(lambda_.Function, alias.lambda_).log_group
            for alias in (control.start_streaming, control.stop_streaming)
        )
        started, stopped = _EVENTS.START_STREAMING, _EVENTS.STOP_STREAMING
        self.calls_started = self._count("CallsStarted", start, _event(started, "started"))
        self.calls_stopped = self._count("CallsStopped", stop, _event(stopped, "stopped"))
        self.calls_refused = self._count("CallsRefused", start, _event(started, *_REFUSED))
        self._count("StopsRefused", stop, _event(stopped, *_REFUSED), name="CallsRefused")

    def _of_webhook(self, webhook: TranscriptWebhook) -> None:
        self.utterances_stored = self._count(
            "UtterancesStored",
            webhook.store_transcript.log_group,
            _event(_EVENTS.UTTERANCES_STORED),
            "$.utterances",
        )
        for name, api in apis_of(webhook).items():
            self.requests_throttled = self._count(
                f"{name.removeprefix('Webhook')}RequestsThrottled",
                api.access_log,
                logs.FilterPattern.string_value("$.status", "=", "429"),
                name="RequestsThrottled",
            )

    def _of_reconciliation(self, reconcile: lambda_.Function) -> None:
        log = reconcile.log_group
        self.utterances_recovered = self._count(
            "UtterancesRecovered", log, _event(_EVENTS.CONVERSATION_RECONCILED), "$.recovered"
        )
        each_minute = _event(_EVENTS.CALLS_IN_PROGRESS)
        self.calls_in_progress = self._count("CallsInProgress", log, each_minute, "$.calls").with_(
            statistic=cloudwatch.Stats.MAXIMUM
        )
        self.transcription_stopped = self._count(
            "TranscriptionStopped", log, each_minute, "$.stopped"
        ).with_(statistic=cloudwatch.Stats.MAXIMUM)
        self.calls_not_transcribed = self._count(
            "CallsNotTranscribed", log, _event(_EVENTS.CALL_NOT_TRANSCRIBED)
        )
        self.asapp_limit_reached = self._count(
            "AsappLimitReached", log, _event(_EVENTS.ASAPP_LIMIT_REACHED)
        )
        self.conversations_incomplete = self._count(
            "ConversationsIncomplete", log, _event(_EVENTS.CONVERSATION_INCOMPLETE)
        )

    def _count(
        self,
        id: str,
        log_group: logs.ILogGroup,
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
            log_group=log_group,
            filter_pattern=lines,
            metric_namespace=f"ConnectAutotranscribe/{Stack.of(self).stack_name}",
            metric_name=name or id,
            metric_value=value,
        ).metric(statistic=cloudwatch.Stats.SUM, period=PERIOD)


def _age(function: lambda_.IFunction) -> cloudwatch.Metric:
    """How old the records of a stream are when the function has handled them, in milliseconds."""
    return function.metric("IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=PERIOD)


def _event(event: str, *statuses: str, state: str = "") -> logs.IFilterPattern:
    """The log lines of an event, with this state and one of these statuses if any is given."""
    value = logs.FilterPattern.string_value
    parts: list[logs.JsonPattern] = [value("$.event", "=", event)]
    if state:
        parts.append(value("$.state", "=", state))
    if statuses:
        parts.append(logs.FilterPattern.any(*(value("$.status", "=", each) for each in statuses)))
    return logs.FilterPattern.all(*parts)
