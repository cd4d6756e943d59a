"""Grants on encrypted resources, including the customer's KMS key."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def grant_on_items(table: dynamodb.ITable, grantee: iam.IGrantable, *actions: str) -> None:
    """Grant actions on the table's items. Unlike ``table.grant``, it does not include the indexes.

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
    """Grant sending messages, and nothing else."""
    queue.grant(grantee, "sqs:SendMessage")
    if queue.encryption_master_key:
        queue.encryption_master_key.grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")


def for_failures(queue: sqs.IQueue, function: lambda_.Function) -> sqs.IQueue:
    """Grant the function the use of the queue's key, and return the queue as a failure destination.

    The returned queue has no key, because CDK would grant the function more of the key than it
    needs.
    """
    if queue.encryption_master_key is None:
        return queue
    queue.encryption_master_key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")
    return sqs.Queue.from_queue_arn(function, f"{queue.node.id}WithoutKey", queue.queue_arn)


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
