"""Follows a call when no flow runs: hold and resume, transfer, hang-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from aws_cdk import Acknowledgment, ArnFormat, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_connect as connect
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import MODE, Argument, check_arguments, like
from connect_autotranscribe._encrypted import FailedBatches, FailedInvocations, dead_letter_queue
from connect_autotranscribe._functions import Function
from connect_autotranscribe._key_policy import let_events_send
from connect_autotranscribe._log_metric import REFUSED, event, iterator_age, log_metric
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.interfaces import StreamControl
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_settings.shared_names import shared_names

_EVENTS = shared_names("log_events")
_MAX_AGE = Duration.hours(1)  # older events are useless to a call


class CallLifecycle(Construct):
    """Stops and starts transcription when Connect's agent and contact events ask for it.

    An instance publishes its agent events into one Kinesis data stream. ``adopt`` reads the
    existing stream and changes nothing. ``manage`` creates a stream and sets it in the instance;
    the deployment fails if the instance has one already. Stream and setting stay when the stack is
    deleted, because others may read the events. Contact events come from the account's default
    event bus and need no setting.

    The events of one agent are processed in order, those of different agents at the same time. If
    an agent event fails for good, its place in the stream goes to ``agent_event_dead_letters``; the
    stream keeps events for 24 hours. A contact event goes to ``contact_event_dead_letters`` itself.

    :param mode: ``adopt`` or ``manage``.
    :param instance_arn: The Connect instance, whole ARN.
    :param control: The ``TranscriptionControl`` whose table, credentials and parameters are used,
        because a resume is a start; or another ``StreamControl``.
    :param agent_event_stream: The stream of the instance's *Agent events*. For ``adopt`` only. If
        it has an ``encryption_key``, the function may decrypt with it.
    :param stream_key: The key that encrypts the stream. For ``manage`` only. It must be the key of
        the instance's call recordings or reports: with any other key, Connect publishes nothing and
        reports no error. Default: the stream is not encrypted.
    :param shards: Of the stream that is created. For ``manage`` only. Default: 1, which is enough
        for 1,600 calls at a time; docs/limits.md has the calculation.
    :param agent_event_dead_letters: The queue for agent events that failed. Default: made here.
    :param contact_event_dead_letters: The queue for contact events that failed. If you give one, it
        and its key must allow EventBridge to send to it. Default: made here.
    :param key: Encrypts the queues and the logs that are made here. Default: AWS's own keys.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        CallLifecycle(
            self,
            "CallLifecycle",
            mode="adopt",
            instance_arn=instance_arn,
            control=control,
            agent_event_stream=kinesis.Stream.from_stream_arn(self, "AgentEvents", stream_arn),
        )
    """

    agent_event_stream: kinesis.IStream
    follow_agent_events: lambda_.Function
    follow_contact_events: lambda_.Function
    agent_event_dead_letters: sqs.IQueue
    contact_event_dead_letters: sqs.IQueue
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        mode: Literal["adopt", "manage"],
        instance_arn: str,
        control: StreamControl,
        agent_event_stream: kinesis.IStream | None = None,
        stream_key: kms.IKey | None = None,
        shards: int | None = None,
        agent_event_dead_letters: sqs.IQueue | None = None,
        contact_event_dead_letters: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("connect", instance_arn=instance_arn),
                **like("lifecycle", optional=True, shards=shards),
                "mode": Argument(value=mode, rule=MODE),
            },
            _problems(mode, agent_event_stream, stream_key, shards),
        )
        self.agent_event_stream = agent_event_stream or self._managed(
            instance_arn, stream_key, shards or 1
        )

        def function(id: str, folder: str, description: str) -> Function:
            made = Function(
                self,
                id,
                folder=folder,
                description=description,
                timeout=Duration.seconds(30),
                environment=control.environment,
                retention=retention,
                options=function_options,
                key=key,
            )
            control.grant_to(made)
            return made

        self.agent_event_dead_letters, self.contact_event_dead_letters = (
            given or self._dead_letters(f"{which}EventDeadLetters", key, retention.removal_policy)
            for which, given in (
                ("Agent", agent_event_dead_letters),
                ("Contact", contact_event_dead_letters),
            )
        )
        if key and not contact_event_dead_letters:
            let_events_send(key, self)
        self.follow_agent_events = function(
            "FollowAgentEvents",
            "follow_agent_events",
            "Follows hold, resume, transfer and the agent's end of a call",
        )
        self._read_agent_events()
        self.follow_contact_events = function(
            "FollowContactEvents",
            "follow_contact_events",
            "Follows the customer's hang-up",
        )
        self._route_contact_events(instance_arn)
        self.functions = {
            "FollowAgentEvents": self.follow_agent_events,
            "FollowContactEvents": self.follow_contact_events,
        }
        self.dead_letter_queues = {
            "AgentEventDeadLetters": self.agent_event_dead_letters,
            "ContactEventDeadLetters": self.contact_event_dead_letters,
        }

    def metric_restarts_refused(self, **options: Any) -> cloudwatch.Metric:
        """Starts by an agent event, as after a hold, that ASAPP refused or did not answer."""
        lines = event(_EVENTS.AGENT_EVENT, *REFUSED, state="connected")
        log = self.follow_agent_events.log_group
        return log_metric(self, "RestartsRefused", log, lines, **options)

    def metric_agent_events(self, **options: Any) -> cloudwatch.Metric:
        """Records that came into the stream of agent events."""
        return self.agent_event_stream.metric_incoming_records(
            **{"statistic": cloudwatch.Stats.SUM, **options}
        )

    def metric_agent_events_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Records of Connect that the stream of agent events refused."""
        return self.agent_event_stream.metric(
            "WriteProvisionedThroughputExceeded",
            **{"statistic": cloudwatch.Stats.SUM, **options},
        )

    def metric_agent_event_age(self, **options: Any) -> cloudwatch.Metric:
        """Milliseconds between an agent event and the end of its handling, the longest."""
        return iterator_age(self.follow_agent_events, options)

    def _managed(
        self, instance_arn: str, stream_key: kms.IKey | None, shards: int
    ) -> kinesis.Stream:
        """The stream, and the instance's setting that names it."""
        encryption = kinesis.StreamEncryption
        stream = kinesis.Stream(
            self,
            "AgentEvents",
            # On demand costs three times as much, and is idle most of the time.
            stream_mode=kinesis.StreamMode.PROVISIONED,
            shard_count=shards,
            retention_period=Duration.hours(24),
            encryption=encryption.KMS if stream_key else encryption.UNENCRYPTED,
            encryption_key=stream_key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        rule, reason = (
            ("AwsSolutions-KDS3", "Connect may use this key, and no other: docs/decisions/0010.")
            if stream_key
            else (
                "AwsSolutions-KDS1",
                "Connect may publish nothing into an encrypted stream: docs/decisions/0010.",
            )
        )
        Validations.of(stream).acknowledge(Acknowledgment(id=rule, reason=reason))
        setting = connect.CfnInstanceStorageConfig(
            self,
            "AgentEventSetting",
            instance_arn=instance_arn,
            resource_type="AGENT_EVENTS",
            storage_type="KINESIS_STREAM",
            kinesis_stream_config=connect.CfnInstanceStorageConfig.KinesisStreamConfigProperty(
                stream_arn=stream.stream_arn
            ),
        )
        setting.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return stream

    def _read_agent_events(self) -> None:
        stream, function = self.agent_event_stream, self.follow_agent_events
        # Not grant_read: it adds permissions that only a consumer with enhanced fan-out needs.
        stream.grant(
            function,
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )
        if stream.encryption_key:
            stream.encryption_key.grant_decrypt(function)
        function.add_event_source_mapping(
            "AgentEvents",
            event_source_arn=stream.stream_arn,
            # Events from before the deployment belong to calls that were not transcribed.
            starting_position=lambda_.StartingPosition.LATEST,
            # While ASAPP hangs, the first events of a batch use up the function's 30 seconds. The
            # table still gets what all of them show, and Lambda delivers all of them again.
            batch_size=10,
            # By partition key, the agent's ARN: no agent's events wait for those of another.
            parallelization_factor=10,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            retry_attempts=5,
            max_record_age=_MAX_AGE,
            on_failure=FailedBatches(self.agent_event_dead_letters),
        )

    def _route_contact_events(self, instance_arn: str) -> None:
        """Match every spelling of the event.

        Connect renamed the event and has two ARNs for an instance. AWS's samples spell channels and
        fields in two ways.
        """
        queue = self.contact_event_dead_letters
        instance_id = Stack.of(self).split_arn(instance_arn, ArnFormat.SLASH_RESOURCE_NAME)
        fields: dict[str, list[Any]] = {
            "eventType": ["DISCONNECTED"],
            "channel": ["VOICE", "Voice"],
            "instanceArn": [{"suffix": f"/{instance_id.resource_name}"}],
        }
        capitals = {key[:1].upper() + key[1:]: value for key, value in fields.items()}
        self.follow_contact_events.configure_async_invoke(
            retry_attempts=2,
            max_event_age=_MAX_AGE,
            on_failure=FailedInvocations(queue),
        )
        self.rule = events.Rule(
            self,
            "ContactEvents",
            description="A call of one Connect instance is over",
            event_pattern=events.EventPattern(
                source=["aws.connect"],
                detail_type=["Amazon Connect Contact Event", "Connect Customer Contact Event"],
                detail={"$or": [fields, capitals]},
            ),
            targets=[
                targets.LambdaFunction(
                    self.follow_contact_events,
                    retry_attempts=5,
                    max_event_age=_MAX_AGE,
                    dead_letter_queue=queue,
                )
            ],
        )

    def _dead_letters(
        self, id: str, key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> sqs.Queue:
        queue = dead_letter_queue(self, id, key=key, removal_policy=removal_policy)
        reason = "It is itself a dead-letter queue: of a stream or a rule, unseen by the check."
        Validations.of(queue).acknowledge(Acknowledgment(id="AwsSolutions-SQS3", reason=reason))
        return queue


def _problems(
    mode: str, stream: kinesis.IStream | None, key: kms.IKey | None, shards: int | None
) -> Iterator[str]:
    if mode == "adopt" and stream is None:
        yield 'agent_event_stream: is missing for mode "adopt"; give it, or write mode = "manage"'
    if mode == "manage" and stream is not None:
        yield (
            'agent_event_stream: mode "manage" creates the stream; remove it, or write '
            'mode = "adopt"'
        )
    if mode == "adopt" and key is not None:
        yield (
            'stream_key: is for mode "manage"; give the stream its encryption_key, with '
            "Stream.from_stream_attributes"
        )
    if mode == "adopt" and shards:
        yield 'shards: is for mode "manage"; remove it'
