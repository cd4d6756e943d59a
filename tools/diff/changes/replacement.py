"""What CloudFormation cannot change in place, and what is lost with the old one.

Which properties those are is in AWS's own schemas of resource types, which cfn-lint ships: nothing
is asked of AWS. `cdk diff` has the same knowledge, but prints it for people only
(https://github.com/aws/aws-cdk/issues/679).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tools.diff.assembly import Environment, Json, Resource, references
from tools.diff.values import code

ROUTINE = frozenset({"AWS::Lambda::Version", "AWS::ApiGateway::Deployment"})
"""Types that exist to be replaced at every change of what they are made of."""

_HOLDS = {
    "AWS::Cognito::UserPool": "clients, whose ids and secrets others were given",
    "AWS::Cognito::UserPoolDomain": "token URL, which others were given",
    "AWS::DynamoDB::GlobalTable": "items",
    "AWS::DynamoDB::Table": "items",
    "AWS::Events::Archive": "events",
    "AWS::Events::EventBus": "rules and archives of others",
    "AWS::Connect::InstanceStorageConfig": "setting of the instance",
    "AWS::Glue::Database": "tables",
    "AWS::Glue::Table": "schema",
    "AWS::Kinesis::Stream": "records",
    "AWS::KinesisVideo::Stream": "media",
    "AWS::KMS::Key": "key material, and all that it encrypted is unreadable",
    "AWS::Logs::LogGroup": "log lines",
    "AWS::S3::Bucket": "objects",
    "AWS::SecretsManager::Secret": "value",
    "AWS::SQS::Queue": "messages",
    "AWS::SSM::Parameter": "value",
}


def holds(resource: Resource) -> str | None:
    """What is in it that no deploy brings back."""
    return _HOLDS.get(resource.type)


def trusts(environment: Environment, resource: Resource) -> list[str]:
    """Who was given a role's ARN: those of AWS accounts, not services, that may assume it."""
    if resource.type != "AWS::IAM::Role":
        return []
    principals = [
        statement.get("Principal", {}).get("AWS", [])
        for statement in resource.properties["AssumeRolePolicyDocument"]["Statement"]
        if isinstance(statement.get("Principal"), dict)
    ]
    return [
        environment.text(each)
        for listed in principals
        for each in (listed if isinstance(listed, list) else [listed])
    ]


def way_back(resource: Resource, *, stays: bool) -> str:
    """How to get what it held, after a deployment that left it outside the stack or deleted it."""
    if stays:
        return (
            "Nothing in the stack uses it any more: bring it back with `cdk import`, or copy what "
            "it holds into the new one."
        )
    recovery = resource.properties.get("PointInTimeRecoverySpecification", {})
    if resource.type == "AWS::DynamoDB::Table" and recovery.get("PointInTimeRecoveryEnabled"):
        return "AWS keeps a last backup of such a table for 35 days: restore that, and copy it."
    return "Nothing brings that back, unless you copy it before the deployment."


def stays_when_removed(old: Resource) -> bool:
    """Whether it outlives its removal from the template, in the account and outside the stack."""
    return old.body.get("DeletionPolicy") in _RETAINS


def stays_when_replaced(old: Resource, new: Resource) -> bool:
    """Whether it stays after its replacement. If the revisions disagree, it does not."""
    return all(each.body.get("UpdateReplacePolicy") in _RETAINS for each in (old, new))


_RETAINS = ("Retain", "RetainExceptOnCreate")

Reasons = Mapping[str, tuple[str, bool]]
"""By id: what cannot be changed in place, and whether it is only perhaps so."""


def replacements(
    pairs: Sequence[tuple[Resource, Resource]], other_ids: Mapping[str, str]
) -> Reasons:
    """Of resources before and after, those that CloudFormation replaces.

    A resource that names a replaced one in a property that cannot change is replaced too.

    :param other_ids: Those that have another logical id than before, and why we think so.
    """
    found = {id: (why, False) for id, why in other_ids.items()}
    for old, new in pairs:
        if old.type != new.type:
            found[new.id] = (f"it was of type {code(old.type)}", False)
    unfinished = True
    while unfinished:
        unfinished = False
        for old, new in pairs:
            if new.id not in found or found[new.id][1]:
                for why, is_perhaps in _reasons(old, new, found):
                    if new.id not in found or (found[new.id][1] and not is_perhaps):
                        found[new.id] = (why, is_perhaps)
                        unfinished = True
    return found


def _reasons(old: Resource, new: Resource, found: Reasons) -> Iterator[tuple[str, bool]]:
    for pointer, is_conditional in create_only(new.type):
        before, after = _at(old.properties, pointer), _at(new.properties, pointer)
        always = "always " if is_conditional else ""
        what = f"{code('.'.join(pointer))} cannot {always}change in place"
        if before != after:
            yield what, is_conditional
        for id in sorted(references(after) & found.keys() - {new.id}):
            yield f"{what}, and names what is replaced", is_conditional or found[id][1]


@cache
def create_only(type: str) -> list[tuple[tuple[str, ...], bool]]:
    """The paths of properties that are not changed in place, and whether they sometimes are."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:  # the region that has every type
        schema: Json = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    except ResourceNotFoundError:  # a custom resource's own code decides
        return []
    return [
        (tuple(pointer.removeprefix("/properties/").split("/")), is_conditional)
        for key, is_conditional in (
            ("createOnlyProperties", False),
            ("conditionalCreateOnlyProperties", True),
        )
        for pointer in schema.get(key, [])
    ]


def _at(value: Any, pointer: Sequence[str]) -> Any:
    """The value at a pointer; ``*`` in it stands for all items of a list."""
    if not pointer or value is None:
        return value
    first, *rest = pointer
    if first == "*":
        return [_at(each, rest) for each in value] if isinstance(value, list) else value
    return _at(value.get(first), rest) if isinstance(value, dict) else value
