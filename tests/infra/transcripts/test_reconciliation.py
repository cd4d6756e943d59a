"""What holds each finished call against ASAPP's transcript of it: what it may do, and when."""

from __future__ import annotations

import json

import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from reconcile_transcript import transcripts
from tests.infra.conftest import ACCOUNT, Deployed, Json, Transcription, allow, in_order, new_stack

REGION = Transcription.REGION
SEND = "sqs:SendMessage"
LEASE_SECONDS = transcripts._LEASE_MS // 1000


@pytest.fixture(scope="module")
def alone() -> Transcription:
    """With what an environment gets that says nothing of its own: no export."""
    return Transcription()


@pytest.fixture(scope="module")
def exporting() -> Transcription:
    return Transcription(
        export={"mode": "on", "columns": {"text": "words"}},
        reconciliation={"after_minutes": 45},
        retention={"transcripts_days": 7, "logs_days": 90},
        on_delete="destroy",
    )


def in_the_table(deployed: Transcription) -> list[Json]:
    table = deployed.made.transcript_store.table
    index = {"Fn::Join": ["", [deployed.arn(table), "/index/Reconcile"]]}
    items = ["dynamodb:BatchWriteItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    return [allow(items, deployed.arn(table)), allow("dynamodb:Query", index)]


def secrets(deployed: Transcription) -> Json:
    """ASAPP's credentials, and the key of the index of customers."""
    key = deployed.ref(deployed.made.conversation_erasure.customers_key)
    return allow("secretsmanager:GetSecretValue", [Transcription.CREDENTIALS, key])


def the_switch(deployed: Transcription) -> Json:
    switch = deployed.made.transcription_control.switch
    return allow("ssm:GetParameter", deployed.value(switch.parameter_arn))


def test_it_reads_the_credentials_follows_one_index_mends_items_and_does_nothing_else(
    alone: Transcription,
) -> None:
    function = alone.made.transcript_reconciliation.reconcile_transcript
    assert alone.may(function) == in_order(
        [secrets(alone), the_switch(alone), *in_the_table(alone)]
    )


def test_where_there_is_an_export_it_reads_its_files_too_and_no_results_of_queries(
    exporting: Transcription,
) -> None:
    made, export = exporting.made.transcript_reconciliation, exporting.made.utterance_export
    assert export is not None
    bucket = exporting.arn(export.bucket)
    prefixes = ["utterances/*", "staging_utterance_state/*"]
    files = [{"Fn::Join": ["", [bucket, f"/{prefix}"]]} for prefix in sorted(prefixes)]
    assert exporting.may(made.reconcile_transcript) == in_order(
        [
            secrets(exporting),
            the_switch(exporting),
            *in_the_table(exporting),
            allow("s3:GetObject", files),
            allow("s3:ListBucket", bucket, StringLike={"s3:prefix": prefixes}),
            allow(SEND, exporting.arn(made.dead_letters)),
        ]
    )


def test_a_table_with_a_customers_key_is_read_with_that_key_and_an_index_too() -> None:
    stack = new_stack()
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
    table = dynamodb.Table.from_table_attributes(
        stack,
        "Table",
        table_name="table",
        encryption_key=kms.Key.from_key_arn(stack, "Key", key),
    )
    made = TranscriptReconciliation(
        stack,
        "Reconciliation",
        table=table,
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "asapp"),
        api_host="https://api.asapp.com",
    )
    assert made.reconcile_transcript.role is not None
    statements = Deployed(stack).permissions(made.reconcile_transcript.role)
    assert [each["Resource"] for each in statements if "kms:Decrypt" in each["Action"]] == [key]


def test_what_it_needs_to_know_is_in_its_environment(
    alone: Transcription, exporting: Transcription
) -> None:
    def variables(deployed: Transcription) -> Json:
        function = deployed.made.transcript_reconciliation.reconcile_transcript
        found: Json = deployed.properties(function)["Environment"]["Variables"]
        return found

    common = {"ASAPP_API_HOST": "https://api.asapp.com", "ASAPP_CREDENTIALS_SECRET": "acme/asapp"}
    assert variables(alone) == common | {
        "TRANSCRIPT_TABLE": alone.ref(alone.made.transcript_store.table),
        "TRANSCRIPT_RETENTION_DAYS": "30",
        "RECONCILE_AFTER_MINUTES": "15",
        "EXPORT_BUCKET": "",
        "FEED_COLUMNS": "{}",
        "TRANSCRIPTION_SWITCH": alone.ref(alone.made.transcription_control.switch),
        "CUSTOMERS_KEY_SECRET": alone.ref(alone.made.conversation_erasure.customers_key),
    }
    assert exporting.made.utterance_export is not None
    assert variables(exporting) == common | {
        "TRANSCRIPT_TABLE": exporting.ref(exporting.made.transcript_store.table),
        "TRANSCRIPT_RETENTION_DAYS": "7",
        "RECONCILE_AFTER_MINUTES": "45",
        "EXPORT_BUCKET": exporting.ref(exporting.made.utterance_export.bucket),
        "FEED_COLUMNS": json.dumps({"text": "words"}),
        "TRANSCRIPTION_SWITCH": exporting.ref(exporting.made.transcription_control.switch),
        "CUSTOMERS_KEY_SECRET": exporting.ref(exporting.made.conversation_erasure.customers_key),
    }


