"""Key policies: what a role's policy cannot allow, because an AWS service uses the key itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Annotations, ArnFormat, Stack, Token, region_info
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

KEY_POLICY = "connect-autotranscribe:key-policy"
"""The beginning of the ids of :func:`let_service_use`'s warnings."""


def let_service_use(
    key: kms.IKey,
    scope: Construct,
    name: str,
    *,
    service: str,
    actions: tuple[str, ...],
    conditions: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Let an AWS service use a key in its own name. No policy of a role of ours can allow that.

    If the key is imported, nobody but its owner can change its policy: synth then warns with the
    statement to add.

    :param name: What is lost without it; the warning's id ends with it.
    :param service: The service principal, such as ``events.amazonaws.com``.
    """
    statement = iam.PolicyStatement(
        principals=[iam.ServicePrincipal(service)],
        actions=list(actions),
        resources=["*"],
        conditions=conditions,
    )
    if key.add_to_resource_policy(statement).statement_added:
        return
    stack = Stack.of(scope)
    text = _as_text(stack, stack.resolve(statement.to_statement_json()))
    arn = "this key" if Token.is_unresolved(key.key_arn) else key.key_arn
    Annotations.of(key).add_warning_v2(
        f"{KEY_POLICY}-{name}",
        f"The stack cannot change the policy of {arn}. If it does not have this statement, add it, "
        f"or the deployment fails or {name.replace('-', ' ')} are lost: {text}",
    )


def let_logs_use(key: kms.IKey, scope: Construct) -> None:
    """Let CloudWatch Logs encrypt the account's log groups in this region with a key.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    stack = Stack.of(scope)
    groups = stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name="*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    let_service_use(
        key,
        scope,
        "logs",
        service=f"logs.{stack.region}.{stack.url_suffix}",
        actions=(
            "kms:Decrypt",
            "kms:Describe*",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ),
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )


def let_events_send(key: kms.IKey, scope: Construct) -> None:
    """Let EventBridge put what it could not deliver into a queue that is encrypted with a key.

    AWS documents the statement without a condition: EventBridge names no source to KMS.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    let_service_use(
        key,
        scope,
        "dead-letters",
        service="events.amazonaws.com",
        actions=("kms:Decrypt", "kms:GenerateDataKey"),
    )


def let_bus_use(key: kms.IKey, scope: Construct, bus_name: str) -> None:
    """Let one event bus encrypt its events with a key.

    It is CDK's own statement, which CDK adds only to a key of the same app.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmkey.html
    """
    stack = Stack.of(scope)
    bus = stack.format_arn(service="events", resource="event-bus", resource_name=bus_name)
    let_service_use(
        key,
        scope,
        "events",
        service="events.amazonaws.com",
        actions=("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
        conditions={
            "StringEquals": {
                "aws:SourceAccount": stack.account,
                "aws:SourceArn": bus,
                "kms:EncryptionContext:aws:events:event-bus:arn": bus,
            }
        },
    )


def _as_text(stack: Stack, statement: Any) -> str:
    """JSON to paste into a key's policy. A word in capitals stands for what synth does not know."""
    known = None if Token.is_unresolved(stack.region) else stack.region
    region = region_info.RegionInfo.get(known or "us-east-1")
    values = {
        "AWS::AccountId": "ACCOUNT",
        "AWS::Region": "REGION",
        "AWS::Partition": (region.partition or "aws") if known else "PARTITION",
        "AWS::URLSuffix": (region.domain_suffix or "amazonaws.com") if known else "DOMAIN",
    }

    def resolved(value: Any) -> Any:
        match value:
            case {"Ref": str() as name} if name in values:
                return values[name]
            case {"Fn::Join": [str() as between, list() as parts]}:
                return between.join(str(resolved(part)) for part in parts)
            case dict():
                return {key: resolved(each) for key, each in value.items()}
            case list():
                return [resolved(each) for each in value]
        return value

    return json.dumps(resolved(statement))
