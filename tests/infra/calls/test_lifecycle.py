"""What follows a call where no flow runs: what it may do, what invokes it, what it leaves alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import Fn, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from moto.events.models import EventPattern

from connect_autotranscribe.calls.call_lifecycle import CallLifecycle
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.stacks.transcription import TranscriptionStack
from connect_settings import Settings
from tests.infra.conftest import ACCOUNT, Deployed, Json, in_order, new_app, new_stack

REGION = "eu-central-1"
INSTANCE_ID = "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE_ID}"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/agent-events"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
CREDENTIALS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:acme/asapp-??????"
NAMES = ("follow_agent_events", "follow_contact_events")
each_function = pytest.mark.parametrize("name", NAMES)


class Lifecycle(Deployed):
    """The stack of an environment, the smallest one but for what is given.

    :param lifecycle: The settings' table of that name.
    """

    def __init__(self, lifecycle: Mapping[str, Any], **given: Any) -> None:
        settings = Settings.from_mapping(
            {
                "account": ACCOUNT,
                "region": REGION,
                "connect": {"instance_arn": INSTANCE, "instance_alias": "acme"},
                "media_streaming": {"mode": "adopt", "prefix": "acme"},
                "asapp": {
                    "api_host": "https://api.asapp.com",
                    "trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp"],
                    "credentials_secret_name": "acme/asapp",
                    "language": "es-US",
                },
                "lifecycle": lifecycle,
            }
            | given
        )
        env = {"account": ACCOUNT, "region": REGION}
        self.stack_made = TranscriptionStack(new_app(), "Stack", settings=settings, env=env)
        super().__init__(self.stack_made)

    def rule(self) -> Json:
        """The rule for contact events; the others are schedules."""
        rules = [each["Properties"] for each in self.all("AWS::Events::Rule")]
        (found,) = (rule for rule in rules if "EventPattern" in rule)
        return dict(found)

    @property
    def made(self) -> CallLifecycle:
        assert self.stack_made.call_lifecycle is not None
        return self.stack_made.call_lifecycle

    def construct(self, name: str) -> lambda_.Function:
        found: lambda_.Function = getattr(self.made, name)
        return found

    def role(self, name: str) -> iam.IRole:
        role = self.construct(name).role
        assert role is not None
        return role

    def arn(self, construct: Any) -> Json:
        return {"Fn::GetAtt": [self.identifier(construct), "Arn"]}

    def ref(self, construct: Any) -> Json:
        return {"Ref": self.identifier(construct)}

    def of_function(self, kind: str, name: str) -> Json:
        """The one resource of a kind that is for this function."""
        target = self.ref(self.construct(name))
        (found,) = (
            each["Properties"]
            for each in self.all(kind)
            if each["Properties"]["FunctionName"] == target
        )
        return dict(found)


@pytest.fixture(scope="module")
def adopted() -> Lifecycle:
    return Lifecycle({"mode": "adopt", "stream_arn": STREAM})


@pytest.fixture(scope="module")
def managed() -> Lifecycle:
    """With all else chosen otherwise too."""
    return Lifecycle(
        {"mode": "manage"},
        on_delete="destroy",
        retention={"transcripts_days": 7, "logs_days": 90},
    )


# What is there in each mode


def test_if_it_is_off_there_is_nothing_of_it() -> None:
    off = Lifecycle({"mode": "off"})
    assert off.stack_made.call_lifecycle is None
    text = json.dumps(off.template)
    for word in ("follow_", "Lifecycle", "kinesis:", "AWS::Kinesis", "AWS::Connect", "AgentEvent"):
        assert word not in text


def test_an_adopted_stream_is_only_read(adopted: Lifecycle) -> None:
    """Not even the instance's setting is touched: there is one, and it may serve others."""
    assert not adopted.all("AWS::Kinesis::Stream")
    assert not adopted.all("AWS::Connect::InstanceStorageConfig")
    assert not adopted.all("AWS::Kinesis::ResourcePolicy")
    assert not adopted.all("AWS::Kinesis::StreamConsumer")
    assert adopted.made.agent_event_stream.stream_arn == STREAM


def test_a_managed_stream_has_one_shard_and_is_not_encrypted(managed: Lifecycle) -> None:
    """Encrypted, it might stay empty, and nobody would be told: docs/decisions/0010."""
    assert managed.one("AWS::Kinesis::Stream")["Properties"] == {
        "RetentionPeriodHours": 24,
        "ShardCount": 1,
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
    }


