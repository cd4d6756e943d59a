"""The stacks of a load in an account: ASAPP's double, and what speaks and counts.

They hold no data but that of the load, and are removed after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_settings.sizing import agent_event_shards

_FUNCTIONS = Path(__file__).with_name("functions")
_A_SHORT_LIFE = "It lives as long as a load, and holds nothing that is worth keeping."


class DoubleStack(Stack):
    """ASAPP's double for start and stop, its credentials, and a stream for agent events.

    :param calls: At a time.
    """

    def __init__(self, scope: Construct, id: str, *, calls: int, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        results = _queue(self, "Results")
        name = f"{id}-credentials"  # the copy's settings have it
        secret = secretsmanager.Secret(
            self,
            "Credentials",
            secret_name=name,
            description="Of ASAPP's double, and of nobody else",
            removal_policy=RemovalPolicy.DESTROY,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"apiId": "load"}),
                generate_string_key="apiSecret",
                exclude_punctuation=True,
            ),
        )
        _accept(secret, {"AwsSolutions-SMG4": _A_SHORT_LIFE})
        stream = kinesis.Stream(
            self,
            "AgentEvents",
            shard_count=agent_event_shards(calls),
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=RemovalPolicy.DESTROY,
        )
        double = _function(
            self, "Asapp", {"SECRET_ARN": secret.secret_arn, "RESULTS_URL": results.queue_url}
        )
        secret.grant_read(double)
        results.grant_send_messages(double)
        # Who calls it is a function of the copy, with the double's credentials in headers.
        url = double.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
        for output, value in {
            "Url": url.url,
            "SecretName": name,
            "StreamArn": stream.stream_arn,
            "ResultsUrl": results.queue_url,
            "ResultsArn": results.queue_arn,
        }.items():
            CfnOutput(self, output, value=value)


class SpeechStack(Stack):
    """Posts utterances when they are due, and hears what comes from the bus.

    :param results: The ARN of the double's queue.
    :param webhook: ``url``, ``secret_arn``, and ``secret_name`` and ``secret_in`` of the settings.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        results: str,
        bus: str,
        webhook: Mapping[str, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        told = sqs.Queue.from_queue_arn(self, "Results", results)
        said, heard = _queue(self, "Said"), _queue(self, "Heard")
        given = {"RESULTS_URL": told.queue_url}
        speak = _function(
            self,
            "Speak",
            given
            | {
                "WEBHOOK_URL": webhook["url"],
                "SECRET_ARN": webhook["secret_arn"],
                "SECRET_NAME": webhook["secret_name"],
                "SECRET_IN": webhook["secret_in"],
            },
        )
        speak.add_to_role_policy(
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"], resources=[webhook["secret_arn"]]
            )
        )
        speak.add_event_source(sources.SqsEventSource(said, batch_size=10))
        count = _function(self, "Count", given)
        count.add_event_source(
            sources.SqsEventSource(heard, batch_size=100, max_batching_window=Duration.seconds(1))
        )
        for each in (speak, count):
            told.grant_send_messages(each)
        events.Rule(
            self,
            "Utterances",
            description="What a load has said",
            event_bus=events.EventBus.from_event_bus_name(self, "Bus", bus),
            event_pattern=events.EventPattern(
                source=["connect-autotranscribe"], detail_type=["Utterance"]
            ),
            targets=[targets.SqsQueue(heard)],
        )
        CfnOutput(self, "SaidUrl", value=said.queue_url)


def _queue(scope: Construct, id: str) -> sqs.Queue:
    made = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.hours(1),
        visibility_timeout=Duration.minutes(3),
        removal_policy=RemovalPolicy.DESTROY,
    )
    reason = "A message that cannot be handled is missed by the count, which is what it is for."
    _accept(made, {"AwsSolutions-SQS3": reason})
    return made


def _function(scope: Construct, id: str, environment: Mapping[str, str]) -> lambda_.Function:
    log_group = logs.LogGroup(
        scope,
        f"{id}Logs",
        retention=logs.RetentionDays.ONE_DAY,
        removal_policy=RemovalPolicy.DESTROY,
    )
    role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    return lambda_.Function(
        scope,
        id,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        code=lambda_.Code.from_asset(str(_FUNCTIONS / id.lower())),
        handler="handler.handler",
        memory_size=512,
        timeout=Duration.seconds(60),
        environment=dict(environment),
        role=role,
        log_group=log_group,
    )


def _accept(construct: Construct, rules: Mapping[str, str]) -> None:
    for rule, reason in rules.items():
        Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
