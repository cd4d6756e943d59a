"""What a role may do that a construct has granted something: everything is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe import (
    CallLifecycle,
    TranscriptionControl,
    TranscriptReconciliation,
    TranscriptStore,
    TranscriptWebhook,
    UtteranceExport,
)
from connect_autotranscribe.interfaces import ExportedFiles, StreamControl
from tests.infra.conftest import ACCOUNT, Deployed, Json, allow, in_order, new_stack

REGION = "eu-central-1"
INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/theirs"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
HERE = f":{REGION}:{ACCOUNT}:"
SCREEN = "function:screen:live"


def role(stack: Stack) -> iam.Role:
    return iam.Role(stack, "Role", assumed_by=iam.AccountRootPrincipal())


def asapp(stack: Stack) -> dict[str, Any]:
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Asapp", "asapp")
    return {"credentials_secret": secret, "api_host": "https://api.asapp.com"}


def table(stack: Stack, id: str = "Table") -> dynamodb.ITable:
    return dynamodb.Table.from_table_attributes(
        stack, id, table_arn=TABLE, table_stream_arn=f"{TABLE}/stream/1"
    )


def may(stack: Stack, role: iam.Role) -> list[Json]:
    return Deployed(stack).permissions(role)


def here(service: str, resource: str) -> str:
    return f"arn:aws:{service}{HERE}{resource}"


def test_a_reader_of_the_store_reads_items_and_no_index() -> None:
    stack = new_stack()
    reader = role(stack)
    TranscriptStore(stack, "Store", table=table(stack)).grant_read(reader)
    assert may(stack, reader) == [allow(["dynamodb:GetItem", "dynamodb:Query"], TABLE)]


def test_who_may_start_and_stop_invokes_the_two_aliases() -> None:
    stack = new_stack()
    caller = role(stack)
    control = TranscriptionControl(
        stack, "Control", instance_arn=INSTANCE, table=table(stack), **asapp(stack)
    )
    control.grant_invoke(caller)
    aliases = [control.start_streaming, control.stop_streaming]
    resources = [stack.resolve(each.function_arn) for each in aliases]
    assert may(stack, caller) == [allow("lambda:InvokeFunction", resources)]


def test_who_may_reconcile_or_export_invokes_that_function_and_none_of_its_versions() -> None:
    stack = new_stack()
    caller = role(stack)
    export = UtteranceExport(stack, "Export", **asapp(stack))
    reconciliation = TranscriptReconciliation(
        stack,
        "Reconciliation",
        table=table(stack),
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Again", "asapp"),
        api_host="https://api.asapp.com",
    )
    export.grant_invoke(caller)
    reconciliation.grant_invoke(caller)
    functions = (export.export_utterances, reconciliation.reconcile_transcript)
    resources = [stack.resolve(each.function_arn) for each in functions]
    assert may(stack, caller) == [allow("lambda:InvokeFunction", resources)]


def test_an_utterance_is_shown_to_the_one_version_that_was_given() -> None:
    stack = new_stack()
    function = lambda_.Function.from_function_arn(stack, "OnUtterance", here("lambda", SCREEN))
    webhook = TranscriptWebhook(stack, "Webhook", table=table(stack), on_utterance=function)
    reconciliation = TranscriptReconciliation(
        stack, "Reconcile", table=table(stack, "Second"), on_utterance=function, **asapp(stack)
    )
    without = TranscriptWebhook(stack, "Without", table=table(stack, "Third"))
    made = Deployed(stack)
    for asking in (webhook.store_transcript, reconciliation.reconcile_transcript):
        assert asking.role
        invokes = [each for each in made.permissions(asking.role) if "lambda:" in str(each)]
        assert invokes == [allow("lambda:InvokeFunction", here("lambda", SCREEN))]
    environments = [
        made.properties(each)["Environment"]["Variables"].get("ON_UTTERANCE_FUNCTION")
        for each in (
            webhook.store_transcript,
            reconciliation.reconcile_transcript,
            without.store_transcript,
        )
    ]
    assert environments == [here("lambda", SCREEN)] * 2 + [None]
    assert without.store_transcript.role
    assert "lambda:" not in str(made.permissions(without.store_transcript.role))


def test_who_may_redrive_moves_messages_back_and_reads_nothing_else() -> None:
    stack = new_stack()
    operator = role(stack)
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    webhook = TranscriptWebhook(stack, "Webhook", table=table(stack), key=key)
    webhook.grant_redrive(operator)
    dead_letters, queue = (
        stack.resolve(each.queue_arn) for each in (webhook.dead_letters, webhook.queue)
    )
    assert may(stack, operator) == in_order(
        [
            allow(
                [
                    "sqs:CancelMessageMoveTask",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ListMessageMoveTasks",
                    "sqs:ReceiveMessage",
                    "sqs:StartMessageMoveTask",
                ],
                dead_letters,
            ),
            allow(["sqs:GetQueueAttributes", "sqs:SendMessage"], queue),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY),
        ]
    )


def test_any_role_may_be_let_read_the_exports_files() -> None:
    stack = new_stack()
    reader = role(stack)
    bucket = s3.Bucket.from_bucket_attributes(
        stack,
        "Bucket",
        bucket_arn="arn:aws:s3:::theirs",
        encryption_key=kms.Key.from_key_arn(stack, "Key", KEY),
    )
    UtteranceExport(stack, "Export", bucket=bucket, **asapp(stack)).grant_read(reader)
    feeds = ["utterances/*", "staging_utterance_state/*"]
    assert may(stack, reader) == in_order(
        [
            allow("s3:GetObject", [f"arn:aws:s3:::theirs/{each}" for each in sorted(feeds)]),
            allow("s3:ListBucket", "arn:aws:s3:::theirs", StringLike={"s3:prefix": feeds}),
            allow("kms:Decrypt", KEY),
        ]
    )


class Theirs:
    """A team's own control and files, which are no constructs of this package."""

    environment: Mapping[str, str] = {"TRANSCRIPT_TABLE": "theirs"}
    columns: Mapping[str, str] = {"text": "words"}

    def __init__(self, bucket: s3.IBucket) -> None:
        self.bucket = bucket
        self.announced: list[lambda_.IFunction] = []

    def grant_to(self, grantee: iam.IGrantable) -> None:
        self._grant(grantee, TABLE, "dynamodb:GetItem")

    def grant_read(self, grantee: iam.IGrantable) -> None:
        self._grant(grantee, self.bucket.bucket_arn, "s3:ListBucket")

    def announce_to(self, function: lambda_.IFunction) -> None:
        self.announced.append(function)

    def _grant(self, grantee: iam.IGrantable, resource: str, *actions: str) -> None:
        iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=[resource])