@pytest.mark.parametrize(
    ("shards", "calls", "expected"), [(None, 1_613, 1), (None, 1_614, 2), (3, 5_000, 3)]
)
def test_its_shards_follow_from_the_calls_unless_the_file_says_them(
    shards: int | None, calls: int, expected: int
) -> None:
    lifecycle = {"mode": "manage"} | ({"shards": shards} if shards else {})
    deployed = Lifecycle(lifecycle, capacity={"expected_calls": calls})
    assert deployed.one("AWS::Kinesis::Stream")["Properties"]["ShardCount"] == expected


def test_the_instance_publishes_its_agent_events_into_it(managed: Lifecycle) -> None:
    assert managed.one("AWS::Connect::InstanceStorageConfig")["Properties"] == {
        "InstanceArn": INSTANCE,
        "ResourceType": "AGENT_EVENTS",
        "StorageType": "KINESIS_STREAM",
        "KinesisStreamConfig": {"StreamArn": managed.arn(managed.made.agent_event_stream)},
    }


def fate(resource: Json) -> tuple[str | None, str | None]:
    return resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")


def test_the_setting_and_its_stream_stay_even_where_the_environment_is_destroyed(
    managed: Lifecycle,
) -> None:
    for kind in ("AWS::Connect::InstanceStorageConfig", "AWS::Kinesis::Stream"):
        assert fate(managed.one(kind)) == ("RetainExceptOnCreate", "Retain")


def test_dead_letters_and_logs_share_the_fate_of_the_environment(
    adopted: Lifecycle, managed: Lifecycle
) -> None:
    for deployed, expected in (
        (adopted, ("RetainExceptOnCreate", "Retain")),
        (managed, ("Delete", "Delete")),
    ):
        kinds = ("AWS::SQS::Queue", "AWS::Logs::LogGroup")
        found = {fate(each) for kind in kinds for each in deployed.all(kind)}
        assert found == {expected}


def test_a_key_that_connect_may_use_encrypts_a_managed_stream() -> None:
    deployed = Lifecycle({"mode": "manage", "key_arn": KEY})
    encryption = deployed.one("AWS::Kinesis::Stream")["Properties"]["StreamEncryption"]
    assert encryption == {"EncryptionType": "KMS", "KeyId": KEY}
    decrypt = allow("kms:Decrypt", KEY)
    assert decrypt in deployed.permissions(deployed.role("follow_agent_events"))


# What each function may do


def allow(actions: str | list[str], resource: Any) -> Json:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def what_each_may(deployed: Lifecycle, name: str) -> list[Json]:
    """Write its log, be traced, and what start and stop may."""
    group = deployed.properties(deployed.construct(name))["LoggingConfig"]["LogGroup"]["Ref"]
    table = deployed.stack_made.transcript_store.table
    switch = deployed.stack_made.transcription_control.switch
    return [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [group, "Arn"]}),
        allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
        allow("secretsmanager:GetSecretValue", CREDENTIALS),
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], deployed.arn(table)),
        allow("ssm:GetParameter", deployed.value(switch.parameter_arn)),
    ]


READ = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
]
GIVE_UP = "sqs:SendMessage"


@pytest.mark.parametrize("mode", ["adopted", "managed"])
def test_one_reads_the_stream_and_does_nothing_else_that_start_may_not(
    mode: str, request: pytest.FixtureRequest
) -> None:
    deployed: Lifecycle = request.getfixturevalue(mode)
    name = "follow_agent_events"
    stream = STREAM if mode == "adopted" else deployed.arn(deployed.made.agent_event_stream)
    assert deployed.permissions(deployed.role(name)) == in_order(
        [
            *what_each_may(deployed, name),
            allow(READ, stream),
            allow(GIVE_UP, deployed.arn(deployed.made.agent_event_dead_letters)),
        ]
    )


def test_the_other_does_nothing_that_start_may_not(adopted: Lifecycle) -> None:
    name = "follow_contact_events"
    assert adopted.permissions(adopted.role(name)) == in_order(
        [
            *what_each_may(adopted, name),
            allow(GIVE_UP, adopted.arn(adopted.made.contact_event_dead_letters)),
        ]
    )


def test_an_encrypted_stream_that_is_adopted_may_be_decrypted() -> None:
    deployed = Lifecycle({"mode": "adopt", "stream_arn": STREAM, "key_arn": KEY})
    name = "follow_agent_events"
    assert deployed.permissions(deployed.role(name)) == in_order(
        [
            *what_each_may(deployed, name),
            allow(READ, STREAM),
            allow("kms:Decrypt", KEY),
            allow(GIVE_UP, deployed.arn(deployed.made.agent_event_dead_letters)),
        ]
    )


