"""What each function may do, and who may invoke it."""

from __future__ import annotations

import json

import pytest

from tests.infra.conftest import (
    ACCOUNT,
    Json,
    Transcription,
    allow,
    in_order,
)
from tests.infra.transcription.everything import (
    FUNCTIONS,
    INSTANCE,
    REGION,
    Everything,
    every_function,
    service_may_assume,
)

CREDENTIALS = Transcription.CREDENTIALS


def logging(stack: Everything, name: str) -> Json:
    group = {"Fn::GetAtt": [stack.log_group(name), "Arn"]}
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], group)


TRACING = allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*")


@every_function
def test_each_function_runs_as_a_role_of_its_own_that_only_lambda_assumes(
    smallest: Everything, name: str
) -> None:
    assert smallest.trust(smallest.role(name)) == service_may_assume("lambda")
    assert smallest.function(name)["Role"] == smallest.arn(smallest.role(name))


@pytest.mark.parametrize("name", ["start_streaming", "stop_streaming"])
def test_start_and_stop_read_the_credentials_and_the_conversation_and_nothing_else(
    smallest: Everything, name: str
) -> None:
    assert smallest.permissions(smallest.role(name)) == in_order(
        [
            logging(smallest, name),
            TRACING,
            allow("secretsmanager:GetSecretValue", CREDENTIALS),
            allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], smallest.arn(smallest.table)),
            allow("ssm:GetParameter", smallest.value(smallest.control.switch.parameter_arn)),
        ]
    )


def test_the_authorizer_reads_the_webhooks_secret_and_nothing_else(
    smallest: Everything,
) -> None:
    secret = smallest.ref(smallest.secret)
    assert smallest.permissions(smallest.role("authorize_webhook")) == in_order(
        [
            logging(smallest, "authorize_webhook"),
            TRACING,
            allow("secretsmanager:GetSecretValue", secret),
        ]
    )


def test_the_consumer_takes_from_the_queue_and_writes_to_the_table_and_nothing_else(
    smallest: Everything,
) -> None:
    receive = [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
    ]
    assert smallest.permissions(smallest.role("store_transcript")) == in_order(
        [
            logging(smallest, "store_transcript"),
            TRACING,
            allow(receive, smallest.arn(smallest.webhook.queue)),
            allow("dynamodb:BatchWriteItem", smallest.arn(smallest.table)),
            allow("sqs:SendMessage", smallest.arn(smallest.webhook.dead_letters)),
        ]
    )


