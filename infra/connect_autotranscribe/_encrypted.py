"""Grants on encrypted resources, including the customer's KMS key."""

from __future__ import annotations

from typing import Any

import jsii
from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

_READS = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}


def grant_on_items(table: dynamodb.ITable, grantee: iam.IGrantable, *actions: str) -> None:
    """Grant actions on the table's items. Unlike ``table.grant``, it does not include the indexes.

    :param actions: Such as ``dynamodb:GetItem``.
    """
    iam.Grant.add_to_principal(
        grantee=grantee, actions=list(actions), resource_arns=[table.table_arn]
    )
    if table.encryption_key:
        # DynamoDB uses the key in the caller's name. CDK's own grants ask for the same actions.
        writes = () if _READS.issuperset(actions) else ("kms:Encrypt", "kms:GenerateDataKey")
        table.encryption_key.grant(grantee, "kms:Decrypt", "kms:DescribeKey", *writes)


def grant_send(queue: sqs.IQueue, grantee: iam.IGrantable) -> None:
    """Grant sending messages, and nothing else."""
    queue.grant(grantee, "sqs:SendMessage")
    if queue.encryption_master_key:
        queue.encryption_master_key.grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")


def grant_secret_value(secret: secretsmanager.ISecret, grantee: iam.IGrantable) -> None:
    """Grant reading the secret's value, and nothing else. ``grant_read`` also grants describing it.

    If only the secret's name is known, the six characters at the end of its ARN are not.
    """
    arn = secret.secret_full_arn or f"{secret.secret_arn}-??????"
    iam.Grant.add_to_principal(
        grantee=grantee, actions=["secretsmanager:GetSecretValue"], resource_arns=[arn]
    )
    if secret.encryption_key:
        secret.encryption_key.grant_decrypt(grantee)


def grant_read_switch(switch: ssm.IStringParameter, grantee: iam.IGrantable) -> None:
    """Grant reading the parameter's value. ``grant_read`` also grants its history and tags."""
    iam.Grant.add_to_principal(
        grantee=grantee, actions=["ssm:GetParameter"], resource_arns=[switch.parameter_arn]
    )


def ask_on_utterance(asking: lambda_.Function, function: lambda_.IFunction) -> None:
    """Let a function of ours ask the customer's ``on_utterance`` before it stores an utterance.

    CDK's own ``grant_invoke`` also grants every other version and alias.
    """
    asking.add_environment("ON_UTTERANCE_FUNCTION", function.function_arn)
    iam.Grant.add_to_principal(
        grantee=asking, actions=["lambda:InvokeFunction"], resource_arns=[function.function_arn]
    )


@jsii.implements(lambda_.IEventSourceDlq)
class FailedBatches:
    """A queue for what a function could not handle of a stream.

    CDK's own ``SqsDlq`` also lets the function read the queue's attributes.
    """

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        grant_send(self._queue, target_handler)
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)


@jsii.implements(lambda_.IDestination)
class FailedInvocations:
    """A queue for asynchronous invocations that failed.

    CDK's own ``SqsDestination`` also lets the function read the queue's attributes.
    """

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(
        self,
        scope: Construct,
        fn: lambda_.IFunction,
        *,
        type: lambda_.DestinationType,
    ) -> lambda_.DestinationConfig:
        grant_send(self._queue, fn)
        return lambda_.DestinationConfig(destination=self._queue.queue_arn)


def dead_letter_queue(
    scope: Construct, id: str, *, key: kms.IKey | None = None, removal_policy: RemovalPolicy
) -> sqs.Queue:
    """An encrypted queue that keeps failed messages for 14 days, SQS's maximum.

    :param key: Encrypts the queue. Default: SQS's own key.
    """
    return sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        removal_policy=removal_policy,
    )


def private_bucket(
    scope: Construct,
    id: str,
    *,
    key: kms.IKey | None = None,
    removal_policy: RemovalPolicy,
    not_logged: str,
    **more: Any,
) -> s3.Bucket:
    """A bucket that nobody outside its account reads, and nobody without TLS.

    :param key: Encrypts it. Default: S3's own key.
    :param not_logged: Why it has no access log.
    :param more: Other arguments of ``s3.Bucket``.
    """
    bucket = s3.Bucket(
        scope,
        id,
        encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
        encryption_key=key,
        bucket_key_enabled=True if key else None,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        removal_policy=removal_policy,
        **more,
    )
    Validations.of(bucket).acknowledge(Acknowledgment(id="AwsSolutions-S1", reason=not_logged))
    return bucket