@each_function
def test_each_runs_as_a_role_of_its_own(adopted: Lifecycle, name: str) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    assert adopted.trust(adopted.role(name))["Statement"] == [statement]
    assert adopted.properties(adopted.construct(name))["Role"] == adopted.arn(adopted.role(name))


def test_only_our_rule_may_invoke_a_function_of_it(adopted: Lifecycle) -> None:
    ours = [adopted.arn(adopted.construct(name)) for name in NAMES]
    found = [
        each["Properties"]
        for each in adopted.all("AWS::Lambda::Permission")
        if each["Properties"]["FunctionName"] in ours
    ]
    assert found == [
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": adopted.arn(adopted.made.follow_contact_events),
            "Principal": "events.amazonaws.com",
            "SourceArn": adopted.arn(adopted.made.rule),
        }
    ]


# How each function runs


@each_function
def test_a_resume_is_started_as_the_flow_started(adopted: Lifecycle, name: str) -> None:
    """The same host, credentials and parameters: no second place says them."""
    control = adopted.stack_made.transcription_control
    start = dict(adopted.properties(control.start_streaming.lambda_)["Environment"]["Variables"])
    del start["START_SELECTOR"]  # a resume is heard from where the call is then
    assert json.loads(start["AUTOTRANSCRIBE_PARAMS"])["language"] == "es-US"
    assert adopted.properties(adopted.construct(name))["Environment"]["Variables"] == start


@each_function
def test_each_has_half_a_minute_and_keeps_its_log_for_its_time(
    adopted: Lifecycle, managed: Lifecycle, name: str
) -> None:
    for deployed, days in ((adopted, 30), (managed, 90)):
        function = deployed.properties(deployed.construct(name))
        assert function["Timeout"] == 30
        assert function["Handler"] == f"{name}.handler.handler"
        group = function["LoggingConfig"]["LogGroup"]["Ref"]
        assert deployed.template["Resources"][group]["Properties"]["RetentionInDays"] == days


# What invokes them


@pytest.mark.parametrize("mode", ["adopted", "managed"])
def test_agents_do_not_wait_for_one_another_and_a_bad_record_ends_apart(
    mode: str, request: pytest.FixtureRequest
) -> None:
    deployed: Lifecycle = request.getfixturevalue(mode)
    stream = STREAM if mode == "adopted" else deployed.arn(deployed.made.agent_event_stream)
    dead_letters = deployed.arn(deployed.made.agent_event_dead_letters)
    assert deployed.of_function("AWS::Lambda::EventSourceMapping", "follow_agent_events") == {
        "EventSourceArn": stream,
        "FunctionName": deployed.ref(deployed.made.follow_agent_events),
        "StartingPosition": "LATEST",
        "BatchSize": 10,
        "ParallelizationFactor": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 5,
        "MaximumRecordAgeInSeconds": 60 * 60,
        "DestinationConfig": {"OnFailure": {"Destination": dead_letters}},
    }


def test_contact_events_are_tried_again_and_end_where_they_can_be_replayed(
    adopted: Lifecycle,
) -> None:
    """Twice by Lambda where the function fails, five times by EventBridge where it cannot start."""
    dead_letters = adopted.arn(adopted.made.contact_event_dead_letters)
    rule = adopted.rule()
    assert "EventBusName" not in rule, "Connect knows the default bus only"
    assert rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    del target["Id"]
    assert target == {
        "Arn": adopted.arn(adopted.made.follow_contact_events),
        "DeadLetterConfig": {"Arn": dead_letters},
        "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 60 * 60},
    }
    assert adopted.of_function("AWS::Lambda::EventInvokeConfig", "follow_contact_events") == {
        "FunctionName": adopted.ref(adopted.made.follow_contact_events),
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 2,
        "MaximumEventAgeInSeconds": 60 * 60,
        "DestinationConfig": {"OnFailure": {"Destination": dead_letters}},
    }


def test_dead_letters_stay_encrypted_for_14_days_and_only_the_rule_adds_from_outside(
    adopted: Lifecycle,
) -> None:
    made = adopted.made

    def statements(queue: sqs.IQueue) -> list[Json]:
        (policy,) = (
            each["Properties"]["PolicyDocument"]["Statement"]
            for each in adopted.all("AWS::SQS::QueuePolicy")
            if each["Properties"]["Queues"] == [adopted.ref(queue)]
        )
        return [{key: each[key] for key in each if key != "Sid"} for each in policy]

    def over_tls_only(queue: sqs.IQueue) -> Json:
        return {
            "Effect": "Deny",
            "Action": "sqs:*",
            "Principal": {"AWS": "*"},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            "Resource": adopted.arn(queue),
        }

    of_agents, of_contacts = made.agent_event_dead_letters, made.contact_event_dead_letters
    for queue in (of_agents, of_contacts):
        assert adopted.properties(queue) == {
            "SqsManagedSseEnabled": True,
            "MessageRetentionPeriod": 14 * 24 * 60 * 60,
        }
    by_the_rule = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": adopted.arn(made.rule)}},
        "Resource": adopted.arn(of_contacts),
    }
    assert statements(of_agents) == [over_tls_only(of_agents)]
    assert in_order(statements(of_contacts)) == in_order([over_tls_only(of_contacts), by_the_rule])