# When it runs


def test_it_runs_every_minute(alone: Transcription) -> None:
    made = alone.made.transcript_reconciliation
    (schedule,) = alone.within(made, "AWS::Scheduler::Schedule")
    assert schedule.pop("Description")
    assert schedule == {
        "ScheduleExpression": "rate(1 minute)",
        "ScheduleExpressionTimezone": "Etc/UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": alone.arn(made.reconcile_transcript),
            "RoleArn": alone.arn(made.schedule.role),
            "Input": "{}",
            "DeadLetterConfig": {"Arn": alone.arn(made.dead_letters)},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 10},
        },
    }


def test_the_schedule_invokes_it_and_does_nothing_else(alone: Transcription) -> None:
    made = alone.made.transcript_reconciliation
    assert alone.permissions(made.schedule.role) == in_order(
        [
            allow("lambda:InvokeFunction", alone.arn(made.reconcile_transcript)),
            allow("sqs:SendMessage", alone.arn(made.dead_letters)),
        ]
    )
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
    assert alone.trust(made.schedule.role)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": group}},
        }
    ]


def test_no_schedule_starts_before_it_may_invoke(alone: Transcription) -> None:
    role = alone.made.transcript_reconciliation.schedule.role
    (schedule,) = (
        each
        for each in alone.all("AWS::Scheduler::Schedule")
        if each["Properties"]["Target"]["RoleArn"] == alone.arn(role)
    )
    policies = {
        key
        for key, each in alone.template["Resources"].items()
        if each["Type"] == "AWS::IAM::Policy"
        and each["Properties"]["Roles"] == [{"Ref": alone.identifier(role)}]
    }
    assert policies
    assert policies <= set(schedule["DependsOn"])


def test_a_run_ends_long_before_its_leases_do(alone: Transcription) -> None:
    """Else another run would take up what this one is still at."""
    made = alone.made.transcript_reconciliation
    assert alone.properties(made.reconcile_transcript)["Timeout"] == 600 < LEASE_SECONDS


def test_a_run_that_fails_or_waits_is_followed_by_the_next_minutes_and_no_more(
    alone: Transcription,
) -> None:
    made = alone.made.transcript_reconciliation
    assert alone.within(made, "AWS::Lambda::EventInvokeConfig") == [
        {
            "FunctionName": alone.ref(made.reconcile_transcript),
            "Qualifier": "$LATEST",
            "MaximumEventAgeInSeconds": 60,
            "MaximumRetryAttempts": 0,
        }
    ]


def test_a_day_of_the_export_is_tried_three_times_and_not_forgotten(
    exporting: Transcription,
) -> None:
    made = exporting.made.transcript_reconciliation
    (config,) = (
        each
        for each in exporting.within(made, "AWS::Lambda::EventInvokeConfig")
        if each["Qualifier"] != "$LATEST"
    )
    name = exporting.identifier(made.node.find_child("ForExport"))
    assert config == {
        "FunctionName": exporting.ref(made.reconcile_transcript),
        "Qualifier": {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": name}]}]},
        "MaximumEventAgeInSeconds": 6 * 60 * 60,
        "MaximumRetryAttempts": 2,
        "DestinationConfig": {"OnFailure": {"Destination": exporting.arn(made.dead_letters)}},
    }
    alias = exporting.template["Resources"][name]["Properties"]
    assert alias["Name"] == "export"
    assert alias["FunctionName"] == exporting.ref(made.reconcile_transcript)


def test_its_dead_letters_and_logs_share_the_fate_of_the_environment(
    alone: Transcription, exporting: Transcription
) -> None:
    for deployed, fate in (
        (alone, ("RetainExceptOnCreate", "Retain")),
        (exporting, ("Delete", "Delete")),
    ):
        queue = deployed.resource(deployed.made.transcript_reconciliation.dead_letters)
        assert (queue["DeletionPolicy"], queue["UpdateReplacePolicy"]) == fate
