"""How each function runs, and what invokes it."""

from __future__ import annotations

import json
import re

import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from tests.infra.conftest import (
    new_stack,
)
from tests.infra.transcription.everything import FUNCTIONS, INSTANCE, Everything, every_function

# How each function runs


@every_function
def test_each_function_runs_on_the_newest_python_on_arm_traced_and_logs_json(
    smallest: Everything, name: str
) -> None:
    runtimes = [re.fullmatch(r"PYTHON_3_(\d+)", each) for each in dir(lambda_.Runtime)]
    newest = max(int(each[1]) for each in runtimes if each)
    function = smallest.function(name)
    assert function["Runtime"] == f"python3.{newest}"
    assert function["Architectures"] == ["arm64"]
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["Handler"] == f"{name}.handler.handler"
    assert "VpcConfig" not in function
    assert "FileSystemConfigs" not in function


@every_function
@pytest.mark.parametrize(("stack", "days"), [("smallest", 30), ("other", 90)])
def test_log_lines_go_after_their_time(
    stack: str, days: int, name: str, request: pytest.FixtureRequest
) -> None:
    deployed: Everything = request.getfixturevalue(stack)
    group = deployed.template["Resources"][deployed.log_group(name)]
    assert group["Properties"]["RetentionInDays"] == days


