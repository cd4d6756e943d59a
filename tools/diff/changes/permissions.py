"""Who may do what on what: every policy of an environment as one row an action and resource.

What else lets somebody in has its rows too: an association with Connect, a managed policy, an API's
method.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tools.diff.assembly import Environment, Resource
from tools.diff.findings import Permission, PermissionChange
from tools.policies import Statement, Text, statements

SAYS_IT_ALL = frozenset(
    {
        "AWS::IAM::Policy",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::RolePolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::S3::BucketPolicy",
        "AWS::Events::EventBusPolicy",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::Lambda::Permission",
        "AWS::Connect::IntegrationAssociation",
    }
)
"""Types whose properties are nothing but permissions."""

SAID_HERE = ("ManagedPolicyArns", "PermissionsBoundary", "Policies", "AuthorizationType")
"""Properties of other types that the rows say, beside policies."""


def of_environment(environment: Environment) -> set[Permission]:
    return {row for each in environment.resources.values() for row in rows(environment, each)}


def changes(base: set[Permission], head: set[Permission]) -> Iterator[PermissionChange]:
    """Rows that only one revision has; one that covers another or lies within it says so."""
    removed, added = sorted(base - head), sorted(head - base)
    for row in added:
        note = ""
        if any(_covers(row, other) for other in removed):
            note = "wider than before"
        elif any(_covers(other, row) for other in removed):
            note = "narrower than before"
        yield PermissionChange(row.stack, "added", row, note)
    for row in removed:
        yield PermissionChange(row.stack, "removed", row)


def rows(environment: Environment, resource: Resource) -> Iterator[Permission]:
    """The permissions that one resource gives or denies."""
    text, properties = environment.text, resource.properties

    def row(who: str, action: str, on: str, condition: str = "", may: str = "may") -> Permission:
        return Permission(resource.stack, who, may, action, on, condition)

    if resource.type == "AWS::Connect::IntegrationAssociation":
        who, on = text(properties["InstanceId"]), text(properties["IntegrationArn"])
        yield row(who, f"use as {text(properties['IntegrationType'])}", on)
    if resource.type == "AWS::ApiGateway::Method":
        by = properties.get("AuthorizationType", "NONE")
        authorizer = text(properties.get("AuthorizerId", by))
        who = "anybody" if by == "NONE" else f"whom {authorizer} lets in"
        yield row(who, text(properties["HttpMethod"]), resource.name)
    for arn in properties.get("ManagedPolicyArns", []):
        yield row(resource.name, "all that is in", text(arn))
    if "PermissionsBoundary" in properties:
        yield row(resource.name, "at most what is in", text(properties["PermissionsBoundary"]))

    is_identity = resource.type.startswith("AWS::IAM::")
    for each in statements(resource.type, properties, text):
        holders = [text(holder) for holder in each.holders] or [resource.name]
        implied = holders if is_identity else ["anybody"]
        but = "anybody but " if "Principal" in each.negated else ""
        named = [f"{but}{_anybody(text(principal))}" for principal in each.principals]
        condition = "; ".join(
            f"{operator} {key} = {', '.join(map(text, values))}".strip()
            for operator, key, values in _in_order(each.conditions)
        )
        for who in named or implied:
            for action in _either(each, "Action", each.actions, text):
                for on in _either(each, "Resource", each.resources, text) or [resource.name]:
                    yield row(who, action, on, condition, "may not" if each.denied else "may")


def _either(statement: Statement, key: str, values: list[Any], text: Text) -> list[str]:
    """Of ``Action`` or ``NotAction``, ``Resource`` or ``NotResource``."""
    texts = [text(each) for each in values]
    return [f"everything but {', '.join(texts)}"] if key in statement.negated else texts


def _in_order(conditions: list[tuple[str, str, list[Any]]]) -> list[tuple[str, str, list[Any]]]:
    """By operator and key; a Lambda permission's stay as they are listed."""
    return sorted(conditions, key=lambda each: each[:2] if each[0] else ("", ""))


def _anybody(who: str) -> str:
    return "anybody" if who == "*" else who


def _covers(wide: Permission, narrow: Permission) -> bool:
    """Whether the first permission includes the second."""
    return (
        wide.may == narrow.may
        and wide.who in (narrow.who, "anybody")
        and _matches(wide.action.lower(), narrow.action.lower())
        and _matches(wide.on, narrow.on)
        and wide.condition in (narrow.condition, "")
    )


def _matches(pattern: str, text: str) -> bool:
    """As in a policy: only ``*`` and ``?`` stand for others."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
