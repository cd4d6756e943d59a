"""What is counted of the functions' log lines, and the one page that shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.conftest import Json, Transcription
from tests.log_metrics import FILTERS


@pytest.fixture(scope="module")
def exporting() -> Transcription:
    return Transcription(export={"mode": "on"})


@pytest.fixture(scope="module")
def smallest() -> Transcription:
    return Transcription()


def counted(deployed: Transcription) -> list[tuple[str, str, str, str]]:
    """Metric, function, pattern and value of every metric filter."""
    functions = {
        each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]: each["Properties"]["Handler"]
        for each in deployed.all("AWS::Lambda::Function")
    }
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
    assert counted(exporting) == FILTERS
    assert counted(smallest) == [each for each in FILTERS if each[1] != "export_utterances"]


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
    assert names[1] - names[0] == {
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
        "Calls": ["Started", "Stopped", "Refused"],
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
            "ExportUtterances",
        ],
        "Dead letters": [
            "DeadLetters",
            "Unpublished",
            "ReconciliationDeadLetters",
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
