"""Who may do what on what: every policy of an environment as one row an action and resource.

Policies are found wherever they stand, in resources of any type. What else lets somebody in has its
rows too: a Lambda permission, an association with Connect, a managed policy, an API's method.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tools.diff.assembly import Environment, Json, Resource
from tools.diff.findings import Permission, PermissionChange

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

_HOLDERS = ("Roles", "Users", "Groups", "RoleName", "UserName", "GroupName")
_CONDITIONS_OF_LAMBDA = (
    "SourceArn",
    "SourceAccount",
    "PrincipalOrgID",
    "EventSourceToken",
    "FunctionUrlAuthType",
)


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


def policy_in(environment: Environment, value: Any) -> Json | None:
    """The policy that a property is, if it is one: some are JSON as text."""
    if isinstance(value, dict) and "Fn::Join" in value:
        value = environment.text(value)
    if isinstance(value, str) and '"Statement"' in value:
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) and "Statement" in value else None


def rows(environment: Environment, resource: Resource) -> Iterator[Permission]:
    """The permissions that one resource gives or denies."""
    text, properties = environment.text, resource.properties

    def row(who: str, action: str, on: str, condition: str = "", may: str = "may") -> Permission:
        return Permission(resource.stack, who, may, action, on, condition)

    if resource.type == "AWS::Lambda::Permission":
        given = {key: properties[key] for key in _CONDITIONS_OF_LAMBDA if key in properties}
        condition = "; ".join(f"{key} = {text(value)}" for key, value in given.items())
        who, on = text(properties["Principal"]), text(properties["FunctionName"])
        yield row(_anybody(who), text(properties["Action"]), on, condition)
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

    holders = [text(each) for key in _HOLDERS for each in _list(properties.get(key))]
    is_identity = resource.type.startswith("AWS::IAM::")
    implied = (holders or [resource.name]) if is_identity else ["anybody"]
    documents = [properties, *properties.values()]
    documents += [each.get("PolicyDocument") for each in properties.get("Policies", [])]
    for value in documents:
        for statement in _list((policy_in(environment, value) or {}).get("Statement")):
            resources = _either(statement, "Resource", environment)
            if not resources or (resources == ["*"] and not is_identity):
                resources = [resource.name]  # in its own policy "*" is the thing itself
            condition = _condition(environment, statement.get("Condition", {}))
            may = "may not" if statement.get("Effect") == "Deny" else "may"
            for who in _principals(environment, statement) or implied:
                for action in _either(statement, "Action", environment):
                    for on in resources:
                        yield row(who, action, on, condition, may)


def _principals(environment: Environment, statement: Json) -> list[str]:
    for key, before in (("Principal", ""), ("NotPrincipal", "anybody but ")):
        if key in statement:
            named = statement[key]
            kinds = list(named.values()) if isinstance(named, dict) else [named]
            if isinstance(named, dict) and {"Ref", "Fn::GetAtt", "Fn::Join"} & set(named):
                kinds = [named]
            everyone = [environment.text(each) for kind in kinds for each in _list(kind)]
            return [f"{before}{_anybody(each)}" for each in everyone]
    return []


def _either(statement: Json, key: str, environment: Environment) -> list[str]:
    """Of ``Action`` or ``NotAction``, ``Resource`` or ``NotResource``."""
    if f"Not{key}" in statement:
        but = ", ".join(environment.text(each) for each in _list(statement[f"Not{key}"]))
        return [f"everything but {but}"]
    return [environment.text(each) for each in _list(statement.get(key))]


def _condition(environment: Environment, condition: Json) -> str:
    return "; ".join(
        f"{operator} {key} = {', '.join(environment.text(each) for each in _list(value))}"
        for operator, keys in sorted(condition.items())
        for key, value in sorted(keys.items())
    )


def _anybody(who: str) -> str:
    return "anybody" if who == "*" else who


def _list(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _covers(wide: Permission, narrow: Permission) -> bool:
    """Whether whoever has the first could do all of the second."""
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