# Which contact events


SAMPLE: Json = {
    "version": "0",
    "id": "the-event-id",
    "detail-type": "Amazon Connect Contact Event",
    "source": "aws.connect",
    "account": ACCOUNT,
    "time": "2026-11-23T07:00:00Z",
    "region": REGION,
    "resources": [f"arn:aws::connect:{REGION}:{ACCOUNT}:instance/{INSTANCE_ID}/contact/c-1"],
    "detail": {
        "initiationTimestamp": "2026-11-23T06:50:00.000Z",
        "disconnectTimestamp": "2026-11-23T07:00:00.000Z",
        "contactId": "c-1",
        "initialContactId": "c-0",
        "channel": "VOICE",
        "instanceArn": f"arn:aws::connect:{REGION}:{ACCOUNT}:instance/{INSTANCE_ID}",
        "initiationMethod": "TRANSFER",
        "eventType": "DISCONNECTED",
        "agentInfo": {"agentArn": f"{INSTANCE}/agent/a-1", "hierarchyGroups": {}},
        "tags": {"aws:connect:instanceId": INSTANCE_ID},
    },
}
"""As the administrator guide's, with its ARNs of two colons."""


def sample(*without: str, detail_type: str = "", source: str = "", **detail: object) -> Json:
    """The sample event with other fields, or without some."""
    event = SAMPLE | {"detail": SAMPLE["detail"] | detail}
    event |= {"detail-type": detail_type} if detail_type else {}
    event |= {"source": source} if source else {}
    for field in without:
        del event["detail"][field]
    return event


def routed(deployed: Lifecycle, event: Json) -> bool:
    """Whether EventBridge would invoke the function."""
    pattern = deployed.rule()["EventPattern"]
    found: Any = event
    return bool(EventPattern(json.dumps(pattern), pattern).matches_event(found))


PASCAL = {key[:1].upper() + key[1:]: value for key, value in SAMPLE["detail"].items()}


@pytest.mark.parametrize(
    "event",
    [
        sample(),
        sample(detail_type="Connect Customer Contact Event"),
        sample(channel="Voice"),
        sample(instanceArn=INSTANCE),
        sample("tags", "agentInfo", "initialContactId"),  # abandoned in the queue
        sample(initiationMethod="OUTBOUND", queueInfo=None),
        SAMPLE | {"detail": PASCAL},
    ],
    ids=["sample", "renamed", "Voice", "whole ARN", "abandoned", "outbound", "PascalCase"],
)
def test_a_hang_up_is_routed_however_connect_spells_it(adopted: Lifecycle, event: Json) -> None:
    assert routed(adopted, event)


OTHER_ID = "00000000-9bc6-4cea-8290-6c0b4a6d38fa"


@pytest.mark.parametrize(
    "event",
    [
        *(
            sample(eventType=each)
            for each in (
                "INITIATED",
                "CONNECTED_TO_SYSTEM",
                "CONTACT_DATA_UPDATED",
                "QUEUED",
                "CONNECTED_TO_AGENT",
                "COMPLETED",
                "PAUSED",
                "RESUMED",
                "AMD_DISABLED",
                "WEBRTC_API",
            )
        ),
        *(sample(channel=each) for each in ("CHAT", "TASK", "EMAIL")),
        sample("channel"),
        sample("instanceArn"),
        sample(instanceArn=INSTANCE.replace(INSTANCE_ID, OTHER_ID)),
        sample(instanceArn=INSTANCE.replace(INSTANCE_ID, f"0{INSTANCE_ID}")),
        sample(detail_type="Contact Lens Post Call Rules Matched"),
        sample(source="acme.connect"),
        SAMPLE | {"detail": PASCAL | {"Channel": "CHAT"}},
        SAMPLE | {"detail": PASCAL | {"InstanceArn": INSTANCE.replace(INSTANCE_ID, OTHER_ID)}},
    ],
    ids=lambda event: str(list(event["detail"].values()))[-60:],
)
def test_nothing_else_is(adopted: Lifecycle, event: Json) -> None:
    assert not routed(adopted, event)


