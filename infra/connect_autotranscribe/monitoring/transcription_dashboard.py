"""The dashboard of an environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from connect_autotranscribe.monitoring.monitored import (
    PERIOD,
    Monitored,
    apis_of,
    dead_letters_of,
    functions_of,
)
from connect_autotranscribe.monitoring.transcription_metrics import TranscriptionMetrics
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook

_A_ROW = 3


class TranscriptionDashboard(Construct):
    """One page with alarms, calls, utterances, errors and dead letters.

    The dashboard has the stack's name. Give the parts that you have, at least one.

    :param constructs: The constructs whose functions and dead letters are shown. Default: none.
    :param alarms: The alarms whose state is shown at the top. Default: none.
    :param metrics: The counts of calls, utterances and incomplete transcripts. Default: not shown.
    :param webhook: The errors of its APIs and its queue are shown. Default: not shown.

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
        constructs: Sequence[Monitored] = (),
        alarms: Sequence[cloudwatch.IAlarm] = (),
        metrics: TranscriptionMetrics | None = None,
        webhook: TranscriptWebhook | None = None,
    ) -> None:
        super().__init__(scope, id)
        errors = {
            name: function.metric_errors(period=PERIOD)
            for name, function in functions_of(constructs).items()
        }
        graphs = [
            *(_of_metrics(metrics) if metrics else ()),
            *(_of_webhook(webhook) if webhook else ()),
            _graph("Errors of functions", errors),
            _graph("Dead letters", dead_letters_of(constructs)),
        ]
        shown = [graph for graph in graphs if graph]
        rows: list[list[cloudwatch.IWidget]] = [
            list(shown[at : at + _A_ROW]) for at in range(0, len(shown), _A_ROW)
        ]
        if alarms:
            state = cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)
            rows.insert(0, [state])
        if not rows:
            raise ValueError(f"{self.node.path}: give something to show")
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Stack.of(self).stack_name,
            default_interval=Duration.days(1),
            widgets=rows,
        )


def _of_metrics(metrics: TranscriptionMetrics) -> Iterator[cloudwatch.GraphWidget | None]:
    yield _graph(
        "Calls",
        {
            "Started": metrics.calls_started,
            "Stopped": metrics.calls_stopped,
            "Refused": metrics.calls_refused,
            "In progress": metrics.calls_in_progress,
        },
    )
    yield _graph(
        "Utterances",
        {"Stored": metrics.utterances_stored, "Recovered": metrics.utterances_recovered},
    )
    days = metrics.export_days_missing
    yield _graph(
        "Transcripts that lack something",
        {
            "Not transcribed": metrics.calls_not_transcribed,
            "Incomplete after a day": metrics.conversations_incomplete,
            "Days that the export lacks": days and days.with_(statistic=cloudwatch.Stats.MAXIMUM),
        },
    )


def _of_webhook(webhook: TranscriptWebhook) -> Iterator[cloudwatch.GraphWidget | None]:
    age = webhook.queue.metric_approximate_age_of_oldest_message
    for name, api in apis_of(webhook).items():
        four, five = api.rest_api.metric_client_error, api.rest_api.metric_server_error
        yield _graph(
            " ".join(re.findall("[A-Z][a-z]+", name)).capitalize(),
            {
                "4xx": four(period=PERIOD, statistic=cloudwatch.Stats.SUM),
                "5xx": five(period=PERIOD, statistic=cloudwatch.Stats.SUM),
            },
        )
    yield _graph("Wait in the queue, in seconds", {"Oldest": age(period=PERIOD)})


def _graph(
    title: str, lines: Mapping[str, cloudwatch.Metric | None]
) -> cloudwatch.GraphWidget | None:
    """None if there is no line to show."""
    left = [metric.with_(label=label) for label, metric in lines.items() if metric]
    if not left:
        return None
    return cloudwatch.GraphWidget(
        title=title, left=left, left_y_axis=cloudwatch.YAxisProps(min=0), width=24 // _A_ROW
    )
