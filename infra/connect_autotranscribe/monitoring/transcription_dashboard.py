"""The dashboard of an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from connect_autotranscribe.monitoring.monitored import (
    PERIOD,
    Monitored,
    dead_letters_of,
    functions_of,
)
from connect_autotranscribe.monitoring.transcription_metrics import TranscriptionMetrics
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook


class TranscriptionDashboard(Construct):
    """One page with alarms, calls, utterances, errors and dead letters.

    The dashboard has the stack's name.

    :param constructs: The constructs whose functions and dead letters are shown.
    :param alarms: The alarms whose state is shown at the top.
    :param metrics: The counts of calls, utterances and incomplete transcripts.
    :param webhook: Its API's errors and its queue are shown.

    .. code-block:: python

        TranscriptionDashboard(
            self,
            "Dashboard",
            constructs=[control, store, webhook, reconciliation],
            alarms=alarms.alarms,
            metrics=metrics,
            webhook=webhook,
        )
    """

    dashboard: cloudwatch.Dashboard

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        constructs: Sequence[Monitored],
        alarms: Sequence[cloudwatch.IAlarm],
        metrics: TranscriptionMetrics,
        webhook: TranscriptWebhook,
    ) -> None:
        super().__init__(scope, id)
        api = webhook.api.rest_api
        calls = {
            "Started": metrics.calls_started,
            "Stopped": metrics.calls_stopped,
            "Refused": metrics.calls_refused,
        }
        utterances = {
            "Stored": metrics.utterances_stored,
            "Recovered": metrics.utterances_recovered,
        }
        lacking = {
            "Not transcribed": metrics.calls_not_transcribed,
            "Incomplete after a day": metrics.conversations_incomplete,
        }
        if metrics.export_days_missing:
            missing = metrics.export_days_missing.with_(statistic=cloudwatch.Stats.MAXIMUM)
            lacking["Days that the export lacks"] = missing
        requests = {
            "4xx": api.metric_client_error(period=PERIOD, statistic=cloudwatch.Stats.SUM),
            "5xx": api.metric_server_error(period=PERIOD, statistic=cloudwatch.Stats.SUM),
        }
        age = webhook.queue.metric_approximate_age_of_oldest_message(period=PERIOD)
        errors = {
            name: function.metric_errors(period=PERIOD)
            for name, function in functions_of(constructs).items()
        }
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Stack.of(self).stack_name,
            default_interval=Duration.days(1),
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)],
                [
                    _graph("Calls", calls),
                    _graph("Utterances", utterances),
                    _graph("Transcripts that lack something", lacking),
                ],
                [
                    _graph("Webhook", requests),
                    _graph("Wait in the queue, in seconds", {"Oldest": age}),
                    _graph("Errors of functions", errors),
                ],
                [_graph("Dead letters", dead_letters_of(constructs))],
            ],
        )


def _graph(title: str, lines: Mapping[str, cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=[metric.with_(label=label) for label, metric in lines.items()],
        left_y_axis=cloudwatch.YAxisProps(min=0),
        width=8,
    )
