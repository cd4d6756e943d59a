"""The nightly copy of ASAPP's feed, and SQL over it."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe.export._utterance_queries import FIELDS, view_sql
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from tests.infra.conftest import ACCOUNT, Deployed, Json, Transcription, allow, in_order, new_stack

REGION = Transcription.REGION
PREFIXES = ("utterances/", "staging_utterance_state/")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
SEND = "sqs:SendMessage"
CREDENTIALS = allow("secretsmanager:GetSecretValue", Transcription.CREDENTIALS)


class Exporting(Transcription):
    """An environment with the export on."""

    def __init__(self, *, export: Json | None = None, **given: Any) -> None:
        super().__init__(export={"mode": "on"} | (export or {}), **given)
        made = self.made.utterance_export
        assert made is not None
        self.export, self.bucket = made, made.bucket

    def table(self, name: str) -> Json:
        """What Glue knows of a table or view."""
        (found,) = (
            each["Properties"]
            for each in self.all("AWS::Glue::Table")
            if each["Properties"]["TableInput"]["Name"] == name
        )
        assert found["CatalogId"] == ACCOUNT
        assert found["DatabaseName"] == self.export.queries.database_name
        table: Json = found["TableInput"]
        return table

    def view(self) -> Json:
        """What Athena reads of the view."""
        text = self.table("utterances")["ViewOriginalText"]
        encoded = re.fullmatch(r"/\* Presto View: (\S+) \*/", text)
        assert encoded
        found: Json = json.loads(base64.b64decode(encoded[1]))
        return found


@pytest.fixture(scope="module")
def on() -> Exporting:
    return Exporting()


@pytest.fixture(scope="module")
def other() -> Exporting:
    """The other choice, wherever there is one."""
    return Exporting(
        export={
            "at": "23:05",
            "keep_days": 4,
            "lookback_days": 3,
            "columns": {"text": "words", "conversation": "guid"},
            "key_arn": KEY,
        },
        on_delete="destroy",
    )


def test_where_it_is_off_there_is_nothing_of_it() -> None:
    """ASAPP's feeds are off until its account team enables them."""
    off = Transcription(export={"mode": "off"})
    assert off.made.utterance_export is None
    others = off.made.conversation_erasure.node.id  # it has a bucket of its own
    resources = {k: v for k, v in off.template["Resources"].items() if not k.startswith(others)}
    text = json.dumps(resources).replace("EXPORT_BUCKET", "")
    for word in ("export_utterances", "AWS::S3::", "AWS::Glue::", "AWS::Athena::", "s3:", "Export"):
        assert word not in text
    assert "xport" not in json.dumps(off.template["Outputs"]).replace("ExportsOutput", "")


# The bucket


def test_the_bucket_is_encrypted_closed_and_lets_go(on: Exporting) -> None:
    """It keeps no versions: what is deleted for a caller's sake is gone."""
    bucket = on.properties(on.bucket)
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(blocked, True)
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "VersioningConfiguration" not in bucket
    assert bucket["LifecycleConfiguration"]["Rules"] == [
        {"Prefix": "utterances/", "ExpirationInDays": 365, "Status": "Enabled"},
        {"Prefix": "staging_utterance_state/", "ExpirationInDays": 365, "Status": "Enabled"},
        {"Prefix": "days/taken/", "ExpirationInDays": 365, "Status": "Enabled"},
        {"Prefix": "athena-results/", "ExpirationInDays": 7, "Status": "Enabled"},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Status": "Enabled"},
    ]


def test_nobody_reads_it_without_tls_and_its_policy_lets_nobody_in(on: Exporting) -> None:
    (policy,) = on.within(on.bucket, "AWS::S3::BucketPolicy")
    everything = [on.arn(on.bucket), {"Fn::Join": ["", [on.arn(on.bucket), "/*"]]}]
    deny = {"Effect": "Deny", "Action": "s3:*", "Principal": {"AWS": "*"}, "Resource": everything}
    assert policy["PolicyDocument"]["Statement"] == [
        deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        deny | {"Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}},
    ]


def test_a_customers_key_encrypts_files_and_results(other: Exporting) -> None:
    bucket = other.properties(other.bucket)
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
        }
    ]
    configuration = other.one("AWS::Athena::WorkGroup")["Properties"]["WorkGroupConfiguration"]
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {
        "EncryptionOption": "SSE_KMS",
        "KmsKey": KEY,
    }


def test_files_stay_as_long_as_the_environment_says(other: Exporting) -> None:
    rules = other.properties(other.bucket)["LifecycleConfiguration"]["Rules"]
    assert rules[:2] == [
        {"Prefix": prefix, "ExpirationInDays": 4, "Status": "Enabled"} for prefix in PREFIXES
    ]
    eraser = other.properties(other.made.conversation_erasure.erase_conversation)
    assert eraser["Environment"]["Variables"]["EXPORT_KEEP_DAYS"] == "4"


