"""The policies of resources: who may send, read and publish, and who may invoke."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tools.doctor.findings import Findings, problem, warning, well
from tools.drift.intrinsics import Unresolved, is_what_was_deployed
from tools.verify.account import Account, Stack

Json = dict[str, Any]
_AGAIN = "deploy again, and see who changed it in CloudTrail"


def resource_policies(account: Account) -> Findings:
    """Each resource has the statements that were deployed, and no other, also if the template gives
    it no policy."""
    deployed = _deployed(account)
    number = 0
    for stack in account.stacks.values():
        for kind, read in _READ.items():
            for id, _, physical in stack.each(kind):
                number += 1
                policy = read(account, physical).get("Policy")
                yield from _compared(id, stack, deployed.get(physical, []), policy)
    yield well(f"the policies of {number} queues, topics, buses, buckets, secrets, tables compared")


def _deployed(account: Account) -> dict[str, list[Json]]:
    """Statements by the physical id of what has them."""
    found: dict[str, list[Json]] = {}
    for stack in account.stacks.values():
        for kind, (owner, document) in _POLICIES.items():
            for _, properties, _ in stack.each(kind):
                owners = properties[owner]
                for each in owners if isinstance(owners, list) else [owners]:
                    found.setdefault(stack.text(each), []).extend(_statements(properties[document]))
    return found


def _compared(id: str, stack: Stack, deployed: list[Json], document: str | None) -> Findings:
    there = _statements(json.loads(document)) if document else []
    for statement in deployed:
        try:
            same = next(
                (it for it in there if is_what_was_deployed(statement, it, stack.values)), None
            )
        except Unresolved as unresolved:
            yield warning(
                f"{id}: its policy cannot be compared: {unresolved}", "compare it by hand"
            )
            return
        if same is None:
            what = f"{id}: a statement of its policy is gone or changed: {_said(statement)}"
            yield problem(what, _AGAIN)
        else:
            there.remove(same)
    for left in there:
        what = f"{id}: its policy has a statement that was not deployed: {_said(left)}"
        yield problem(what, _AGAIN)


def _said(statement: Json) -> str:
    return str(statement.get("Sid") or f"{statement['Effect']} {statement.get('Action')}")


def _statements(document: Any) -> list[Json]:
    """Of a policy, or of the one statement that an event bus is given."""
    statements = document.get("Statement", document) if document else []
    return list(statements) if isinstance(statements, list) else [statements]


def invocations(account: Account) -> Findings:
    """Who may invoke each function or alias: neither more nor less than was deployed."""
    expected: dict[str, list[tuple[str, Json, Stack]]] = {}
    for stack in account.stacks.values():
        for kind in ("AWS::Lambda::Function", "AWS::Lambda::Alias"):
            for _, _, name in stack.each(kind):
                expected.setdefault(name, [])
        for id, properties, _ in stack.each("AWS::Lambda::Permission"):
            function = _function(stack, properties["FunctionName"])
            expected.setdefault(function, []).append((id, properties, stack))
    for function, permissions in sorted(expected.items()):
        statements = _statements_of(account, function)
        for id, properties, stack in permissions:
            try:
                same = next((it for it in statements if _is(properties, it, stack)), None)
            except Unresolved as unresolved:
                yield warning(f"{id} could not be compared: {unresolved}", "compare it by hand")
                statements = []
                continue
            if same is None:
                yield problem(f"{id}: the permission of {function} is gone or changed", _AGAIN)
            else:
                statements.remove(same)
        for left in statements:
            if not _is_connects(left):
                sid = left.get("Sid", "without a Sid")
                yield problem(f"{function} has a permission that was not deployed: {sid}", _AGAIN)
    yield well(f"permissions to invoke {len(expected)} functions compared")


def _function(stack: Stack, value: Any) -> str:
    """A function's name or ARN, or the ARN of an alias or version."""
    match value:
        case {"Fn::GetAtt": [str() as id, "Arn"]}:
            return stack.values.physical_ids[id]
    return stack.text(value)


