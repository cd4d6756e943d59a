"""Who is told when calls go without transcription or utterances are not stored, and what they look
at then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe.monitoring.transcription_metrics import TranscriptionMetrics
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook

_PERIOD = Duration.minutes(5)


class TranscriptionAlarms(Construct):
    """Alarms on what loses utterances or leaves calls without transcription.

    :param functions: Whose errors and throttles alarm; an expected refusal by ASAPP is an answer
        and no error.
    :param webhook: Whose server errors and queue alarm.
    :param metrics: What alarms of incomplete transcripts and, where there is an export, of its
        nights.
    :param dead_letters: The queues in which one message is enough for an alarm.
    :param topic: Where the alarms go. Default: a topic of this construct.
    :param email: Who subscribes to the topic, and must confirm SNS's mail. Default: nobody.

    .. code-block:: python

        TranscriptionAlarms(
            self,
            "Alarms",
            functions={"StartStreaming": control.start_streaming},
            webhook=webhook,
            metrics=metrics,
            dead_letters={"DeadLetters": webhook.dead_letters},
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
        functions: Mapping[str, lambda_.IFunction],
        webhook: TranscriptWebhook,
        metrics: TranscriptionMetrics,
        dead_letters: Mapping[str, sqs.IQueue],
        topic: sns.ITopic | None = None,
        email: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.topic = topic or _topic(self)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._action = actions.SnsAction(self.topic)
        self.alarms = self._made = list[cloudwatch.Alarm]()
        for name, function in functions.items():
            self._at_least(
                f"{name}Errors",
                "The function failed; its log says why",
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

        self._at_least(
            "CallsRefused",
            "ASAPP refused starts or stops, or did not answer: calls go without transcription",
            metrics.calls_refused,
            threshold=5,
        )
        self._at_least(
            "ConversationsIncomplete",
            "A conversation is a day old, and ASAPP's transcript is not all here; the log names it",
            metrics.conversations_incomplete,
        )
        if metrics.export_days_missing:
            self._of_export(metrics.export_days_missing)

    def _of_export(self, days_missing: cloudwatch.Metric) -> None:
        self._at_least(
            "ExportLate",
            "A past day is not in the bucket whole; each run tries again until it is given up",
            days_missing.with_(statistic=cloudwatch.Stats.MAXIMUM),
            missing=cloudwatch.TreatMissingData.IGNORE,  # until a run says otherwise
        )
        runs = days_missing.with_(statistic=cloudwatch.Stats.SAMPLE_COUNT, period=Duration.hours(1))
        self._told(
            runs.create_alarm(
                self,
                "ExportSilent",
                alarm_description="The export has not run for 26 hours, or never yet",
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
        self._told(
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

    def _told(self, alarm: cloudwatch.Alarm) -> None:
        alarm.add_alarm_action(self._action)
        self._made.append(alarm)


class TranscriptionDashboard(Construct):
    """One page: the alarms, the calls, what became of their words, and what stands in the way.

    It bears the stack's name.

    :param alarms: Whose state stands on top.
    :param metrics: What is counted.
    :param webhook: Whose errors and queue are shown.
    :param functions: Whose errors are shown.
    :param dead_letters: Whose messages are shown.

    .. code-block:: python

        TranscriptionDashboard(
            self,
            "Dashboard",
            alarms=alarms.alarms,
            metrics=metrics,
            webhook=webhook,
            functions={"StartStreaming": control.start_streaming},
            dead_letters={"DeadLetters": webhook.dead_letters},
        )
    """

    dashboard: cloudwatch.Dashboard

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        alarms: Sequence[cloudwatch.IAlarm],
        metrics: TranscriptionMetrics,
        webhook: TranscriptWebhook,
        functions: Mapping[str, lambda_.IFunction],
        dead_letters: Mapping[str, sqs.IQueue],
    ) -> None:
        super().__init__(scope, id)
        api = webhook.api.rest_api
        lacking = {"Incomplete after a day": metrics.conversations_incomplete}
        if metrics.export_days_missing:
            missing = metrics.export_days_missing.with_(statistic=cloudwatch.Stats.MAXIMUM)
            lacking["Days that the export lacks"] = missing
        errors = {name: each.metric_errors(period=_PERIOD) for name, each in functions.items()}
        age = webhook.queue.metric_approximate_age_of_oldest_message(period=_PERIOD)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Stack.of(self).stack_name,
            default_interval=Duration.days(1),
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)],
                [
                    _graph(
                        "Calls",
                        {
                            "Started": metrics.calls_started,
                            "Stopped": metrics.calls_stopped,
                            "Refused": metrics.calls_refused,
                        },
                    ),
                    _graph(
                        "Utterances",
                        {
                            "Stored": metrics.utterances_stored,
                            "Recovered": metrics.utterances_recovered,
                        },
                    ),
                    _graph("Transcripts that lack something", lacking),
                ],
                [
                    _graph(
                        "Webhook",
                        {
                            "4xx": api.metric_client_error(period=_PERIOD, statistic="Sum"),
                            "5xx": api.metric_server_error(period=_PERIOD, statistic="Sum"),
                        },
                    ),
                    _graph("Wait in the queue, in seconds", {"Oldest": age}),
                    _graph("Errors of functions", errors),
                ],
                [
                    _graph(
                        "Dead letters",
                        {
                            name: queue.metric_approximate_number_of_messages_visible(
                                period=_PERIOD, statistic="Maximum"
                            )
                            for name, queue in dead_letters.items()
                        },
                    )
                ],
            ],
        )


def _graph(title: str, lines: Mapping[str, cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=[metric.with_(label=label) for label, metric in lines.items()],
        left_y_axis=cloudwatch.YAxisProps(min=0),
        width=8,
    )


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
