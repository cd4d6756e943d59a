"""Schedules that invoke a function."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._encrypted import FailedInvocations, dead_letter_queue, grant_send


class FunctionSchedule(Construct):
    """Invokes one function with ``{}`` on a schedule, with a role that may do nothing else.

    :param times: When it is invoked.
    :param dead_letters: The queue for invocations that Lambda did not accept.
    :param max_age: How long EventBridge Scheduler retries an invocation that Lambda does not
        accept, with growing pauses; a minute to a day.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.Function,
        times: scheduler.ScheduleExpression,
        description: str,
        dead_letters: sqs.IQueue,
        max_age: Duration,
    ) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        group = stack.format_arn(
            service="scheduler", resource="schedule-group", resource_name="default"
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account, "aws:SourceArn": group}
                },
            ),
            description=description,
        )
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn]
            )
        )
        grant_send(dead_letters, self.role)
        self.schedule = scheduler.Schedule(
            self,
            "Schedule",
            description=description,
            schedule=times,
            target=targets.LambdaInvoke(
                function,
                # Without updates: the target would also grant every version and alias.
                role=self.role.without_policy_updates(),
                dead_letter_queue=dead_letters,
                input=scheduler.ScheduleTargetInput.from_object({}),
                max_event_age=max_age,
                retry_attempts=10,
            ),
        )
        # Otherwise the first invocations would have no permission and become dead letters.
        self.schedule.node.add_dependency(self.role)


def dead_letters_of_schedule(
    scope: Construct, key: kms.IKey | None, removal_policy: RemovalPolicy
) -> sqs.Queue:
    """The queue for invocations of a schedule that Lambda did not accept.

    :param key: Encrypts the queue. Default: SQS's own key.
    """
    queue = dead_letter_queue(scope, "DeadLetters", key=key, removal_policy=removal_policy)
    reason = "It is itself a dead-letter queue: of a schedule, unseen by the check."
    Validations.of(queue).acknowledge(Acknowledgment(id="AwsSolutions-SQS3", reason=reason))
    return queue


def every_minute(
    scope: Construct, *, function: lambda_.Function, description: str, dead_letters: sqs.IQueue
) -> FunctionSchedule:
    """Invokes a function every minute. The next minute's run is the retry of one that failed."""
    return FunctionSchedule(
        scope,
        "EveryMinute",
        function=function,
        times=scheduler.ScheduleExpression.rate(Duration.minutes(1)),
        description=description,
        dead_letters=dead_letters,
        max_age=Duration.minutes(1),
    )


def alias_for_export(
    scope: Construct, function: lambda_.Function, dead_letters: sqs.IQueue
) -> lambda_.Alias:
    """An alias of a function that runs every minute, for a day of the export: unlike a minute's
    run, its invocations are retried."""
    alias = lambda_.Alias(scope, "ForExport", alias_name="export", version=function.current_version)
    alias.configure_async_invoke(
        retry_attempts=2,
        max_event_age=Duration.hours(6),
        on_failure=FailedInvocations(dead_letters),
    )
    return alias
