"""The functions, the webhook, the queue, the table: what each may do, and what becomes of a call's
words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe.calls.transcription_control import TranscriptionControl

from .conftest import ACCOUNT, NAMES, Assembly, Json, Transcription, allow, in_order, new_stack

REGION, INSTANCE = Transcription.REGION, Transcription.INSTANCE
CREDENTIALS = Transcription.CREDENTIALS
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
FUNCTIONS = {
    "start_streaming",
    "stop_streaming",
    "authorize_webhook",
    "store_transcript",
    "publish_utterance",
    "reconcile_transcript",
    "read_transcript",
}
every_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


class Everything(Transcription):
    """With its parts by name."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        store, webhook = self.made.transcript_store, self.made.transcript_webhook
        control = self.made.transcription_control
        self.store, self.webhook, self.control, self.table = store, webhook, control, store.table
        self.functions: dict[str, lambda_.IFunction] = {
            "start_streaming": control.start_streaming.lambda_,
            "stop_streaming": control.stop_streaming.lambda_,
            "authorize_webhook": webhook.api.authorize_webhook,
            "store_transcript": webhook.store_transcript,
            "publish_utterance": store.publish_utterance,
            "reconcile_transcript": self.made.transcript_reconciliation.reconcile_transcript,
            "read_transcript": self.made.transcript_api.read_transcript,
        }

    def function(self, name: str) -> Json:
        return self.properties(self.functions[name])

    def log_group(self, name: str) -> str:
        """The logical id of a function's log group."""
        identifier: str = self.function(name)["LoggingConfig"]["LogGroup"]["Ref"]
        return identifier

    def role(self, name: str) -> iam.IRole:
        role = self.functions[name].role
        assert role is not None
        return role

    def sender(self) -> iam.IRole:
        """The role with which API Gateway sends to the queue."""
        role: Any = self.webhook.api.node.find_child("SendToQueue")
        found: iam.IRole = role
        return found

    def mapping(self, name: str) -> Json:
        """What invokes a function from a queue or a stream."""
        target = self.ref(self.functions[name])
        (found,) = (
            each["Properties"]
            for each in self.all("AWS::Lambda::EventSourceMapping")
            if each["Properties"]["FunctionName"] == target
        )
        return dict(found)

    def of_webhook(self, kind: str) -> Json:
        """The one resource of a kind that belongs to the webhook."""
        (found,) = (
            each
            for key, each in self.template["Resources"].items()
            if each["Type"] == kind and key.startswith("TranscriptWebhook")
        )
        return dict(found)

    def method(self) -> Json:
        return dict(self.of_webhook("AWS::ApiGateway::Method")["Properties"])


@pytest.fixture(scope="module")
def smallest() -> Everything:
    """What an environment gets that says nothing of its own."""
    return Everything()


@pytest.fixture(scope="module")
def other() -> Everything:
    """The other choice, wherever there is one."""
    return Everything(
        on_delete="destroy",
        asapp={
            "api_host": "https://api.sandbox.asapp.com",
            "language": "es-US",
            "redaction": "unredacted",
            "detailed_tokens": True,
            "audio_recording_allowed": True,
            "start_selector": "NOW",
            "conversation_id": "ContactId",
        },
        webhook={
            "secret_in": "query",
            "secret_name": "token",
            "throttle_rate_per_second": 50,
            "throttle_burst": 75,
            "allowed_cidrs": ["203.0.113.0/24", "198.51.100.7/32"],
            "api_gateway_log_role": "manage",
        },
        retention={"transcripts_days": 7, "logs_days": 90},
        alarms={"topic_arn": TOPIC},
    )


# What each function may do


def service_may_assume(service: str) -> Json:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


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
        ]
    )


def test_the_authorizer_reads_the_webhooks_secret_and_nothing_else(
    smallest: Everything,
) -> None:
    secret = smallest.ref(smallest.webhook.secret)
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
            allow(give_up, smallest.arn(smallest.store.unpublished)),
        ]
    )