def test_bucket_and_dead_letters_share_the_fate_of_the_environment(
    on: Exporting, other: Exporting
) -> None:
    for deployed, fate in (
        (on, ("RetainExceptOnCreate", "Retain")),
        (other, ("Delete", "Delete")),
    ):
        for construct in (deployed.bucket, deployed.export.dead_letters):
            resource = deployed.resource(construct)
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == fate


def test_the_work_group_goes_with_its_queries_so_that_the_export_can_be_turned_off_and_on(
    on: Exporting, other: Exporting
) -> None:
    """Athena refuses to delete one that has run a query; its name is fixed."""
    for deployed in (on, other):
        group = deployed.one("AWS::Athena::WorkGroup")
        assert group["Properties"]["RecursiveDeleteOption"] is True
        assert "DeletionPolicy" not in group


# The function


def files(deployed: Exporting) -> list[Json]:
    bucket = deployed.arn(deployed.bucket)
    return [{"Fn::Join": ["", [bucket, f"/{prefix}*"]]} for prefix in sorted(PREFIXES)]


def test_the_exporter_puts_files_tells_of_them_and_does_nothing_else(on: Exporting) -> None:
    """It deletes no file, only marks of days."""
    bucket = on.arn(on.bucket)
    aliases = sorted(
        key
        for key, each in on.template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Alias" and each["Properties"]["Name"] == "export"
    )
    assert on.may(on.export.export_utterances) == in_order(
        [
            CREDENTIALS,
            allow(["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], files(on)),
            allow("s3:ListBucket", bucket, StringLike={"s3:prefix": [f"{p}*" for p in PREFIXES]}),
            allow(["s3:DeleteObject", "s3:PutObject"], {"Fn::Join": ["", [bucket, "/days/*"]]}),
            allow("s3:ListBucket", bucket, StringLike={"s3:prefix": ["days/*"]}),
            allow("lambda:InvokeFunction", [{"Ref": alias} for alias in aliases]),
            allow(SEND, on.arn(on.export.dead_letters)),
        ]
    )


def test_with_a_customers_key_each_uses_it_for_no_more_than_it_does(other: Exporting) -> None:
    reconcile = other.made.transcript_reconciliation.reconcile_transcript
    (of_export,) = (s for s in other.may(other.export.export_utterances) if s["Resource"] == KEY)
    (of_reconciliation,) = (s for s in other.may(reconcile) if s["Resource"] == KEY)
    assert of_export == allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY)
    assert of_reconciliation == allow("kms:Decrypt", KEY)


def test_the_exporter_has_all_the_time_that_lambda_gives(on: Exporting) -> None:
    function = on.properties(on.export.export_utterances)
    assert (function["Timeout"], function["MemorySize"]) == (15 * 60, 512)


def test_what_it_needs_to_know_is_in_its_environment(on: Exporting, other: Exporting) -> None:
    for deployed, days in ((on, "7"), (other, "3")):
        variables = deployed.properties(deployed.export.export_utterances)["Environment"]
        for variable, whom in (
            ("ANNOUNCE_TO", "TranscriptReconciliation"),
            ("ANNOUNCE_NEW_FILES_TO", "ConversationErasure"),
        ):
            told = json.dumps(variables["Variables"].pop(variable))
            assert re.findall(r"(\w+)ForExport", told) == [whom]
        assert variables["Variables"] == {
            "ASAPP_API_HOST": "https://api.asapp.com",
            "ASAPP_CREDENTIALS_SECRET": "acme/asapp",
            "EXPORT_BUCKET": deployed.ref(deployed.bucket),
            "LOOKBACK_DAYS": days,
        }


@pytest.mark.parametrize(("stack", "cron"), [("on", "30 2,6,10,14,18,22"), ("other", "05 23")])
def test_it_runs_at_its_time_in_utc_and_every_four_hours_until_midnight(
    stack: str, cron: str, request: pytest.FixtureRequest
) -> None:
    deployed: Exporting = request.getfixturevalue(stack)
    (schedule,) = deployed.within(deployed.export, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == f"cron({cron} * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Etc/UTC"
    target = schedule["Target"]
    assert target["Arn"] == deployed.arn(deployed.export.export_utterances)
    assert target["Input"] == "{}"  # the last days; Scheduler's own event is refused as no range
    assert target["DeadLetterConfig"] == {"Arn": deployed.arn(deployed.export.dead_letters)}


def test_a_run_that_fails_is_tried_three_times_and_not_forgotten(on: Exporting) -> None:
    assert on.within(on.export, "AWS::Lambda::EventInvokeConfig") == [
        {
            "FunctionName": on.ref(on.export.export_utterances),
            "Qualifier": "$LATEST",
            "MaximumEventAgeInSeconds": 4 * 60 * 60,
            "MaximumRetryAttempts": 2,
            "DestinationConfig": {"OnFailure": {"Destination": on.arn(on.export.dead_letters)}},
        }
    ]


def test_it_works_without_reconciliation_and_each_may_be_made_alone() -> None:
    stack = new_stack()
    export = UtteranceExport(
        stack,
        "Export",
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "asapp"),
        api_host="https://api.asapp.com",
        key=kms.Key.from_key_arn(stack, "Key", KEY),
    )
    deployed = Deployed(stack)
    variables = deployed.properties(export.export_utterances)["Environment"]["Variables"]
    assert "ANNOUNCE_TO" not in variables
    assert TranscriptReconciliation.__name__ not in json.dumps(deployed.template)


# What cannot be


def refused(**given: Any) -> str:
    stack = new_stack()
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "asapp")
    with pytest.raises(ValueError, match=r"^Stack/Export: ") as error:
        UtteranceExport(stack, "Export", credentials_secret=secret, api_host="https://a", **given)
    return str(error.value).removeprefix("Stack/Export: ")


