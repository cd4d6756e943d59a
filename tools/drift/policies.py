"""Compares the policies of our roles with the deployed templates; CloudFormation does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.doctor.aws import Aws
from tools.drift.intrinsics import Unresolved, Values, is_what_was_deployed
from tools.drift.stacks import Deployed, Stack, resources

Json = dict[str, Any]


@dataclass
class Policies:
    """:param roles: How many roles were compared."""

    roles: int = 0
    drifted: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass
class Role:
    """What the templates give to a role.

    :param inline: The documents, by the policies' names, and the values that they refer to.
    :param attached: The ARNs of managed policies, and the values that they refer to.
    """

    label: str
    inline: dict[str, tuple[Json, Values]] = field(default_factory=dict)
    attached: list[tuple[Any, Values]] = field(default_factory=list)


def compare_policies(deployed: Deployed, stacks: Sequence[Stack]) -> Policies:
    """All inline policies of each role that a stack makes, and which managed ones it has.

    :raises NotSeen: If AWS does not tell.
    """
    found = Policies()
    roles = _roles(deployed, stacks, found)
    for name, role in sorted(roles.items()):
        found.roles += 1
        there = deployed.aws.pages(
            "iam", "list_role_policies", "PolicyNames", absent=("NoSuchEntity",), RoleName=name
        )
        if there is None:
            found.drifted.append(f"{role.label}: the role {name} is gone")
            continue
        for policy in sorted(role.inline.keys() - set(there)):
            found.drifted.append(f"{role.label}: the policy {policy} is gone")
        for policy in sorted(set(there) - role.inline.keys()):
            found.drifted.append(f"{role.label}: the policy {policy} was added by hand")
        for policy in sorted(role.inline.keys() & set(there)):
            document, values = role.inline[policy]
            actual = _document(deployed.aws, name, policy)
            try:
                changed = list(_differences(document, actual, values))
            except Unresolved as unresolved:
                found.unknown.append(f"{role.label}: {policy} could not be compared: {unresolved}")
                continue
            found.drifted += (f"{role.label}: in {policy}, {each}" for each in changed)
        try:
            found.drifted += _attached(deployed.aws, name, role)
        except Unresolved as unresolved:
            found.unknown.append(f"{role.label}: its managed policies: {unresolved}")
    return found


def _roles(deployed: Deployed, stacks: Sequence[Stack], found: Policies) -> dict[str, Role]:
    """By their names."""
    exports = {name: value for stack in stacks for name, value in stack.exports.items()}
    roles: dict[str, Role] = {}
    given: list[tuple[str, Json, Values]] = []
    for stack in stacks:
        values = Values(
            physical_ids={
                each["LogicalResourceId"]: each["PhysicalResourceId"]
                for each in resources(deployed.aws, stack)
                if each.get("PhysicalResourceId")
            },
            exports=exports,
            account=deployed.account,
            region=deployed.aws.region,
        )
        for id, body in _template(deployed.aws, stack)["Resources"].items():
            properties = body.get("Properties", {})
            if body["Type"] == "AWS::IAM::Role":
                role = Role(f"{stack.short} {id}")
                role.attached += ((arn, values) for arn in properties.get("ManagedPolicyArns", []))
                for policy in properties.get("Policies", []):
                    role.inline[policy["PolicyName"]] = (policy["PolicyDocument"], values)
                roles[values.physical_ids.get(id, id)] = role
            elif body["Type"] == "AWS::IAM::Policy":
                given.append((f"{stack.short} {id}", properties, values))
    for label, policy, values in given:
        for reference in policy.get("Roles", []):
            try:
                roles[values.text(reference)].inline[policy["PolicyName"]] = (
                    policy["PolicyDocument"],
                    values,
                )
            except (KeyError, Unresolved):
                found.unknown.append(f"{label}: it belongs to a role that no stack of ours makes")
    return roles


def _template(aws: Aws, stack: Stack) -> Json:
    """The template as it was deployed, even if git has a newer one."""
    answer = aws.read("cloudformation", "get_template", StackName=stack.name) or {}
    body = answer["TemplateBody"]
    template: Json = json.loads(body) if isinstance(body, str) else body
    return template


def _document(aws: Aws, role: str, policy: str) -> Json:
    answer = aws.read("iam", "get_role_policy", RoleName=role, PolicyName=policy) or {}
    document: Json = answer["PolicyDocument"]
    return document


def _differences(expected: Json, actual: Json, values: Values) -> Iterator[str]:
    """Statement by statement, so that a reader sees which permission came or went."""
    rest = _statements(actual)
    for statement in _statements(expected):
        same = next((x for x in rest if is_what_was_deployed(statement, x, values)), None)
        if same is None:
            yield f"this statement was deployed and is not there: {_text(statement)}"
        else:
            rest.remove(same)
    for statement in rest:
        yield f"this statement is there and was not deployed: {_text(statement)}"


def _statements(document: Mapping[str, Any]) -> list[Json]:
    found = document.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def _attached(aws: Aws, name: str, role: Role) -> list[str]:
    """:raises Unresolved: If a managed policy of the template cannot be told."""
    answer = aws.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    rest = [each["PolicyArn"] for each in answer or []]
    found = []
    for arn, values in role.attached:
        same = next((each for each in rest if is_what_was_deployed(arn, each, values)), None)
        if same is None:
            found.append(f"{role.label}: the managed policy {_text(arn)} is detached")
        else:
            rest.remove(same)
    found += (f"{role.label}: the managed policy {each} was attached by hand" for each in rest)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