def test_api_gateway_sends_to_the_queue_and_does_nothing_else(smallest: Everything) -> None:
    sender = smallest.sender()
    assert smallest.trust(sender) == service_may_assume("apigateway")
    queue = smallest.arn(smallest.webhook.queue)
    assert smallest.permissions(sender) == [allow("sqs:SendMessage", queue)]


def test_there_is_no_other_role_and_no_other_policy(smallest: Everything) -> None:
    schedule = smallest.made.transcript_reconciliation.schedule
    roles = [smallest.role(name) for name in FUNCTIONS] + [smallest.sender(), schedule.role]
    expected = {smallest.identifier(role) for role in roles}
    resources = smallest.template["Resources"]
    assert {k for k, each in resources.items() if each["Type"] == "AWS::IAM::Role"} == expected
    policies = [each for each in resources.values() if "Policy" in each["Type"]]
    of_roles = [each for each in policies if each["Type"] == "AWS::IAM::Policy"]
    attached = [tuple(each["Properties"]["Roles"][0].values()) for each in of_roles]
    assert sorted(attached) == sorted((role,) for role in expected)
    assert {each["Type"] for each in policies} == {
        "AWS::IAM::Policy",
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
    webhooks = json.dumps(smallest.ref(smallest.webhook.secret))
    assert readers == {
        "start_streaming": {json.dumps(CREDENTIALS)},
        "stop_streaming": {json.dumps(CREDENTIALS)},
        "authorize_webhook": {webhooks},
        "store_transcript": set(),
        "publish_utterance": set(),
        "reconcile_transcript": {json.dumps(CREDENTIALS)},
        "read_transcript": set(),
    }


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
    api = smallest.ref(smallest.webhook.api.rest_api)
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
        "FunctionName": smallest.arn(smallest.webhook.api.authorize_webhook),
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Join": source},
    }
    stage = smallest.ref(transcripts.rest_api.deployment_stage)
    path = "/GET/conversations/*/transcript"
    source = ["", [start, smallest.ref(transcripts.rest_api), "/", stage, path]]
    reading = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": smallest.arn(transcripts.read_transcript),
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Join": source},
    }
    assert in_order(permissions) == in_order([*connect, gateway, reading])
    assert not smallest.all("AWS::Lambda::Url")


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
    }
    variables = {name: smallest.function(name)["Environment"]["Variables"] for name in FUNCTIONS}
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
            "WEBHOOK_SECRET": smallest.ref(smallest.webhook.secret),
            "SECRET_IN": "header",
            "SECRET_NAME": "x-webhook-secret",
        },
        "store_transcript": {
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "DEAD_LETTER_QUEUE_URL": smallest.ref(smallest.webhook.dead_letters),
        },
        "publish_utterance": {"EVENT_BUS_NAME": smallest.ref(smallest.store.event_bus)},
        "reconcile_transcript": {
            "ASAPP_API_HOST": "https://api.asapp.com",
            "ASAPP_CREDENTIALS_SECRET": "acme/asapp",
            "TRANSCRIPT_TABLE": smallest.ref(smallest.table),
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "RECONCILE_AFTER_MINUTES": "15",
            "EXPORT_BUCKET": "",
            "FEED_COLUMNS": "{}",
        },
        "read_transcript": {"TRANSCRIPT_TABLE": smallest.ref(smallest.table)},
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
        "Stack/Control: ASAPP refuses detailed_tokens with redaction='redacted'; "
        "write redaction='unredacted', or leave detailed_tokens out"
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
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }


