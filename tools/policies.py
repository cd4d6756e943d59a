"""Who may do what on what, as a template says it: the one reader of policies.

It finds policies in resources of any type. What a reader shows of the values
is its own business: they come as in the template, with references.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Text = Callable[[Any], str]
"""What a value of a template says, as text."""

_HOLDERS = ("Roles", "Users", "Groups", "RoleName", "UserName", "GroupName")
_CONDITIONS_OF_LAMBDA = (
    "SourceArn",
    "SourceAccount",
    "PrincipalOrgID",
    "EventSourceToken",
    "FunctionUrlAuthType",
)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, or a Lambda permission, which is one in other words.

    :param principals: Whom it names. Empty in the policy of an identity.
    :param holders: What the policy is attached to, if the resource says so.
    :param resources: Empty if it is about the resource that has the policy.
    :param conditions: Operator, key and values; a Lambda permission has no operators.
    :param negated: Which of ``Principal``, ``Action`` and ``Resource`` mean all but those.
    :param kinds: Of each principal: ``AWS``, ``Service``, ``Federated`` or ``CanonicalUser``.
    """

    denied: bool
    principals: list[Any]
    holders: list[Any]
    actions: list[Any]
    resources: list[Any]
    conditions: list[tuple[str, str, list[Any]]]
    negated: frozenset[str] = frozenset()
    kinds: list[str] = field(default_factory=list)


def statements(type: str, properties: Json, text: Text) -> Iterator[Statement]:
    """What one resource allows or denies.

    :param type: The resource's, ``AWS::…``.
    """
    if type == "AWS::Lambda::Permission":
        given = [(key, properties[key]) for key in _CONDITIONS_OF_LAMBDA if key in properties]
        yield Statement(
            denied=False,
            principals=[properties["Principal"]],
            holders=[],
            actions=[properties["Action"]],
            resources=[properties["FunctionName"]],
            conditions=[("", key, [value]) for key, value in given],
            kinds=["Service" if ".amazonaws.com" in text(properties["Principal"]) else "AWS"],
        )
    holders = [each for key in _HOLDERS for each in listed(properties.get(key))]
    # A user pool's policies are one object, about passwords.
    inline = (each.get("PolicyDocument") for each in listed(properties.get("Policies")))
    for value in (properties, *properties.values(), *inline):
        for statement in listed((policy_in(value, text) or {}).get("Statement")):
            yield _read(statement, holders, is_identity=type.startswith("AWS::IAM::"))


def policy_in(value: Any, text: Text) -> Json | None:
    """The policy that a property is, if it is one: some are JSON as text."""
    if isinstance(value, dict) and "Fn::Join" in value:
        value = text(value)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) and "Statement" in value else None


def listed(value: Any) -> list[Any]:
    """One value or a list of them, as a list; nothing is an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _read(statement: Json, holders: list[Any], *, is_identity: bool) -> Statement:
    def either(key: str) -> list[Any]:
        return listed(statement.get(f"Not{key}", statement.get(key)))

    resources = either("Resource")
    principals = _principals(statement.get("NotPrincipal", statement.get("Principal")))
    if resources == ["*"] and not is_identity and "NotResource" not in statement:
        resources = []  # in its own policy "*" is the thing itself
    return Statement(
        denied=statement.get("Effect") == "Deny",
        principals=[who for _, who in principals],
        holders=holders,
        actions=either("Action"),
        resources=resources,
        conditions=[
            (operator, key, listed(values))
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        ],
        negated=frozenset(
            key for key in ("Principal", "Action", "Resource") if f"Not{key}" in statement
        ),
        kinds=[kind for kind, _ in principals],
    )


def _principals(named: Any) -> list[tuple[str, Any]]:
    """Of all kinds: services, accounts, federated ones."""
    if isinstance(named, dict) and not {"Ref", "Fn::GetAtt", "Fn::Join"} & set(named):
        return [(kind, each) for kind, several in named.items() for each in listed(several)]
    return [("AWS", each) for each in listed(named)]