def test_a_lifecycle_and_a_reconciliation_take_parts_of_a_team_by_interface() -> None:
    stack = new_stack()
    theirs = Theirs(s3.Bucket.from_bucket_name(stack, "Bucket", "theirs"))
    control: StreamControl = theirs
    files: ExportedFiles = theirs
    lifecycle = CallLifecycle(
        stack, "Lifecycle", mode="manage", instance_arn=INSTANCE, control=control
    )
    reconciliation = TranscriptReconciliation(
        stack, "Reconciliation", table=table(stack), export=files, **asapp(stack)
    )
    assert len(theirs.announced) == 1
    made = Deployed(stack)

    def variables(function: lambda_.Function) -> Json:
        found: Json = made.properties(function)["Environment"]["Variables"]
        return found

    for function in (lifecycle.follow_agent_events, lifecycle.follow_contact_events):
        assert variables(function) == {"TRANSCRIPT_TABLE": "theirs"}
        assert function.role
        assert allow("dynamodb:GetItem", TABLE) in made.permissions(function.role)
    compares = reconciliation.reconcile_transcript
    assert variables(compares)["EXPORT_BUCKET"] == "theirs"
    assert json.loads(variables(compares)["FEED_COLUMNS"]) == {"text": "words"}


def test_an_analyst_queries_in_the_work_group_and_writes_only_results() -> None:
    stack = new_stack()
    analyst = role(stack)
    bucket = s3.Bucket.from_bucket_attributes(
        stack,
        "Bucket",
        bucket_arn="arn:aws:s3:::theirs",
        encryption_key=kms.Key.from_key_arn(stack, "Key", KEY),
    )
    export = UtteranceExport(stack, "Export", bucket=bucket, **asapp(stack))
    export.grant_query(analyst)
    feeds = ["utterances/*", "staging_utterance_state/*"]
    assert may(stack, analyst) == in_order(
        [
            allow(
                [
                    "athena:GetQueryExecution",
                    "athena:GetQueryResults",
                    "athena:GetWorkGroup",
                    "athena:StartQueryExecution",
                    "athena:StopQueryExecution",
                ],
                here("athena", "workgroup/Stack"),
            ),
            allow(
                ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"],
                [here("glue", each) for each in ("catalog", "database/stack", "table/stack/*")],
            ),
            allow("s3:GetObject", [f"arn:aws:s3:::theirs/{each}" for each in sorted(feeds)]),
            allow(
                [
                    "s3:AbortMultipartUpload",
                    "s3:GetObject",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
                "arn:aws:s3:::theirs/athena-results/*",
            ),
            allow("s3:GetBucketLocation", "arn:aws:s3:::theirs"),
            allow(
                "s3:ListBucket",
                "arn:aws:s3:::theirs",
                StringLike={"s3:prefix": [*feeds, "athena-results/*"]},
            ),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY),
        ]
    )
