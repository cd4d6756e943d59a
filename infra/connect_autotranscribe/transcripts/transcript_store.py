"""The table of transcripts, and the event bus with each utterance and each change of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_cdk import Acknowledgment, CfnResource, Duration, RemovalPolicy, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._encrypted import FailedBatches, dead_letter_queue, grant_on_items
from connect_autotranscribe._functions import Function
from connect_autotranscribe._key_policy import let_bus_use, let_events_send
from connect_autotranscribe._log_metric import iterator_age
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_settings._rules import one_or_more
from connect_settings.shared_names import shared_names

_RETRIES = 10
"""Tries after the first. A record that cannot be published holds up its shard until then."""
_TABLE = shared_names("table")
RECONCILE_INDEX: str = _TABLE.RECONCILE_INDEX


class TranscriptStore(Construct):
    """A table of conversations, streams and utterances, and an event bus with every new utterance.

    The table is encrypted, can be restored to any second of the last 35 days, and its items expire.
    The table's change stream feeds the bus: each new utterance becomes an event, at least once,
    with ``source: connect-autotranscribe`` and ``detail-type: Utterance``. ``detail.id`` is the
    same at every delivery. Each change of a conversation is one of ``detail-type: Conversation``.

    The index ``Reconcile`` holds the conversations that reconciliation must look at, sorted by the
    time at which that is due (``reconcileAt``, milliseconds since 1970). A conversation that needs
    no more reconciliation has no ``reconcile`` and is not in the index.

    :param table: An existing table with the same keys, index and change stream of new images. Its
        owner sets encryption and retention. Default: made here.
    :param event_bus: An existing bus; its policy is its owner's to write. Default: made here, and
        only ``publish_utterance`` may put events on it.
    :param sender_id_in_events: Whether an event has ``senderId``, which is the caller's number or
        the agent's user name. Default: no, because other teams may read the bus.
    :param warm_write_units_per_second: Writes that the table sustains from its first day. AWS takes
        a price for it once, and cannot lower it. Default: what a new table sustains, 4,000.
    :param unpublished: The queue for batches that could not be published. If you give one with
        ``key``, it and its key must allow EventBridge to send to it. Default: made here.
    :param key: Encrypts the table, the bus, the queue and the log that are made here. If it does,
        events that the bus cannot encrypt or decrypt go to ``unpublished``. Default: AWS's own
        keys.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        store = TranscriptStore(self, "TranscriptStore")
        events.Rule(
            self,
            "Coach",
            event_bus=store.event_bus,
            event_pattern=events.EventPattern(detail_type=["Utterance"]),
            targets=[targets.LambdaFunction(coach)],
        )
    """

    table: dynamodb.ITable
    event_bus: events.IEventBus
    publish_utterance: lambda_.Function
    unpublished: sqs.IQueue
    """Batches that could not be published in eleven tries, or within an hour."""
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable | None = None,
        event_bus: events.IEventBus | None = None,
        sender_id_in_events: bool = False,
        warm_write_units_per_second: int | None = None,
        unpublished: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("asapp", sender_id_in_events=sender_id_in_events),
                "warm_write_units_per_second": Argument(
                    value=warm_write_units_per_second,
                    rule=one_or_more(like=12_500),
                    optional=True,
                ),
            },
            ["warm_write_units_per_second: is for a table that is made here; remove it"]
            if table and warm_write_units_per_second
            else (),
        )
        self.table = table or self._table(key, retention, warm_write_units_per_second)
        self.unpublished = unpublished or self._unpublished(key, retention.removal_policy)
        self.event_bus = event_bus or self._event_bus(key)
        self.publish_utterance = Function(
            self,
            "PublishUtterance",
            folder="publish_utterance",
            description="Puts each new utterance of the table on the event bus",
            timeout=Duration.seconds(30),
            environment={
                "EVENT_BUS_NAME": self.event_bus.event_bus_name,
                "EVENT_SENDER_ID": "true" if sender_id_in_events else "false",
                "TRANSCRIPT_TABLE": self.table.table_name,
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        grant_on_items(
            self.table, self.publish_utterance, "dynamodb:BatchGetItem", "dynamodb:UpdateItem"
        )
        self.event_bus.grant_put_events_to(self.publish_utterance)
        if not event_bus:
            self._refuse_other_publishers()
        self.publish_utterance.add_event_source(
            sources.DynamoEventSource(
                self.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                # No parallelization factor: with one, Lambda keeps the order of an item only, and
                # the utterances of a conversation are items. The function publishes several
                # conversations at a time.
                retry_attempts=_RETRIES,
                max_record_age=Duration.hours(1),
                on_failure=FailedBatches(self.unpublished),
                filters=[
                    lambda_.FilterCriteria.filter(
                        {
                            "eventName": ["INSERT"],
                            "dynamodb": {
                                "Keys": {_TABLE.ITEM: {"S": [{"prefix": _TABLE.UTTERANCE}]}}
                            },
                        }
                    ),
                    lambda_.FilterCriteria.filter(
                        {
                            "eventName": ["INSERT", "MODIFY"],
                            "dynamodb": {"Keys": {_TABLE.ITEM: {"S": [_TABLE.CONVERSATION]}}},
                        }
                    ),
                ],
            )
        )

        self.functions = {"PublishUtterance": self.publish_utterance}
        self.dead_letter_queues = {"Unpublished": self.unpublished}

    def _refuse_other_publishers(self) -> None:
        """Deny ``PutEvents`` to everybody else in the account: a consumer believes what is on the
        bus. A service that calls in its own name has no ``aws:PrincipalArn``, and is denied too."""
        publisher = self.publish_utterance.role
        assert publisher is not None  # noqa: S101 - it is made with one
        sid = "OnlyThePublisher"
        CfnResource(  # CDK's own class for it warns at every synth of a property that is not set
            self,
            "EventBusPolicy",
            type="AWS::Events::EventBusPolicy",
            properties={
                "EventBusName": self.event_bus.event_bus_name,
                "StatementId": sid,
                "Statement": {
                    "Sid": sid,
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "events:PutEvents",
                    "Resource": self.event_bus.event_bus_arn,
                    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": publisher.role_arn}},
                },
            },
        )

    def _event_bus(self, key: kms.IKey | None) -> events.EventBus:
        if key is None:
            return events.EventBus(self, "EventBus")
        bus = events.EventBus(self, "EventBus", kms_key=key, dead_letter_queue=self.unpublished)
        name = cast(events.CfnEventBus, bus.node.default_child).name
        let_bus_use(key, self, name)
        let_events_send(key, self)
        self.unpublished.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[self.unpublished.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": bus.event_bus_arn}},
            )
        )
        return bus

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Grant reading conversations and utterances from the table, nothing else."""
        grant_on_items(self.table, grantee, "dynamodb:GetItem", "dynamodb:Query")

    def metric_event_bus_age(self, **options: Any) -> cloudwatch.Metric:
        """Milliseconds between an utterance's storage and its event on the bus, the longest."""
        return iterator_age(self.publish_utterance, options)

    def _table(
        self, key: kms.IKey | None, retention: Retention, warm: int | None
    ) -> dynamodb.Table:
        encryption = dynamodb.TableEncryption
        text, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
        table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name=_TABLE.CONVERSATION_ID, type=text),
            sort_key=dynamodb.Attribute(name=_TABLE.ITEM, type=text),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=encryption.CUSTOMER_MANAGED if key else encryption.AWS_MANAGED,
            encryption_key=key,
            time_to_live_attribute=_TABLE.EXPIRES_AT,
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            warm_throughput=dynamodb.WarmThroughput(write_units_per_second=warm) if warm else None,
            deletion_protection=retention.removal_policy != RemovalPolicy.DESTROY,
            removal_policy=retention.removal_policy,
        )
        table.add_global_secondary_index(
            index_name=RECONCILE_INDEX,
            partition_key=dynamodb.Attribute(name=_TABLE.RECONCILE, type=text),
            sort_key=dynamodb.Attribute(name=_TABLE.RECONCILE_AT, type=number),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        return table

    def _unpublished(self, key: kms.IKey | None, removal_policy: RemovalPolicy) -> sqs.Queue:
        queue = dead_letter_queue(self, "Unpublished", key=key, removal_policy=removal_policy)
        Validations.of(queue).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="It is itself a dead-letter queue: the change stream's, unseen by the rule.",
            )
        )
        return queue
