"""Leave to use what is encrypted, with the key that encrypts it where that is a customer's."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def grant_on_items(table: dynamodb.ITable, grantee: iam.IGrantable, *actions: str) -> None:
    """Let it do this to the table's items, and not, as ``table.grant`` would, to every index.

    :param actions: Such as ``dynamodb:GetItem``.
    """
    iam.Grant.add_to_principal(
        grantee=grantee, actions=list(actions), resource_arns=[table.table_arn]
    )
    if table.encryption_key:
        # DynamoDB uses the key in the caller's name, to read and to write.
        table.encryption_key.grant(
            grantee, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"
        )


def grant_send(queue: sqs.IQueue, grantee: iam.IGrantable) -> None:
    """Messages into the queue, and nothing out of it."""
    queue.grant(grantee, "sqs:SendMessage")
    if queue.encryption_master_key:
        queue.encryption_master_key.grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")


def for_failures(queue: sqs.IQueue, function: lambda_.Function) -> sqs.IQueue:
    """The queue as a destination of CDK's takes it, once the function may use the queue's key: CDK
    itself would grant every way to use it."""
    if queue.encryption_master_key is None:
        return queue
    queue.encryption_master_key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")
    return sqs.Queue.from_queue_arn(function, f"{queue.node.id}WithoutKey", queue.queue_arn)


def dead_letter_queue(
    scope: Construct, id: str, *, key: kms.IKey | None = None, removal_policy: RemovalPolicy
) -> sqs.Queue:
    """An encrypted queue that keeps what a person must look at for 14 days, SQS's most.

    :param key: Default: SQS's own.
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
