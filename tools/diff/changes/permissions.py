"""Who may do what on what: every policy of an environment as one row an action and resource.

What else lets somebody in has its rows too: an association with Connect, a managed policy, an API's
method.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tools.diff.assembly import Environment, Resource, references
from tools.diff.changes.api_access import guard_of
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

_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
_MADE = frozenset({"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"})
_KINDS = {"Federated": "federated ", "CanonicalUser": "canonical user "}
_OPEN = frozenset({"Fn::If", "Fn::Transform"})

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

    def row(
        who: str,
        action: str,
        on: str,
        condition: str = "",
        may: str = "may",
        outside: bool = False,
    ) -> Permission:
        return Permission(resource.stack, who, may, action, on, condition, outside)

    if resource.type == "AWS::Connect::IntegrationAssociation":
        who, on = text(properties["InstanceId"]), text(properties["IntegrationArn"])
        yield row(who, f"use as {text(properties['IntegrationType'])}", on)
    if resource.type == "AWS::ApiGateway::Method":
        by = properties.get("AuthorizationType", "NONE")
        authorizer = text(properties.get("AuthorizerId", by))
        who = "anybody" if by == "NONE" else f"whom {authorizer} lets in"
        api = properties.get("RestApiId")
        if by == "NONE" and (domain := guard_of(environment, _id_of(environment, api))):
            who = f"whose client certificate {domain} trusts"
        ours = _refers_to(environment, properties.get("AuthorizerId"))
        outside = by == "NONE" or ours != "AWS::ApiGateway::Authorizer"
        yield row(who, text(properties["HttpMethod"]), resource.name, outside=outside)
    for arn in properties.get("ManagedPolicyArns", []):
        yield row(resource.name, "all that is in", text(arn))
    if "PermissionsBoundary" in properties:
        yield row(resource.name, "at most what is in", text(properties["PermissionsBoundary"]))

    is_identity = resource.type.startswith("AWS::IAM::")
    for each in statements(resource.type, properties, text):
        implied = [("anybody", True)]
        if is_identity:
            implied = [(resource.name, False)]
        if is_identity and each.holders:
            implied = [(text(it), not _is_made(environment, it)) for it in each.holders]
        but = "anybody but " if "Principal" in each.negated else ""
        named = [
            (
                f"{but}{_KINDS.get(kind, '')}{_anybody(text(principal))}",
                bool(but) or not (_is_service(kind, principal) or _is_made(environment, principal)),
            )
            for kind, principal in zip(each.kinds, each.principals, strict=True)
        ]
        condition = "; ".join(
            f"{operator} {key} = {', '.join(map(text, values))}".strip()
            for operator, key, values in _in_order(each.conditions)
        )
        may = "may not" if each.denied else "may"
        for who, outside in named or implied:
            for action in _either(each, "Action", each.actions, text):
                for on in _either(each, "Resource", each.resources, text) or [resource.name]:
                    yield row(who, action, on, condition, may, outside)


def is_open(value: Any) -> bool:
    """Whether a part of it is decided at the deployment, so that no row can say it."""
    if isinstance(value, dict):
        return bool(_OPEN & value.keys()) or any(map(is_open, value.values()))
    return isinstance(value, list) and any(map(is_open, value))


def covers_any(wide: set[Permission], narrow: Permission) -> bool:
    """Whether one of the permissions, or prohibitions, includes another."""
    return any(_covers(each, narrow) for each in wide)


def _is_service(kind: str, principal: Any) -> bool:
    return (
        kind == "Service"
        and isinstance(principal, str)
        and _SERVICE.fullmatch(principal) is not None
    )


def _is_made(environment: Environment, principal: Any) -> bool:
    """Whether the stacks create it; an ARN in letters may be anybody's."""
    return _refers_to(environment, principal) in _MADE


def _refers_to(environment: Environment, value: Any) -> str | None:
    """The type of the resource that a value is, if it is one of the environment."""
    id = _id_of(environment, value)
    return environment.resources[id].type if id else None


def _id_of(environment: Environment, value: Any) -> str | None:
    found = references(value) if isinstance(value, dict) and len(value) == 1 else set()
    if found and next(iter(value)) in ("Ref", "Fn::GetAtt"):
        id = found.pop()
        return id if id in environment.resources else None
    return None


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