@pytest.mark.parametrize("stack", ["smallest", "other"])
def test_no_log_group_keeps_its_lines_for_ever(stack: str, request: pytest.FixtureRequest) -> None:
    groups = request.getfixturevalue(stack).all("AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 2  # and each API's access log
    assert all(group["Properties"]["RetentionInDays"] <= 90 for group in groups)


@pytest.mark.parametrize("name", ["start_streaming", "stop_streaming"])
def test_start_and_stop_end_before_the_blocks_limit_of_8_seconds(
    smallest: Everything, name: str
) -> None:
    assert smallest.function(name)["Timeout"] == 7


@pytest.mark.parametrize("name", ["start_streaming", "stop_streaming"])
def test_a_flow_invokes_a_published_version_by_its_alias(smallest: Everything, name: str) -> None:
    alias: lambda_.Alias = getattr(smallest.control, name)
    function = smallest.ref(smallest.functions[name])
    (version,) = (
        key
        for key, each in smallest.template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Version"
        and each["Properties"] == {"FunctionName": function}
    )
    assert smallest.properties(alias) == {
        "Name": "live",
        "FunctionName": function,
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
    }


def test_the_environment_variables_hold_names_and_choices_but_no_secret_and_no_person(
    smallest: Everything,
) -> None:
    common = {
        "ASAPP_API_HOST": "https://api.asapp.com",
        "ASAPP_CREDENTIALS_SECRET": "acme/asapp",
        "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
        "TRANSCRIPT_RETENTION_DAYS": "30",
        "CONVERSATION_ID_SOURCE": "InitialContactId",
        "TRANSCRIPTION_SWITCH": smallest.ref(smallest.control.switch),
    }
    variables = {name: smallest.function(name)["Environment"]["Variables"] for name in FUNCTIONS}
    erasure = smallest.made.conversation_erasure
    queues = variables["erase_conversation"].pop("QUEUES")["Fn::Join"][1]
    assert [each for each in queues if isinstance(each, dict)] == [
        smallest.ref(smallest.webhook.dead_letters),
        smallest.ref(smallest.store.unpublished),
    ]
    for name in ("start_streaming", "stop_streaming"):  # a stop may uncover a leg to start
        assert json.loads(variables[name].pop("AUTOTRANSCRIBE_PARAMS")) == {
            "language": "en-US",
            "detailedToken": False,
            "audioRecordingAllowed": False,
            "redactionOutput": "redacted",
        }
    assert variables == {
        "start_streaming": common | {"START_SELECTOR": "FRAGMENT_NUMBER"},
        "stop_streaming": common,
        "authorize_webhook": {
            "WEBHOOK_SECRET": smallest.ref(smallest.secret),
            "SECRET_IN": "header",
            "SECRET_NAME": "x-webhook-secret",
        },
        "store_transcript": {
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "DEAD_LETTER_QUEUE_URL": smallest.ref(smallest.webhook.dead_letters),
            "REDACTION": "redacted",
        },
        "publish_utterance": {
            "EVENT_BUS_NAME": smallest.ref(smallest.store.event_bus),
            "EVENT_SENDER_ID": "false",
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
        },
        "reconcile_transcript": {
            "ASAPP_API_HOST": "https://api.asapp.com",
            "ASAPP_CREDENTIALS_SECRET": "acme/asapp",
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "RECONCILE_AFTER_MINUTES": "15",
            "EXPORT_BUCKET": "",
            "FEED_COLUMNS": "{}",
            "TRANSCRIPTION_SWITCH": smallest.ref(smallest.control.switch),
            "CUSTOMERS_KEY_SECRET": smallest.ref(erasure.customers_key),
        },
        "erase_conversation": {
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "RECEIPTS_BUCKET": smallest.ref(erasure.receipts),
            "CUSTOMERS_KEY_SECRET": smallest.ref(erasure.customers_key),
            "STOP_FUNCTION": smallest.ref(smallest.control.stop_streaming),
            "EXPORT_BUCKET": "",
            "EXPORT_KEEP_DAYS": "0",
            "FEED_COLUMNS": "{}",
            "CONNECT_INSTANCE": "",
            "LOGS_DAYS": "30",
            "AUDIO_HOURS": "0",
        },
        "read_transcript": {"TRANSCRIPT_TABLE": smallest.ref(smallest.table)},
        "hold_conversation": {"TRANSCRIPT_TABLE": smallest.ref(smallest.table)},
    }


def test_every_choice_of_an_environment_reaches_its_function(other: Everything) -> None:
    start, stop = (
        other.function(name)["Environment"]["Variables"]
        for name in ("start_streaming", "stop_streaming")
    )
    for variables in (start, stop):
        assert json.loads(variables.pop("AUTOTRANSCRIBE_PARAMS")) == {
            "language": "es-US",
            "detailedToken": True,
            "audioRecordingAllowed": True,
            "redactionOutput": "unredacted",
        }
    common = {
        "ASAPP_API_HOST": "https://api.sandbox.asapp.com",
        "ASAPP_CREDENTIALS_SECRET": "acme/asapp",
        "TRANSCRIPT_TABLE": other.ref(other.table),
        "TRANSCRIPT_RETENTION_DAYS": "7",
        "CONVERSATION_ID_SOURCE": "ContactId",
        "TRANSCRIPTION_SWITCH": other.ref(other.control.switch),
    }
    assert start == common | {"START_SELECTOR": "NOW"}
    assert stop == common
    store = other.function("store_transcript")["Environment"]["Variables"]
    assert store["TRANSCRIPT_RETENTION_DAYS"] == "7"
    authorize = other.function("authorize_webhook")["Environment"]["Variables"]
    assert (authorize["SECRET_IN"], authorize["SECRET_NAME"]) == ("query", "token")


def test_tokens_with_redacted_text_are_refused_as_asapp_would() -> None:
    stack = new_stack()
    message = (
        "Stack/Control: detailed_tokens: ASAPP refuses it for redacted text; "
        'remove it, or write redaction = "unredacted"'
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TranscriptionControl(
            stack,
            "Control",
            instance_arn=INSTANCE,
            table=dynamodb.Table.from_table_name(stack, "Table", "table"),
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "name"),
            api_host="https://api.asapp.com",
            detailed_tokens=True,
        )


# What invokes the consumers


def test_the_queue_is_consumed_in_batches_of_which_each_message_fails_alone(
    smallest: Everything,
) -> None:
    """No filter: what a filter leaves out is deleted, and ASAPP never sends it again."""
    assert smallest.mapping("store_transcript") == {
        "EventSourceArn": smallest.arn(smallest.webhook.queue),
        "FunctionName": smallest.ref(smallest.webhook.store_transcript),
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
    }


def test_new_utterances_and_changes_of_calls_go_to_the_publisher_and_a_bad_one_holds_back_no_other(
    smallest: Everything,
) -> None:
    mapping = smallest.mapping("publish_utterance")
    chosen = mapping.pop("FilterCriteria")["Filters"]
    assert [json.loads(each["Pattern"]) for each in chosen] == [
        {
            "eventName": ["INSERT"],
            "dynamodb": {"Keys": {"item": {"S": [{"prefix": "utterance#"}]}}},
        },
        {
            "eventName": ["INSERT", "MODIFY"],
            "dynamodb": {"Keys": {"item": {"S": ["conversation"]}}},
        },
    ]
    unpublished = smallest.arn(smallest.store.unpublished)
    assert mapping == {
        "EventSourceArn": {"Fn::GetAtt": [smallest.identifier(smallest.table), "StreamArn"]},
        "FunctionName": smallest.ref(smallest.store.publish_utterance),
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": 10,
        "MaximumRecordAgeInSeconds": 60 * 60,
        "DestinationConfig": {"OnFailure": {"Destination": unpublished}},
    }


def test_nothing_else_invokes_a_function(smallest: Everything) -> None:
    assert len(smallest.all("AWS::Lambda::EventSourceMapping")) == 2
    (rule,) = smallest.all("AWS::Events::Rule")
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == smallest.arn(smallest.functions["hold_conversation"])
    assert len(smallest.all("AWS::Scheduler::Schedule")) == 2  # reconciliation, erasure
    assert not smallest.all("AWS::SNS::Subscription")