# What does not fit together


def lifecycle(**given: Any) -> Deployed:
    """The construct by itself, in a stack of another team's."""
    stack = new_stack()
    control = TranscriptionControl(
        stack,
        "Control",
        instance_arn=INSTANCE,
        table=dynamodb.Table.from_table_name(stack, "Table", "table"),
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "name"),
        api_host="https://api.asapp.com",
    )
    given = {name: made(stack) if callable(made) else made for name, made in given.items()}
    arguments: Any = {"mode": "manage", "instance_arn": INSTANCE, "control": control} | given
    CallLifecycle(stack, "CallLifecycle", **arguments)
    return Deployed(stack)


def a_stream(stack: Any) -> kinesis.IStream:
    return kinesis.Stream.from_stream_arn(stack, "Stream", STREAM)


def a_key(stack: Any) -> kms.IKey:
    return kms.Key.from_key_arn(stack, "Key", KEY)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"mode": "adopt"},
            'agent_event_stream: is missing for mode "adopt"; give it, or write mode = "manage"',
        ),
        (
            {"agent_event_stream": a_stream},
            'agent_event_stream: mode "manage" creates the stream; remove it, or write '
            'mode = "adopt"',
        ),
        (
            {"mode": "adopt", "agent_event_stream": a_stream, "stream_key": a_key},
            'stream_key: is for mode "manage"; give the stream its encryption_key, with '
            "Stream.from_stream_attributes",
        ),
        (
            {"mode": "adopt", "instance_arn": INSTANCE_ID},
            f'instance_arn: "{INSTANCE_ID}" is not accepted; write '
            '"arn:<partition>:connect:<region>:<account>:instance/<uuid>"\nStack/CallLifecycle: '
            'agent_event_stream: is missing for mode "adopt"; give it, or write mode = "manage"',
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_does_not_fit_together_is_said_at_once(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'Stack/CallLifecycle: {message}')}$"):
        lifecycle(**given)


def test_a_team_that_says_little_gets_what_the_docstring_promises() -> None:
    deployed = lifecycle(mode="adopt", agent_event_stream=a_stream)
    for kind in ("AWS::SQS::Queue", "AWS::Logs::LogGroup"):
        assert {fate(each) for each in deployed.all(kind)} == {("RetainExceptOnCreate", "Retain")}


def test_an_instance_that_is_known_only_at_deploy_passes() -> None:
    deployed = lifecycle(
        instance_arn=Fn.import_value("InstanceArn"),
        retention=Retention(removal_policy=RemovalPolicy.DESTROY),
    )
    text = json.dumps(deployed.one("AWS::Events::Rule")["Properties"]["EventPattern"])
    assert "InstanceArn" in text
    assert '"Fn::Split"' in text


# The alarms


def test_what_is_not_followed_has_its_alarm(adopted: Lifecycle) -> None:
    made = adopted.made

    def queue(construct: sqs.IQueue) -> list[Json]:
        name = {"Fn::GetAtt": [adopted.identifier(construct), "QueueName"]}
        return [{"Name": "QueueName", "Value": name}]

    def function(name: str) -> list[Json]:
        return [{"Name": "FunctionName", "Value": adopted.ref(adopted.construct(name))}]

    visible = "ApproximateNumberOfMessagesVisible"
    found = [
        (each["Properties"].get("MetricName"), each["Properties"].get("Dimensions"))
        for each in adopted.all("AWS::CloudWatch::Alarm")
    ]
    for expected in (
        *((metric, function(name)) for metric in ("Errors", "Throttles") for name in NAMES),
        (visible, queue(made.agent_event_dead_letters)),
        (visible, queue(made.contact_event_dead_letters)),
        ("RestartsRefused", None),
        ("IteratorAge", function("follow_agent_events")),
        (
            "WriteProvisionedThroughputExceeded",
            [{"Name": "StreamName", "Value": STREAM.rpartition("/")[2]}],
        ),
    ):
        assert found.count(expected) == 1, expected
    without = Lifecycle({"mode": "off"}).all("AWS::CloudWatch::Alarm")
    assert len(found) == len(without) + 10  # and AgentEventsSilent, an expression


def test_its_outputs_are_its_logs_and_its_dead_letters(adopted: Lifecycle) -> None:
    its = re.compile("(Follow|Agent|Contact)[A-Za-z]+(Logs|Url)")
    assert {each for each in adopted.template["Outputs"] if its.fullmatch(each)} == {
        "FollowAgentEventsLogs",
        "FollowContactEventsLogs",
        "AgentEventDeadLettersUrl",
        "ContactEventDeadLettersUrl",
    }
