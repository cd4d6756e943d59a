"""Who is told when calls go without transcription or utterances are not stored."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe.transcript_webhook import TranscriptWebhook

_PERIOD = Duration.minutes(5)


class TranscriptionAlarms(Construct):
    """Alarms on what loses utterances or leaves calls without transcription.

    :param functions: Whose errors and throttles alarm; an expected refusal by ASAPP is an answer
        and no error.
    :param webhook: Whose server errors and queue alarm.
    :param dead_letters: The queues in which one message is enough for an alarm.
    :param topic: Where the alarms go. Default: a topic of this construct.
    :param email: Who subscribes to the topic, and must confirm SNS's mail. Default: nobody.

    .. code-block:: python

        TranscriptionAlarms(
            self,
            "Alarms",
            functions={"StartStreaming": control.start_streaming},
            webhook=webhook,
            dead_letters={"DeadLetters": webhook.dead_letters},
            email="ops@example.com",
        )
    """

    topic: sns.ITopic

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        webhook: TranscriptWebhook,
        dead_letters: Mapping[str, sqs.IQueue],
        topic: sns.ITopic | None = None,
        email: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.topic = topic or _topic(self)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._action = actions.SnsAction(self.topic)
        for name, function in functions.items():
            self._at_least(
                f"{name}Errors",
                "The function failed; an answer of ASAPP, even a refusal, is no failure",
                function.metric_errors(period=_PERIOD),
            )
            self._at_least(
                f"{name}Throttles",
                "Lambda had no room to run the function; raise the account's concurrency",
                function.metric_throttles(period=_PERIOD),
            )
        for name, queue in dead_letters.items():
            self._at_least(
                name,
                "Something could not be handled; each message says why",
                queue.metric_approximate_number_of_messages_visible(
                    period=_PERIOD, statistic="Maximum"
                ),
            )
        self._at_least(
            "WebhookServerErrors",
            "The webhook answered 5xx: ASAPP does not repeat those utterances",
            webhook.api.rest_api.metric_server_error(period=_PERIOD, statistic="Sum"),
        )
        self._at_least(
            "WebhookClientErrors",
            "The webhook answered 4xx: a wrong secret, a throttled or a malformed POST",
            webhook.api.rest_api.metric_client_error(period=_PERIOD, statistic="Sum"),
        )
        self._at_least(
            "QueueAge",
            "Utterances wait for minutes to be stored; nothing is lost yet",
            webhook.queue.metric_approximate_age_of_oldest_message(period=_PERIOD),
            threshold=300,
        )

    def _at_least(
        self, name: str, description: str, metric: cloudwatch.Metric, threshold: int = 1
    ) -> None:
        alarm = metric.create_alarm(
            self,
            name,
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)


def _topic(scope: Construct) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    return topic