def test_the_publisher_reads_the_change_stream_and_puts_events_on_our_bus_and_nothing_else(
    smallest: Everything,
) -> None:
    stream = {"Fn::GetAtt": [smallest.identifier(smallest.table), "StreamArn"]}
    read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    give_up = "sqs:SendMessage"
    without_resource_level = ["dynamodb:ListStreams", *TRACING["Action"]]
    assert smallest.permissions(smallest.role("publish_utterance")) == in_order(
        [
            logging(smallest, "publish_utterance"),
            allow(without_resource_level, "*"),
            allow(read, stream),
            allow("events:PutEvents", smallest.arn(smallest.store.event_bus)),
            allow(["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], smallest.arn(smallest.table)),
            allow(give_up, smallest.arn(smallest.store.unpublished)),
        ]
    )


def test_api_gateway_sends_to_the_queue_and_does_nothing_else(smallest: Everything) -> None:
    sender = smallest.sender()
    assert smallest.trust(sender) == service_may_assume("apigateway")
    queue = smallest.arn(smallest.webhook.queue)
    assert smallest.permissions(sender) == [allow("sqs:SendMessage", queue)]


def test_there_is_no_other_role_and_no_other_policy(smallest: Everything) -> None:
    made = smallest.made
    schedules = (made.transcript_reconciliation.schedule, made.conversation_erasure.schedule)
    roles = [smallest.role(name) for name in FUNCTIONS] + [smallest.sender()]
    roles += [each.role for each in schedules]
    expected = {smallest.identifier(role) for role in roles}
    resources = smallest.template["Resources"]
    assert {k for k, each in resources.items() if each["Type"] == "AWS::IAM::Role"} == expected
    policies = [each for each in resources.values() if "Policy" in each["Type"]]
    of_roles = [each for each in policies if each["Type"] == "AWS::IAM::Policy"]
    attached = [tuple(each["Properties"]["Roles"][0].values()) for each in of_roles]
    assert sorted(attached) == sorted((role,) for role in expected)
    assert {each["Type"] for each in policies} == {
        "AWS::Events::EventBusPolicy",
        "AWS::IAM::Policy",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }


def test_a_secret_is_read_only_by_those_who_need_it(smallest: Everything) -> None:
    readers = {
        name: {
            json.dumps(statement["Resource"])
            for statement in smallest.permissions(smallest.role(name))
            if "secretsmanager:" in str(statement["Action"])
        }
        for name in FUNCTIONS
    }
    webhooks = json.dumps(smallest.ref(smallest.secret))
    customers = smallest.ref(smallest.made.conversation_erasure.customers_key)
    assert readers == {
        "start_streaming": {json.dumps(CREDENTIALS)},
        "stop_streaming": {json.dumps(CREDENTIALS)},
        "authorize_webhook": {webhooks},
        "store_transcript": set(),
        "publish_utterance": set(),
        "reconcile_transcript": {json.dumps(sorted_by_text(CREDENTIALS, customers))},
        "read_transcript": set(),
        "hold_conversation": set(),
        "erase_conversation": {json.dumps(customers)},
    }


def sorted_by_text(*resources: Json | str) -> list[Json | str]:
    """As CDK merges statements."""
    return sorted(resources, key=json.dumps)


def test_the_eraser_does_what_erasing_takes_and_nothing_else(smallest: Everything) -> None:
    erasure, table = smallest.made.conversation_erasure, smallest.arn(smallest.table)
    queues = sorted(
        (
            smallest.arn(each)
            for each in (smallest.webhook.dead_letters, smallest.store.unpublished)
        ),
        key=json.dumps,
    )
    on_items = ["BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    receipts = smallest.value(erasure.receipts.arn_for_objects("receipts/*"))
    stop = smallest.ref(smallest.control.stop_streaming)
    assert smallest.permissions(smallest.role("erase_conversation")) == in_order(
        [
            logging(smallest, "erase_conversation"),
            TRACING,
            allow([f"dynamodb:{each}" for each in on_items], table),
            allow("dynamodb:Query", {"Fn::Join": ["", [table, "/index/Reconcile"]]}),
            allow(
                ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"], queues
            ),
            allow("s3:PutObject", receipts),
            allow("secretsmanager:GetSecretValue", smallest.ref(erasure.customers_key)),
            allow("lambda:InvokeFunction", stop),
        ]
    )


def test_holding_reads_and_updates_items_and_does_nothing_else(smallest: Everything) -> None:
    on_items = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    assert smallest.permissions(smallest.role("hold_conversation")) == in_order(
        [
            logging(smallest, "hold_conversation"),
            TRACING,
            allow(on_items, smallest.arn(smallest.table)),
        ]
    )


def test_only_one_connect_instance_and_our_apis_may_invoke_a_function(
    smallest: Everything,
) -> None:
    permissions = [each["Properties"] for each in smallest.all("AWS::Lambda::Permission")]
    connect = [
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": smallest.ref(alias),
            "Principal": "connect.amazonaws.com",
            "SourceArn": INSTANCE,
            "SourceAccount": ACCOUNT,
        }
        for alias in (smallest.control.start_streaming, smallest.control.stop_streaming)
    ]
    api = smallest.ref(smallest.webhook.apis[0].rest_api)
    transcripts = smallest.made.transcript_api
    (authorizer,) = (
        key
        for key, each in smallest.template["Resources"].items()
        if each["Type"] == "AWS::ApiGateway::Authorizer"
    )
    start = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:"
    source = ["", [start, api, "/authorizers/", {"Ref": authorizer}]]
    gateway = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": smallest.arn(smallest.webhook.functions["AuthorizeWebhook"]),
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Join": source},
    }
    stage = smallest.ref(transcripts.rest_api.deployment_stage)
    methods = [
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": smallest.arn(function),
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {
                "Fn::Join": ["", [start, smallest.ref(transcripts.rest_api), "/", stage, path]]
            },
        }
        for function, path in (
            (transcripts.read_transcript, "/GET/conversations/*/transcript"),
            (transcripts.hold_conversation, "/PUT/conversations/*/hold"),
            (transcripts.hold_conversation, "/DELETE/conversations/*/hold"),
        )
    ]
    schedule = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": smallest.arn(transcripts.hold_conversation),
        "Principal": "events.amazonaws.com",
        "SourceArn": smallest.arn(transcripts.node.find_child("EverySixHours")),
    }
    assert in_order(permissions) == in_order([*connect, gateway, *methods, schedule])
    assert not smallest.all("AWS::Lambda::Url")