def test_new_utterances_alone_go_to_the_publisher_and_a_bad_one_holds_back_no_other(
    smallest: Everything,
) -> None:
    mapping = smallest.mapping("publish_utterance")
    (chosen,) = mapping.pop("FilterCriteria")["Filters"]
    assert json.loads(chosen["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"item": {"S": [{"prefix": "utterance#"}]}}},
    }
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
    assert not smallest.all("AWS::Events::Rule")
    assert len(smallest.all("AWS::Scheduler::Schedule")) == 1  # of the reconciliation
    assert not smallest.all("AWS::SNS::Subscription")


# The table, the bus and the queues


def test_the_table_is_encrypted_recoverable_and_forgets_by_itself(smallest: Everything) -> None:
    assert smallest.properties(smallest.table) == {
        "KeySchema": [
            {"AttributeName": "conversationId", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "conversationId", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
            {"AttributeName": "reconcile", "AttributeType": "S"},
            {"AttributeName": "reconcileAt", "AttributeType": "N"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "Reconcile",
                "KeySchema": [
                    {"AttributeName": "reconcile", "KeyType": "HASH"},
                    {"AttributeName": "reconcileAt", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
    }


STAYS = ("RetainExceptOnCreate", "Retain")


def policies(resource: Json) -> tuple[str, str]:
    return resource["DeletionPolicy"], resource["UpdateReplacePolicy"]


def test_stored_data_outlives_its_stack(smallest: Everything) -> None:
    assert policies(smallest.resource(smallest.table)) == STAYS
    kept = [each for each in smallest.template["Resources"].values() if "DeletionPolicy" in each]
    assert {policies(each) for each in kept} == {STAYS}


def test_where_it_shall_be_destroyed_it_goes_with_its_stack(other: Everything) -> None:
    assert policies(other.resource(other.table)) == ("Delete", "Delete")
    assert not other.properties(other.table)["DeletionProtectionEnabled"]
    for construct in (other.webhook.queue, other.webhook.secret, other.store.unpublished):
        assert policies(other.resource(construct)) == ("Delete", "Delete")


def test_the_queues_keep_their_messages_encrypted_for_14_days(smallest: Everything) -> None:
    webhook, store = smallest.webhook, smallest.store
    common = {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 24 * 60 * 60}
    assert smallest.properties(webhook.dead_letters) == common
    assert smallest.properties(store.unpublished) == common
    dead_letters = smallest.arn(webhook.dead_letters)
    assert smallest.properties(webhook.queue) == common | {
        "VisibilityTimeout": 6 * smallest.function("store_transcript")["Timeout"],
        "RedrivePolicy": {"deadLetterTargetArn": dead_letters, "maxReceiveCount": 10},
    }
    assert smallest.properties(smallest.made.transcript_reconciliation.dead_letters) == common
    assert len(smallest.all("AWS::SQS::Queue")) == 4


def test_the_queues_refuse_unencrypted_requests_and_other_accounts(
    smallest: Everything,
) -> None:
    queues = (
        smallest.webhook.queue,
        smallest.webhook.dead_letters,
        smallest.store.unpublished,
        smallest.made.transcript_reconciliation.dead_letters,
    )
    deny = {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Principal": {"AWS": "*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    expected = {
        smallest.identifier(queue): [deny | {"Resource": smallest.arn(queue)}] for queue in queues
    }
    found = {
        policy["Properties"]["Queues"][0]["Ref"]: policy["Properties"]["PolicyDocument"][
            "Statement"
        ]
        for policy in smallest.all("AWS::SQS::QueuePolicy")
    }
    assert found == expected


def test_the_bus_is_open_to_its_own_account_only(smallest: Everything) -> None:
    assert len(smallest.all("AWS::Events::EventBus")) == 1
    assert not smallest.all("AWS::Events::EventBusPolicy")


def test_the_webhooks_secret_is_made_in_the_account_and_in_no_template(
    smallest: Everything,
) -> None:
    secret = smallest.properties(smallest.webhook.secret)
    assert secret.pop("Description")
    assert secret == {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}}
    assert not smallest.all("AWS::SecretsManager::ResourcePolicy")


# The webhook


def test_the_api_has_one_method_post_transcripts(smallest: Everything) -> None:
    resource = smallest.of_webhook("AWS::ApiGateway::Resource")["Properties"]
    api = smallest.identifier(smallest.webhook.api.rest_api)
    assert resource == {
        "PathPart": "transcripts",
        "ParentId": {"Fn::GetAtt": [api, "RootResourceId"]},
        "RestApiId": {"Ref": api},
    }
    method = smallest.method()
    assert (method["HttpMethod"], method["RestApiId"]) == ("POST", {"Ref": api})
    resources = smallest.template["Resources"]
    assert resources[method["ResourceId"]["Ref"]]["Properties"] == resource
    assert not smallest.all("AWS::ApiGateway::DomainName")


def test_nobody_gets_past_the_authorizer(smallest: Everything) -> None:
    method = smallest.method()
    assert method["AuthorizationType"] == "CUSTOM"
    authorizer = smallest.template["Resources"][method["AuthorizerId"]["Ref"]]
    assert authorizer == smallest.one("AWS::ApiGateway::Authorizer")
    uri = str(authorizer["Properties"]["AuthorizerUri"])
    assert smallest.identifier(smallest.webhook.api.authorize_webhook) in uri


@pytest.mark.parametrize(
    ("stack", "source"),
    [
        ("smallest", "method.request.header.x-webhook-secret"),
        ("other", "method.request.querystring.token"),
    ],
)
def test_its_answer_is_kept_for_five_minutes_by_the_secret_in_its_place(
    stack: str, source: str, request: pytest.FixtureRequest
) -> None:
    deployed: Everything = request.getfixturevalue(stack)
    authorizer = deployed.one("AWS::ApiGateway::Authorizer")["Properties"]
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == source
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300


def test_the_body_goes_into_the_queue_and_nothing_of_ours_stands_between(
    smallest: Everything,
) -> None:
    queue = smallest.identifier(smallest.webhook.queue)
    path = f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/"
    not_stored = {"application/json": '{"message": "not stored"}'}
    assert smallest.method()["Integration"] == {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Join": ["", [path, {"Fn::GetAtt": [queue, "QueueName"]}]]},
        "Credentials": smallest.arn(smallest.sender()),
        "PassthroughBehavior": "NEVER",
        "RequestParameters": {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        },
        "RequestTemplates": {
            "application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        },
        "IntegrationResponses": [
            {"StatusCode": "200", "ResponseTemplates": {"application/json": "{}"}},
            {
                "StatusCode": "400",
                "SelectionPattern": r"4\d{2}",
                "ResponseTemplates": not_stored,
            },
            {
                "StatusCode": "500",
                "SelectionPattern": r"5\d{2}",
                "ResponseTemplates": not_stored,
            },
        ],
    }
    statuses = [each["StatusCode"] for each in smallest.method()["MethodResponses"]]
    assert statuses == ["200", "400", "500"]


def test_only_what_nobody_could_use_is_refused_at_the_door(smallest: Everything) -> None:
    method, resources = smallest.method(), smallest.template["Resources"]
    validator = resources[method["RequestValidatorId"]["Ref"]]["Properties"]
    assert validator["ValidateRequestBody"]
    assert "RequestParameters" not in method
    (content_type, model) = method["RequestModels"].popitem()
    assert content_type == "application/json"
    assert resources[model["Ref"]]["Properties"]["Schema"] == {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "WebhookMessage",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string"}},
    }


@pytest.mark.parametrize(("stack", "rate", "burst"), [("smallest", 100, 200), ("other", 50, 75)])
def test_the_stage_is_throttled_and_writes_no_execution_log(
    stack: str, rate: int, burst: int, request: pytest.FixtureRequest
) -> None:
    """An execution log would hold what callers say; without a level there is none."""
    stage = request.getfixturevalue(stack).of_webhook("AWS::ApiGateway::Stage")["Properties"]
    assert stage["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "DataTraceEnabled": False,
            "MetricsEnabled": True,
            "ThrottlingRateLimit": rate,
            "ThrottlingBurstLimit": burst,
        }
    ]
    # A trace names the URL: with the secret in the query string it would hold the secret.
    assert stage["TracingEnabled"] == (stack == "smallest")
    assert "Variables" not in stage
    assert "CacheClusterEnabled" not in stage


def test_the_access_log_names_a_request_without_what_it_carries(smallest: Everything) -> None:
    """Neither the query string or a header, where the secret may be, nor the body."""
    setting = smallest.of_webhook("AWS::ApiGateway::Stage")["Properties"]["AccessLogSetting"]
    assert json.loads(setting["Format"]) == {
        "requestId": "$context.requestId",
        "requestTime": "$context.requestTime",
        "httpMethod": "$context.httpMethod",
        "resourcePath": "$context.resourcePath",
        "status": "$context.status",
        "sourceIp": "$context.identity.sourceIp",
        "responseLatencyMs": "$context.responseLatency",
        "integrationStatus": "$context.integration.status",
        "authorizerStatus": "$context.authorizer.status",
        "error": "$context.error.responseType",
    }


def test_the_api_answers_everyone_where_no_network_is_named(smallest: Everything) -> None:
    api = smallest.properties(smallest.webhook.api.rest_api)
    assert "Policy" not in api
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_api_answers_only_the_networks_that_are_named(other: Everything) -> None:
    invoke = {
        "Action": "execute-api:Invoke",
        "Principal": {"AWS": "*"},
        "Resource": "execute-api:/*",
    }
    cidrs = ["203.0.113.0/24", "198.51.100.7/32"]
    outside = {"NotIpAddress": {"aws:SourceIp": cidrs}}
    assert other.properties(other.webhook.api.rest_api)["Policy"] == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", **invoke},
            {"Effect": "Deny", **invoke, "Condition": outside},
        ],
    }


def test_no_two_environments_share_the_metrics_of_their_apis(
    assembly_of: Callable[[str], Assembly],
) -> None:
    """CloudWatch knows an API by its name, which need not be unique."""
    names = [
        each["Properties"]["Name"]
        for name in NAMES
        for each in assembly_of(name).resources
        if each["Type"] == "AWS::ApiGateway::RestApi"
    ]
    assert len(set(names)) == 2 * len(NAMES)


def test_the_account_wide_log_role_is_left_alone_by_default(smallest: Everything) -> None:
    assert not smallest.all("AWS::ApiGateway::Account")


def test_the_account_wide_log_role_is_made_on_request_and_stays(other: Everything) -> None:
    """Even if the first deployment fails: API Gateway keeps the role in the account's setting."""
    account = other.one("AWS::ApiGateway::Account")
    assert policies(account) == ("Retain", "Retain")
    (role_id, attribute) = account["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"]
    role = other.template["Resources"][role_id]
    assert attribute == "Arn"
    assert policies(role) == ("Retain", "Retain")
    (account_id,) = (k for k, v in other.template["Resources"].items() if v == account)
    for stage in other.all("AWS::ApiGateway::Stage"):
        assert account_id in stage["DependsOn"]
    policy = ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    assert role["Properties"] == {
        "AssumeRolePolicyDocument": service_may_assume("apigateway"),
        "ManagedPolicyArns": [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, policy]]}],
    }


def test_asapp_is_told_the_url_and_where_the_secret_is_and_readers_theirs(
    smallest: Everything,
) -> None:
    outputs = {key: each["Value"] for key, each in smallest.template["Outputs"].items()}
    assert outputs == {
        "WebhookUrl": smallest.value(smallest.webhook.api.url),
        "WebhookSecretArn": smallest.ref(smallest.webhook.secret),
        "TranscriptUrl": smallest.value(smallest.made.transcript_api.url),
        "ReconcileFunction": smallest.ref(
            smallest.made.transcript_reconciliation.reconcile_transcript
        ),
    }
    assert str(outputs["WebhookUrl"]).endswith("'/transcripts']]}")


# The alarms


def test_every_way_to_lose_words_has_its_alarm(smallest: Everything) -> None:
    webhook, store, control = smallest.webhook, smallest.store, smallest.control

    def invoked(function: lambda_.IFunction) -> list[Json]:
        return [{"Name": "FunctionName", "Value": smallest.ref(function)}]

    def invoked_by_alias(function: lambda_.IFunction) -> list[Json]:
        by_alias = {"Fn::Join": ["", [smallest.ref(function), ":live"]]}
        return [*invoked(function), {"Name": "Resource", "Value": by_alias}]

    def queue(construct: Any) -> list[Json]:
        name = {"Fn::GetAtt": [smallest.identifier(construct), "QueueName"]}
        return [{"Name": "QueueName", "Value": name}]

    api = [{"Name": "ApiName", "Value": smallest.properties(webhook.api.rest_api)["Name"]}]
    functions = [
        invoked_by_alias(control.start_streaming.lambda_),
        invoked_by_alias(control.stop_streaming.lambda_),
        invoked(webhook.api.authorize_webhook),
        invoked(webhook.store_transcript),
        invoked(store.publish_utterance),
        invoked(smallest.made.transcript_reconciliation.reconcile_transcript),
        invoked(smallest.made.transcript_api.read_transcript),
    ]
    ours = "ConnectAutotranscribe/Stack"
    reconciliation_dead_letters = smallest.made.transcript_reconciliation.dead_letters
    expected = [
        *(("AWS/Lambda", "Errors", "Sum", 1, each) for each in functions),
        *(("AWS/Lambda", "Throttles", "Sum", 1, each) for each in functions),
        *(
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1, queue(each))
            for each in (webhook.dead_letters, store.unpublished, reconciliation_dead_letters)
        ),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 300, queue(webhook.queue)),
        ("AWS/ApiGateway", "5XXError", "Sum", 1, api),
        ("AWS/ApiGateway", "4XXError", "Sum", 1, api),
        (ours, "CallsRefused", "Sum", 5, None),
        (ours, "CallsNotTranscribed", "Sum", 1, None),
        (ours, "AsappLimitReached", "Sum", 1, None),
        (ours, "ConversationsIncomplete", "Sum", 1, None),
    ]
    alarms = [each["Properties"] for each in smallest.all("AWS::CloudWatch::Alarm")]
    keys = ("Namespace", "MetricName", "Statistic", "Threshold", "Dimensions")
    assert sorted(str(tuple(each.get(key) for key in keys)) for each in alarms) == sorted(
        str(each) for each in expected
    )
    for alarm in alarms:
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1)
        assert alarm["AlarmDescription"]