def _statements_of(account: Account, function: str) -> list[Json]:
    name, qualifier = function, {}
    if function.count(":") == 7:
        name, _, alias = function.rpartition(":")
        qualifier = {"Qualifier": alias}
    answer = account.aws.read(
        "lambda", "get_policy", ("ResourceNotFoundException",), FunctionName=name, **qualifier
    )
    return list(json.loads(answer["Policy"])["Statement"]) if answer else []


def _is(properties: Json, statement: Json, stack: Stack) -> bool:
    """Whether a statement is what Lambda makes of a permission."""
    principal = statement.get("Principal", {})
    who = principal if isinstance(principal, str) else next(iter(principal.values()), "")
    condition = statement.get("Condition", {})
    given = {key.lower(): value for each in condition.values() for key, value in each.items()}
    arn, account = properties.get("SourceArn"), properties.get("SourceAccount")
    return (
        statement.get("Action") == properties["Action"]
        and re.fullmatch(stack.values.pattern(properties["Principal"]), str(who)) is not None
        and _matches(arn, given.pop("aws:sourcearn", None), stack)
        and _matches(account, given.pop("aws:sourceaccount", None), stack)
        and not given
    )


def _matches(expected: Any, actual: Any, stack: Stack) -> bool:
    if expected is None or actual is None:
        return expected is actual
    return re.fullmatch(stack.values.pattern(expected), str(actual)) is not None


def _is_connects(statement: Json) -> bool:
    """What an association with the instance adds by itself."""
    principal = statement.get("Principal")
    return isinstance(principal, dict) and principal.get("Service") == "connect.amazonaws.com"


def _of_queue(account: Account, url: str) -> Json:
    names = ["Policy"]
    answer = account.aws.read("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=names)
    return dict((answer or {}).get("Attributes", {}))


def _of_topic(account: Account, arn: str) -> Json:
    answer = account.aws.read("sns", "get_topic_attributes", TopicArn=arn)
    return dict((answer or {}).get("Attributes", {}))


def _of_bus(account: Account, name: str) -> Json:
    return account.aws.read("events", "describe_event_bus", Name=name) or {}


def _of_bucket(account: Account, name: str) -> Json:
    return account.aws.read("s3", "get_bucket_policy", ("NoSuchBucketPolicy",), Bucket=name) or {}


def _of_secret(account: Account, arn: str) -> Json:
    answer = account.aws.read("secretsmanager", "get_resource_policy", SecretId=arn) or {}
    return {"Policy": answer.get("ResourcePolicy")}


def _of_table(account: Account, name: str) -> Json:
    settings = account.settings
    partition = settings.connect.instance_arn.split(":")[1]
    arn = f"arn:{partition}:dynamodb:{settings.region}:{settings.account}:table/{name}"
    absent = ("PolicyNotFoundException",)
    return account.aws.read("dynamodb", "get_resource_policy", absent, ResourceArn=arn) or {}


_READ: dict[str, Callable[[Account, str], Json]] = {
    "AWS::DynamoDB::GlobalTable": _of_table,
    "AWS::DynamoDB::Table": _of_table,
    "AWS::Events::EventBus": _of_bus,
    "AWS::S3::Bucket": _of_bucket,
    "AWS::SNS::Topic": _of_topic,
    "AWS::SQS::Queue": _of_queue,
    "AWS::SecretsManager::Secret": _of_secret,
}
"""By type of what can have a policy: reads it. If there is one, it is the text `Policy`."""
_POLICIES = {
    "AWS::Events::EventBusPolicy": ("EventBusName", "Statement"),
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": ("Topics", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": ("Queues", "PolicyDocument"),
    "AWS::SecretsManager::ResourcePolicy": ("SecretId", "ResourcePolicy"),
}
"""By type of what gives a policy: the properties that say to which resource, and which policy."""
