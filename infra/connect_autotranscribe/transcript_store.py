"""Where transcripts are kept, and where each new utterance is announced."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._functions import Function


class TranscriptStore(Construct):
    """A table of conversations, streams and utterances, and an event bus with every new utterance.

    The table is encrypted, recoverable to any second of the last 35 days, and forgets by itself.
    What is new in it goes to the bus from its change stream, at least once, as an event with
    ``source: connect-autotranscribe`` and ``detail-type: Utterance``; ``detail.id`` is the same
    at every delivery.

    :param log_retention_days: Days until a log line goes. Default: 30.
    :param removal_policy: What becomes of the table and the logs. Default: they stay, and the table
        cannot be deleted by accident.

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

    table: dynamodb.Table
    event_bus: events.EventBus
    publish_utterance: lambda_.Function
    unpublished: sqs.Queue
    """Where the change stream's batches are named that could not be published in an hour."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        log_retention_days: int = 30,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(
                name="conversationId", type=dynamodb.AttributeType.STRING
            ),
            sort_key=dynamodb.Attribute(name="item", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            time_to_live_attribute="expiresAt",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            deletion_protection=removal_policy == RemovalPolicy.RETAIN,
            removal_policy=removal_policy,
        )
        self.event_bus = events.EventBus(self, "EventBus")
        self.unpublished = dead_letter_queue(self, "Unpublished", removal_policy=removal_policy)
        Validations.of(self.unpublished).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="It is itself a dead-letter queue: the change stream's, unseen by the rule.",
            )
        )
        self.publish_utterance = Function(
            self,
            "PublishUtterance",
            folder="publish_utterance",
            description="Puts each new utterance of the table on the event bus",
            timeout=Duration.seconds(30),
            environment={"EVENT_BUS_NAME": self.event_bus.event_bus_name},
            log_retention_days=log_retention_days,
            removal_policy=removal_policy,
        )
        self.event_bus.grant_put_events_to(self.publish_utterance)
        self.publish_utterance.add_event_source(
            sources.DynamoEventSource(
                self.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                max_record_age=Duration.hours(1),
                on_failure=sources.SqsDlq(self.unpublished),
                filters=[
                    lambda_.FilterCriteria.filter(
                        {
                            "eventName": ["INSERT"],
                            "dynamodb": {"Keys": {"item": {"S": [{"prefix": "utterance#"}]}}},
                        }
                    )
                ],
            )
        )


def dead_letter_queue(scope: Construct, id: str, *, removal_policy: RemovalPolicy) -> sqs.Queue:
    """An encrypted queue that keeps what a person must look at for 14 days, SQS's most."""
    return sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        removal_policy=removal_policy,
    )