def test_the_alarms_go_to_a_topic_of_ours_that_only_our_alarms_may_use(
    smallest: Everything,
) -> None:
    topic = smallest.ref(smallest.made.alarms.topic)
    for alarm in smallest.all("AWS::CloudWatch::Alarm"):
        assert alarm["Properties"]["AlarmActions"] == [topic]
        assert alarm["Properties"].get("ActionsEnabled", True)
    statements = smallest.one("AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    for statement in statements:
        del statement["Sid"]
    assert in_order(statements) == in_order(
        [
            {
                "Effect": "Deny",
                "Action": "sns:Publish",
                "Principal": "*",
                "Resource": topic,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Effect": "Allow",
                "Action": "sns:Publish",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Resource": topic,
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            },
        ]
    )


def test_the_alarms_go_to_a_topic_of_the_customers_where_one_is_given(
    other: Everything,
) -> None:
    assert not other.all("AWS::SNS::Topic")
    assert not other.all("AWS::SNS::TopicPolicy")
    assert not other.all("AWS::SNS::Subscription")
    alarms = other.all("AWS::CloudWatch::Alarm")
    assert [each["Properties"]["AlarmActions"] for each in alarms] == [[TOPIC]] * len(alarms)


def test_the_alarms_are_mailed_to_whom_the_environment_names() -> None:
    mailed = Everything(alarms={"email": "ops@example.com"})
    assert mailed.one("AWS::SNS::Subscription")["Properties"] == {
        "Protocol": "email",
        "Endpoint": "ops@example.com",
        "TopicArn": mailed.ref(mailed.made.alarms.topic),
    }