def test_files_are_not_deleted_while_they_are_still_fetched() -> None:
    assert refused(keep=Duration.days(7), lookback=Duration.days(7)) == (
        "keep: would delete files that each night fetches again; "
        "write 8 days or more, or look back less far"
    )


def test_a_field_that_is_none_is_answered_with_those_that_are() -> None:
    assert refused(columns={"words": "text"}) == (
        'columns: {"words": "text"} is not accepted; write the feed\'s names for conversation, id, '
        'role, sender, text, time, like "utterance_text" for text'
    )


# SQL


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("utterance_lines", PREFIXES[0]), ("utterance_state_lines", PREFIXES[1])],
)
def test_a_line_is_one_column_as_it_came_and_a_day_is_found_by_its_name(
    name: str, prefix: str, on: Exporting
) -> None:
    lines = on.table(name)
    assert lines["TableType"] == "EXTERNAL_TABLE"
    assert [each["Name"] for each in lines["PartitionKeys"]] == ["dt"]
    storage = lines["StorageDescriptor"]
    location = {"Fn::Join": ["", ["s3://", on.ref(on.bucket), f"/{prefix}"]]}
    assert storage["Location"] == location
    assert [(each["Name"], each["Type"]) for each in storage["Columns"]] == [("line", "string")]
    assert storage["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"serialization.format": "1"},
    }
    assert lines["Parameters"] == {
        "EXTERNAL": "TRUE",
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": "2022-01-01,NOW",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "storage.location.template": {
            "Fn::Join": ["", ["s3://", on.ref(on.bucket), f"/{prefix}dt=${{dt}}/"]]
        },
    }


def test_the_view_names_what_is_in_a_line_and_keeps_the_line(on: Exporting) -> None:
    view = on.view()
    columns = ["dt", "conversation_id", "message_id", "role", "sender_id", "text", "said_at"]
    assert view["columns"] == [{"name": name, "type": "varchar"} for name in (*columns, "line")]
    assert (view["catalog"], view["schema"]) == ("awsdatacatalog", on.export.queries.database_name)
    assert tuple(answered(view["originalSql"], [], [])[0]) == (*columns, "line")


Lines = list[tuple[str, Json | str]]
"""With the day of each."""


def answered(sql: str, said: Lines, state: Lines) -> tuple[list[str], list[tuple[str | None, ...]]]:
    """What the view has: its columns and its rows. SQLite runs it, with Trino's two functions."""

    def json_extract_scalar(line: str, path: str) -> str | None:
        try:
            value = json.loads(line).get(path.removeprefix("$."))
        except ValueError:
            return None
        return value if value is None or isinstance(value, str) else json.dumps(value)

    def regexp_replace(text: str | None, pattern: str, replacement: str) -> str | None:
        return None if text is None else re.sub(pattern, replacement, text)

    with closing(sqlite3.connect(":memory:")) as database:
        database.create_function("json_extract_scalar", 2, json_extract_scalar)
        database.create_function("regexp_replace", 3, regexp_replace)
        for table, lines in (("utterance_lines", said), ("utterance_state_lines", state)):
            database.execute(f"CREATE TABLE {table} (dt, line)")
            rows = [(dt, line if isinstance(line, str) else json.dumps(line)) for dt, line in lines]
            database.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)  # noqa: S608
        found = database.execute(sql)
        return [each[0] for each in found.description], found.fetchall()


