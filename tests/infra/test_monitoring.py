"""What is counted of the functions' log lines, and the one page that shows it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from constructs import Construct

from connect_autotranscribe import (
    TranscriptionAlarms,
    TranscriptionDashboard,
    TranscriptionMetrics,
)
from tests.infra.conftest import Json, Transcription, new_stack
from tests.log_metrics import FILTERS


@pytest.fixture(scope="module")
def exporting() -> Transcription:
    return Transcription(export={"mode": "on"}, lifecycle={"mode": "manage"})


@pytest.fixture(scope="module")
def smallest() -> Transcription:
    return Transcription()


def counted(deployed: Transcription) -> list[tuple[str, str, str, str]]:
    """Metric, function, pattern and value of every metric filter."""
    functions = {
        each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]: each["Properties"]["Handler"]
        for each in deployed.all("AWS::Lambda::Function")
    }
    access_log = deployed.made.transcript_webhook.apis[0].access_log
    functions[deployed.ref(access_log)["Ref"]] = "the webhook's requests"
    found = []
    for each in deployed.all("AWS::Logs::MetricFilter"):
        properties = each["Properties"]
        (metric,) = properties["MetricTransformations"]
        assert metric["MetricNamespace"] == "ConnectAutotranscribe/Stack"
        assert "DefaultValue" not in metric  # a night without a run is no zero
        function = functions[properties["LogGroupName"]["Ref"]].split(".")[0]
        value, pattern = metric["MetricValue"], properties["FilterPattern"]
        found.append((metric["MetricName"], function, pattern, value))
    return sorted(found)


def test_calls_and_utterances_are_counted_by_the_event_of_a_log_line(
    smallest: Transcription, exporting: Transcription
) -> None:
    optional = ("export_utterances", "follow_agent_events")
    assert counted(exporting) == FILTERS
    assert counted(smallest) == [each for each in FILTERS if each[1] not in optional]


# The alarms


def test_every_function_and_every_dead_letter_queue_of_the_stack_alarms(
    exporting: Transcription,
) -> None:
    watched = {
        dimension["Value"].get("Ref") or dimension["Value"].get("Fn::GetAtt", [""])[0]
        for each in exporting.all("AWS::CloudWatch::Alarm")
        for dimension in each["Properties"].get("Dimensions", [])
        if isinstance(dimension["Value"], dict)
    }
    functions = {
        name
        for name, each in exporting.template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function"
    }
    assert functions <= watched
    queues = {
        name
        for name, each in exporting.template["Resources"].items()
        if each["Type"] == "AWS::SQS::Queue"
    }
    assert queues <= watched


# The alarms of the export


def alarm(deployed: Transcription, name: str) -> Json:
    made: Any = deployed.made.alarms.node.find_child(name)
    return deployed.properties(made)


def test_a_day_that_the_export_lacks_alarms_until_a_night_brings_it(
    exporting: Transcription,
) -> None:
    late = alarm(exporting, "ExportLate")
    assert (late["MetricName"], late["Statistic"]) == ("ExportDaysMissing", "Maximum")
    assert (late["Threshold"], late["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert late["TreatMissingData"] == "ignore"


def test_an_export_that_does_not_run_for_26_hours_alarms(exporting: Transcription) -> None:
    silent = alarm(exporting, "ExportSilent")
    assert (silent["MetricName"], silent["Statistic"]) == ("ExportDaysMissing", "SampleCount")
    assert (silent["Threshold"], silent["ComparisonOperator"]) == (1, "LessThanThreshold")
    assert silent["Period"] * silent["EvaluationPeriods"] == 26 * 60 * 60
    assert silent.get("DatapointsToAlarm", 26) == 26
    assert silent["TreatMissingData"] == "breaching"
    assert silent["AlarmActions"] == [exporting.ref(exporting.made.alarms.topic)]


def test_an_export_alarms_only_where_it_is_on(
    smallest: Transcription, exporting: Transcription
) -> None:
    names = [
        {each.node.id for each in deployed.made.alarms.alarms} for deployed in (smallest, exporting)
    ]
    lifecycle = {each for each in names[1] if each.startswith(("Follow", "Agent", "Contact"))}
    assert names[1] - names[0] - lifecycle - {"RestartsRefused"} == {
        "ExportLate",
        "ExportSilent",
        "ExportUtterancesErrors",
        "ExportUtterancesThrottles",
        "ExportDeadLetters",
    }


# The dashboard


def shown(deployed: Transcription) -> list[Json]:
    dashboard = deployed.one("AWS::CloudWatch::Dashboard")["Properties"]
    assert dashboard["DashboardName"] == "Stack"
    (_, parts) = dashboard["DashboardBody"]["Fn::Join"]
    text = "".join(each if isinstance(each, str) else "token" for each in parts)
    found: list[Json] = json.loads(text)["widgets"]
    return found


def test_one_page_shows_the_calls_what_became_of_their_words_and_what_stands_in_the_way(
    exporting: Transcription,
) -> None:
    graphs = {
        each["properties"]["title"]: [line[-1]["label"] for line in each["properties"]["metrics"]]
        for each in shown(exporting)
        if each["type"] == "metric"
    }
    assert graphs == {
        "Calls": ["Started", "Stopped", "Refused", "In progress"],
        "Utterances": ["Stored", "Recovered"],
        "Transcripts that lack something": [
            "Not transcribed",
            "Incomplete after a day",
            "Days that the export lacks",
        ],
        "Webhook": ["4xx", "5xx"],
        "Wait in the queue, in seconds": ["Oldest"],
        "Errors of functions": [
            "StartStreaming",
            "StopStreaming",
            "AuthorizeWebhook",
            "StoreTranscript",
            "PublishUtterance",
            "ReconcileTranscript",
            "ReadTranscript",
            "FollowAgentEvents",
            "FollowContactEvents",
            "ExportUtterances",
        ],
        "Dead letters": [
            "DeadLetters",
            "Unpublished",
            "ReconciliationDeadLetters",
            "AgentEventDeadLetters",
            "ContactEventDeadLetters",
            "ExportDeadLetters",
        ],
    }


def test_the_state_of_every_alarm_stands_on_top(exporting: Transcription) -> None:
    (alarms,) = (each for each in shown(exporting) if each["type"] == "alarm")
    assert (alarms["x"], alarms["y"], alarms["width"]) == (0, 0, 24)
    everything = exporting.all("AWS::CloudWatch::Alarm")
    assert len(alarms["properties"]["alarms"]) == len(everything)


def test_no_graph_hides_another(exporting: Transcription) -> None:
    taken = [
        (x, y)
        for each in shown(exporting)
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23


# What a team has of it


@pytest.fixture(scope="module")
def parts() -> Transcription:
    return Transcription(export={"mode": "on"}, lifecycle={"mode": "manage"})


OF_A_PART = {
    "control": {"calls_started", "calls_stopped", "calls_refused"},
    "webhook": {"utterances_stored", "requests_throttled"},
    "reconciliation": {
        "utterances_recovered",
        "calls_in_progress",
        "transcription_stopped",
        "calls_not_transcribed",
        "asapp_limit_reached",
        "conversations_incomplete",
    },
    "store": {"event_bus_age"},
    "lifecycle": {"restarts_refused", "agent_events", "agent_events_throttled", "agent_event_age"},
    "export": {"export_days_missing"},
}
CONSTRUCTS = {
    "control": "transcription_control",
    "webhook": "transcript_webhook",
    "reconciliation": "transcript_reconciliation",
    "store": "transcript_store",
    "lifecycle": "call_lifecycle",
    "export": "utterance_export",
}
"""The metrics' arguments, and where the stack has the constructs."""
SUBSETS = [
    subset for size in range(1, len(CONSTRUCTS) + 1) for subset in combinations(CONSTRUCTS, size)
]


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_metrics_alarms_and_dashboard_work_with_the_parts_that_a_team_has(
    names: tuple[str, ...], parts: Transcription
) -> None:
    given: dict[str, Any] = {name: getattr(parts.made, CONSTRUCTS[name]) for name in names}
    scope = Construct(parts.made, "".join(names))
    try:
        metrics = TranscriptionMetrics(scope, "Metrics", **given)
        there = {name for name in set().union(*OF_A_PART.values()) if getattr(metrics, name)}
        assert there == set().union(*(OF_A_PART[name] for name in names))
        webhook = given.get("webhook")
        constructs = list(given.values())
        alarms = TranscriptionAlarms(
            scope, "Alarms", constructs=constructs, webhook=webhook, metrics=metrics
        )
        made = {each.node.id for each in alarms.alarms}
        assert ("WebhookServerErrors" in made) is ("webhook" in names)
        assert ("CallsNotStored" in made) is ({"webhook", "reconciliation"} <= set(names))
        assert ("AgentEventsSilent" in made) is ({"lifecycle", "reconciliation"} <= set(names))
        TranscriptionDashboard(
            scope, "Dashboard", constructs=constructs, metrics=metrics, webhook=webhook
        )
    finally:
        parts.made.node.try_remove_child(scope.node.id)


@pytest.mark.parametrize(
    "made", [TranscriptionMetrics, TranscriptionAlarms, TranscriptionDashboard]
)
def test_with_nothing_to_watch_each_says_so(made: type[Construct]) -> None:
    with pytest.raises(ValueError, match=r"^Stack/Made: give "):
        made(new_stack(), "Made")


def test_an_alarm_may_watch_without_metrics(parts: Transcription) -> None:
    """Only what AWS itself measures."""
    scope = Construct(parts.made, "Bare")
    bare = TranscriptionAlarms(scope, "Alarms", constructs=[parts.made.transcript_store])
    assert {each.node.id for each in bare.alarms} == {
        "PublishUtteranceErrors",
        "PublishUtteranceThrottles",
        "Unpublished",
    }
    parts.made.node.try_remove_child("Bare")
