"""The policies of resources: who may send to our queues and topics, and who may invoke."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tools.doctor.findings import Findings, problem, warning, well
from tools.drift.intrinsics import Unresolved, is_what_was_deployed
from tools.verify.account import Account, Stack

Json = dict[str, Any]
_AGAIN = "deploy again, and see who changed it in CloudTrail"


def resource_policies(account: Account) -> Findings:
    number = 0
    for stack in account.stacks.values():
        for id, expected, actual in _documents(account, stack):
            number += 1
            try:
                same = actual is not None and is_what_was_deployed(expected, actual, stack.values)
            except Unresolved as unresolved:
                yield warning(f"{id} could not be compared: {unresolved}", "compare it by hand")
                continue
            if not same:
                yield problem(f"{id}: the policy is not the one that was deployed", _AGAIN)
    yield well(f"{number} policies of queues and topics compared")


def invocations(account: Account) -> Findings:
    """Who may invoke each function or alias: neither more nor less than was deployed."""
    stack = account.transcription
    expected: dict[str, list[tuple[str, Json]]] = {}
    for which in account.stacks.values():
        for id, properties, _ in which.each("AWS::Lambda::Permission"):
            expected.setdefault(_function(which, properties["FunctionName"]), []).append(
                (id, properties)
            )
    functions = [name for _, _, name in stack.each("AWS::Lambda::Function")]
    functions += [arn for _, _, arn in stack.each("AWS::Lambda::Alias")]
    for function in sorted({*functions, *expected}):
        statements = _statements_of(account, function)
        for id, properties in expected.get(function, []):
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
    yield well(f"permissions to invoke {len({*functions, *expected})} functions compared")


def _documents(account: Account, stack: Stack) -> Iterator[tuple[str, Any, Any]]:
    for id, properties, _ in stack.each("AWS::SQS::QueuePolicy"):
        for queue in properties["Queues"]:
            answer = account.aws.read(
                "sqs",
                "get_queue_attributes",
                QueueUrl=stack.values.text(queue),
                AttributeNames=["Policy"],
            )
            yield id, properties["PolicyDocument"], _json((answer or {}).get("Attributes"))
    for id, properties, _ in stack.each("AWS::SNS::TopicPolicy"):
        for topic in properties["Topics"]:
            answer = account.aws.read(
                "sns", "get_topic_attributes", TopicArn=stack.values.text(topic)
            )
            yield id, properties["PolicyDocument"], _json((answer or {}).get("Attributes"))


def _json(attributes: Json | None) -> Any:
    text = (attributes or {}).get("Policy")
    return json.loads(text) if text else None


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