def test_the_view_says_who_spoke_as_the_state_feed_does_under_the_same_message_id(
    on: Exporting,
) -> None:
    day, other_day = "2026-11-23", "2026-11-22"
    agent = {"sender_type": "SENDER_AGENT", "sender_id": "ada"}
    customer = {"sender_type": "SENDER_CUSTOMER", "sender_id": "+1"}
    said: Lines = [
        (day, {"message_id": "1", "external_conversation_id": "c", "utterance": "Hello."}),
        (day, {"message_id": "2", "utterance": "Hi."}),
        (day, {"message_id": "3", "utterance": "Nobody says who."}),
        (day, {"message_id": "4", "utterance": "By itself.", "sender_role": "Agent"}),
        (day, {"utterance": "Without an id."}),
        (day, "no JSON"),
    ]
    state: Lines = [
        (day, {"message_id": "1", **agent}),
        (day, {"message_id": "1", "instance_ts": "again", **agent}),
        (day, {"message_id": "2", **customer}),
        (other_day, {"message_id": "3", **agent}),
        (day, {"message_id": "4", **customer}),
        (day, agent),
        (day, "no JSON"),
    ]
    columns, rows = answered(on.view()["originalSql"], said, state)
    at = [columns.index(name) for name in ("message_id", "role", "sender_id", "text")]
    assert [tuple(row[column] for column in at) for row in rows] == [
        ("1", "agent", "ada", "Hello."),
        ("2", "customer", "+1", "Hi."),
        ("3", None, None, "Nobody says who."),
        ("4", "agent", "+1", "By itself."),
        (None, None, None, "Without an id."),
        (None, None, None, None),
    ]
    assert [row[0] for row in rows] == [day] * 6
    assert rows[0][columns.index("conversation_id")] == "c"
    assert rows[5][columns.index("line")] == "no JSON"


def test_the_state_feed_may_be_named_as_usual_where_the_other_is_not() -> None:
    sql = view_sql({"id": "key", "role": "who"})
    said: Lines = [("d", {"key": "1"}), ("d", {"key": "2"}), ("d", {"key": "3", "who": "agent"})]
    state: Lines = [
        ("d", {"message_id": "1", "sender_type": "SENDER_AGENT"}),
        ("d", {"key": "2", "who": "SENDER_CUSTOMER"}),
    ]
    columns, rows = answered(sql, said, state)
    assert [row[columns.index("role")] for row in rows] == ["agent", "customer", "agent"]


def test_glue_describes_the_view_as_athena_itself_would(on: Exporting) -> None:
    table = on.table("utterances")
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
    assert table["ViewExpandedText"] == "/* Presto View */"
    storage = table["StorageDescriptor"]
    names = [each["name"] for each in on.view()["columns"]]
    assert storage["Columns"] == [{"Name": name, "Type": "string"} for name in names]
    assert (storage["Location"], storage["SerdeInfo"]) == ("", {})


def test_a_known_name_takes_the_place_of_the_usual_ones_in_both(other: Exporting) -> None:
    sql = other.view()["originalSql"]
    assert "json_extract_scalar(line, '$.words') AS text" in sql
    assert "json_extract_scalar(line, '$.guid') AS conversation_id" in sql
    for usual in (*FIELDS["text"], *FIELDS["conversation"]):
        assert f"'$.{usual}'" not in sql
    reconcile = other.made.transcript_reconciliation.reconcile_transcript
    variables = other.properties(reconcile)["Environment"]["Variables"]
    assert json.loads(variables["FEED_COLUMNS"]) == {"text": "words", "conversation": "guid"}


def test_the_work_group_decides_where_results_go_how_long_and_how_much_is_read(
    on: Exporting,
) -> None:
    group = on.one("AWS::Athena::WorkGroup")["Properties"]
    location = {"Fn::Join": ["", ["s3://", on.ref(on.bucket), "/athena-results/"]]}
    assert group["WorkGroupConfiguration"] == {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": 100 * 1024**3,
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        "ResultConfiguration": {
            "OutputLocation": location,
            "ExpectedBucketOwner": ACCOUNT,
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        },
    }


def test_people_find_it_by_the_stacks_name(on: Exporting) -> None:
    outputs = {key: each["Value"] for key, each in on.template["Outputs"].items()}
    assert on.one("AWS::Athena::WorkGroup")["Properties"]["Name"] == "Stack"
    assert on.one("AWS::Glue::Database")["Properties"]["DatabaseInput"]["Name"] == "stack"
    assert {key: outputs[key] for key in outputs if key.startswith("Export")} == {
        "ExportFunction": on.ref(on.export.export_utterances),
        "ExportBucket": on.ref(on.bucket),
        "ExportWorkGroup": "Stack",
        "ExportDatabase": "stack",
        "ExportQuery": "SELECT conversation_id, role, text FROM stack.utterances "
        "WHERE dt = '2026-11-23' ORDER BY conversation_id, said_at",
        "ExportUtterancesLogs": on.ref(on.export.export_utterances.log_group),
        "ExportDeadLettersUrl": on.ref(on.export.dead_letters),
    }
