"""What is counted of the functions' log lines, and the one page that shows it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from connect_autotranscribe import (
    TranscriptionAlarms,
    TranscriptionDashboard,
    TranscriptStore,
    TranscriptWebhook,
)
from tests.infra.conftest import Deployed, Json, Transcription, new_stack
from tests.log_metrics import FILTERS

ON_UTTERANCE = "arn:aws:lambda:eu-central-1:123456789012:function:screen:live"


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
    usual = [each for each in FILTERS if each[0] not in SCREENING]
    assert counted(exporting) == usual
    assert counted(smallest) == [each for each in usual if each[1] not in optional]


SCREENING = {
    "UtterancesRefused": "utterances_refused",
    "UtterancesNotScreened": "utterances_not_screened",
}
"""What is counted only with a function ``on_utterance``."""


def test_what_a_function_on_utterance_does_is_counted_and_its_failure_rings() -> None:
    stack = new_stack()
    webhook = TranscriptWebhook(
        stack,
        "Webhook",
        table=TranscriptStore(stack, "Store").table,
        on_utterance=lambda_.Function.from_function_arn(stack, "OnUtterance", ON_UTTERANCE),
    )
    alarms = TranscriptionAlarms(stack, "Alarms", constructs=[webhook])
    TranscriptionDashboard(stack, "Dashboard", constructs=[webhook])
    (ringing,) = (each for each in alarms.alarms if each.node.id == "UtterancesNotScreened")
    assert ringing.alarm_arn
    log = stack.resolve(webhook.store_transcript.log_group.log_group_name)
    made = {
        properties["MetricTransformations"][0]["MetricName"]: (
            properties["FilterPattern"],
            properties["MetricTransformations"][0]["MetricValue"],
        )
        for each in Deployed(stack).all("AWS::Logs::MetricFilter")
        if (properties := each["Properties"])["LogGroupName"] == log
    }
    assert [(name, *made[name]) for name in sorted(SCREENING)] == [
        (metric, pattern, value) for metric, _, pattern, value in FILTERS if metric in SCREENING
    ]


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
        "Utterances with numbers that are not redacted": ["Cards, social security", "Phones"],
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
            "HoldConversation",
            "FollowAgentEvents",
            "FollowContactEvents",
            "ExportUtterances",
            "EraseConversation",
        ],
        "Dead letters": [
            "DeadLetters",
            "Unpublished",
            "ReconciliationDeadLetters",
            "AgentEventDeadLetters",
            "ContactEventDeadLetters",
            "ExportDeadLetters",
            "ErasureDeadLetters",
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


METRICS = {
    "transcription_control": {"calls_started", "calls_stopped", "calls_refused"},
    "transcript_webhook": {
        "utterances_stored",
        "numbers_not_redacted",
        "phone_numbers_not_redacted",
        *SCREENING.values(),
        "requests_throttled",
        "queue_age",
    },
    "transcript_reconciliation": {
        "utterances_recovered",
        "calls_in_progress",
        "transcription_stopped",
        "calls_not_transcribed",
        "asapp_limit_reached",
        "conversations_incomplete",
    },
    "transcript_store": {"event_bus_age"},
    "call_lifecycle": {
        "restarts_refused",
        "agent_events",
        "agent_events_throttled",
        "agent_event_age",
    },
    "utterance_export": {"days_missing"},
    "transcript_api": set(),
}
"""What each construct measures, by where the stack has it."""
MEASURED = [name for name in METRICS if METRICS[name]]
SUBSETS = [
    subset for size in range(1, len(MEASURED) + 1) for subset in combinations(MEASURED, size)
]


@pytest.mark.parametrize("name", METRICS)
def test_a_construct_measures_and_takes_the_options_of_a_metric(
    name: str, parts: Transcription
) -> None:
    construct = getattr(parts.made, name)
    measured = {each.removeprefix("metric_") for each in dir(construct) if "metric_" in each}
    assert measured == METRICS[name]
    for each in measured:
        measure = getattr(construct, f"metric_{each}")
        if each in SCREENING.values():
            assert measure() is None
            continue
        usual = measure().to_metric_config().metric_stat
        other = measure(period=Duration.minutes(1), statistic="p99").to_metric_config().metric_stat
        assert usual.period.to_seconds() == 300
        assert (other.period.to_seconds(), other.statistic) == (60, "p99")
        assert (other.namespace, other.metric_name) == (usual.namespace, usual.metric_name)


def test_a_count_that_nobody_asks_for_makes_no_metric_filter() -> None:
    stack = new_stack()
    webhook = TranscriptWebhook(stack, "Webhook", table=TranscriptStore(stack, "Store").table)
    filters = [each for each in stack.node.find_all() if isinstance(each, logs.MetricFilter)]
    assert filters == []
    again = [webhook.metric_utterances_stored() for _ in range(2)]
    assert len(Deployed(stack).all("AWS::Logs::MetricFilter")) == 1
    assert again[0].metric_name == again[1].metric_name == "UtterancesStored"


def test_what_asapp_was_not_asked_to_redact_is_not_watched() -> None:
    stack = new_stack()
    table = TranscriptStore(stack, "Store").table
    webhook = TranscriptWebhook(stack, "Webhook", table=table, redaction="unredacted")
    assert webhook.metric_numbers_not_redacted() is None
    assert webhook.metric_phone_numbers_not_redacted() is None
    alarms = TranscriptionAlarms(stack, "Alarms", constructs=[webhook])
    assert "NumbersNotRedacted" not in {each.node.id for each in alarms.alarms}
    TranscriptionDashboard(stack, "Dashboard", constructs=[webhook])


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_alarms_and_dashboard_work_with_the_parts_that_a_team_has(
    names: tuple[str, ...], parts: Transcription
) -> None:
    constructs = [getattr(parts.made, name) for name in names]
    scope = Construct(parts.made, "".join(names))
    try:
        alarms = TranscriptionAlarms(scope, "Alarms", constructs=constructs)
        made = {each.node.id for each in alarms.alarms}
        webhook, minutely = "transcript_webhook" in names, "transcript_reconciliation" in names
        assert ({"WebhookServerErrors", "QueueAge"} <= made) is webhook
        assert ("CallsRefused" in made) is ("transcription_control" in names)
        assert ("EventBusLate" in made) is ("transcript_store" in names)
        assert ("ReconciliationSilent" in made) is minutely
        assert ("CallsNotStored" in made) is (webhook and minutely)
        assert ("AgentEventsSilent" in made) is ("call_lifecycle" in names and minutely)
        assert ("ExportSilent" in made) is ("utterance_export" in names)
        TranscriptionDashboard(scope, "Dashboard", constructs=constructs)
    finally:
        parts.made.node.try_remove_child(scope.node.id)


@pytest.mark.parametrize("made", [TranscriptionAlarms, TranscriptionDashboard])
def test_with_nothing_to_watch_each_says_so(made: type[Construct]) -> None:
    with pytest.raises(ValueError, match=r"^Stack/Made: give "):
        made(new_stack(), "Made")


def test_the_alarms_of_a_part_are_its_own(parts: Transcription) -> None:
    scope = Construct(parts.made, "Bare")
    bare = TranscriptionAlarms(scope, "Alarms", constructs=[parts.made.transcript_store])
    assert {each.node.id for each in bare.alarms} == {
        "PublishUtteranceErrors",
        "PublishUtteranceThrottles",
        "Unpublished",
        "EventBusLate",
    }
    parts.made.node.try_remove_child("Bare")
