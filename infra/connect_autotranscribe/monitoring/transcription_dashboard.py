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
    metric_of,
)

_A_ROW = 3
_GRAPHS: Mapping[str, Mapping[str, str]] = {
    "Calls": {
        "Started": "calls_started",
        "Stopped": "calls_stopped",
        "Refused": "calls_refused",
        "In progress": "calls_in_progress",
    },
    "Utterances": {
        "Stored": "utterances_stored",
        "Recovered": "utterances_recovered",
        "Refused": "utterances_refused",
    },
    "Transcripts that lack something": {
        "Not transcribed": "calls_not_transcribed",
        "Incomplete after a day": "conversations_incomplete",
        "Days that the export lacks": "days_missing",
    },
    "Utterances with numbers that are not redacted": {
        "Cards, social security": "numbers_not_redacted",
        "Phones": "phone_numbers_not_redacted",
    },
    "Wait in the queue, in seconds": {"Oldest": "queue_age"},
    "Live page": {
        "Events dropped": "live_events_dropped",
        "Events, 5xx": "live_events_failed",
        "Reads, 5xx": "live_reads_failed",
    },
}
"""The lines of each graph: what ``metric_…`` of a construct measures, by its label."""


class TranscriptionDashboard(Construct):
    """One page with alarms, calls, utterances, errors and dead letters.

    The dashboard has the stack's name. Give the parts that you have, at least one.

    :param constructs: The constructs whose functions, dead letters and ``metric_…`` are shown.
        Default: none.
    :param alarms: The alarms whose state is shown at the top. Default: none.

    .. code-block:: python

        TranscriptionDashboard(
            self,
            "Dashboard",
            constructs=[control, store, webhook, reconciliation],
            alarms=alarms.alarms,
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
    ) -> None:
        super().__init__(scope, id)
        errors = {
            name: function.metric_errors(period=PERIOD)
            for name, function in functions_of(constructs).items()
        }
        graphs = [
            *(
                _graph(title, {label: metric_of(constructs, name) for label, name in lines.items()})
                for title, lines in _GRAPHS.items()
            ),
            *_of_apis(constructs),
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


def _of_apis(constructs: Sequence[Monitored]) -> Iterator[cloudwatch.GraphWidget | None]:
    for name, api in apis_of(constructs).items():
        yield _graph(
            " ".join(re.findall("[A-Z][a-z]+", name)).capitalize(),
            {"4xx": api.rest_api.metric_client_error(), "5xx": api.rest_api.metric_server_error()},
        )


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
