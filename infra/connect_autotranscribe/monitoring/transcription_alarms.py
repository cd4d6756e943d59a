"""Alarms on lost utterances and on calls without transcription."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from connect_autotranscribe._arguments import check_arguments, like
from connect_autotranscribe._key_policy import let_service_use
from connect_autotranscribe.monitoring.monitored import (
    PERIOD,
    Monitored,
    dead_letters_of,
    functions_of,
)
from connect_autotranscribe.monitoring.transcription_metrics import TranscriptionMetrics
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook


class TranscriptionAlarms(Construct):
    """Alarms if utterances are lost, or calls are not transcribed.

    :param constructs: Alarms watch the errors and throttles of each of their functions, and any
        message in their dead-letter queues. An expected refusal by ASAPP is not an error.
    :param webhook: Alarms watch the errors of its API, and its queue.
    :param metrics: Alarms watch refused calls, incomplete transcripts and missing days of the
        export.
    :param topic: The topic for the alarms. Default: a new topic.
    :param email: The address that subscribes to the topic; its owner must confirm SNS's mail.
        Default: nobody.
    :param key: Encrypts the new topic. Default: the topic is not encrypted.

    .. code-block:: python

        TranscriptionAlarms(
            self,
            "Alarms",
            constructs=[control, store, webhook, reconciliation],
            webhook=webhook,
            metrics=metrics,
            email="ops@example.com",
        )
    """

    topic: sns.ITopic
    alarms: Sequence[cloudwatch.Alarm]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        constructs: Sequence[Monitored],
        webhook: TranscriptWebhook,
        metrics: TranscriptionMetrics,
        topic: sns.ITopic | None = None,
        email: str | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, like("alarms", optional=True, email=email))
        self.topic = topic or _topic(self, key)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._action = actions.SnsAction(self.topic)
        self.alarms = self._made = list[cloudwatch.Alarm]()
        for name, function in functions_of(constructs).items():
            self._at_least(
                f"{name}Errors",
                "The function failed; its log says why",
                function.metric_errors(period=PERIOD),
            )
            self._at_least(
                f"{name}Throttles",
                "Lambda had no room to run the function; raise the account's concurrency",
                function.metric_throttles(period=PERIOD),
            )
        for name, messages in dead_letters_of(constructs).items():
            self._at_least(name, "Something could not be handled; each message says why", messages)
        self._of_webhook(webhook)
        self._of_calls(metrics)
        if metrics.export_days_missing:
            self._of_export(metrics.export_days_missing)

    def _of_webhook(self, webhook: TranscriptWebhook) -> None:
        api = webhook.api.rest_api
        self._at_least(
            "WebhookServerErrors",
            "The webhook answered 5xx: ASAPP does not repeat those utterances",
            api.metric_server_error(period=PERIOD, statistic=cloudwatch.Stats.SUM),
        )
        self._at_least(
            "WebhookClientErrors",
            "The webhook answered 4xx: a wrong secret, a throttled or a malformed POST",
            api.metric_client_error(period=PERIOD, statistic=cloudwatch.Stats.SUM),
        )
        self._at_least(
            "QueueAge",
            "Utterances wait for minutes to be stored; nothing is lost yet",
            webhook.queue.metric_approximate_age_of_oldest_message(period=PERIOD),
            threshold=300,
        )

    def _of_calls(self, metrics: TranscriptionMetrics) -> None:
        self._at_least(
            "CallsRefused",
            "ASAPP refused starts or stops, or did not answer: calls go without transcription",
            metrics.calls_refused,
            threshold=5,
        )
        self._at_least(
            "CallsNotTranscribed",
            "A call was answered and has no transcript, or not to its end; the log names it",
            metrics.calls_not_transcribed,
        )
        self._at_least(
            "AsappLimitReached",
            "ASAPP's daily limit is reached: transcripts are completed from 00:00 UTC on",
            metrics.asapp_limit_reached,
        )
        self._at_least(
            "ConversationsIncomplete",
            "A conversation is a day old, and ASAPP's transcript is not all here; the log names it",
            metrics.conversations_incomplete,
        )

    def _of_export(self, days_missing: cloudwatch.Metric) -> None:
        self._at_least(
            "ExportLate",
            "A past day is not in the bucket whole; each run tries again until it is given up",
            days_missing.with_(statistic=cloudwatch.Stats.MAXIMUM),
            missing=cloudwatch.TreatMissingData.IGNORE,  # until a run says otherwise
        )
        runs = days_missing.with_(statistic=cloudwatch.Stats.SAMPLE_COUNT, period=Duration.hours(1))
        self._notify(
            runs.create_alarm(
                self,
                "ExportSilent",
                alarm_description="The export has not run for 26 hours, or has never run",
                threshold=1,
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=26,
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
        )

    def _at_least(
        self,
        name: str,
        description: str,
        metric: cloudwatch.Metric,
        threshold: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        self._notify(
            metric.create_alarm(
                self,
                name,
                alarm_description=description,
                threshold=threshold,
                evaluation_periods=1,
                comparison_operator=(
                    cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
                ),
                treat_missing_data=missing,
            )
        )

    def _notify(self, alarm: cloudwatch.Alarm) -> None:
        alarm.add_alarm_action(self._action)
        self._made.append(alarm)


def _topic(scope: Construct, key: kms.IKey | None) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True, master_key=key)
    if key:
        let_service_use(
            key,
            scope,
            "alarms",
            service="cloudwatch.amazonaws.com",
            actions=("kms:Decrypt", "kms:GenerateDataKey"),
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    return topic
