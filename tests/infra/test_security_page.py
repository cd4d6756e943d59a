"""docs/security.md names every principal, role, public endpoint and secret that the templates have,
and none that they do not have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app import ENVIRONMENTS
from connect_settings import Settings, environment_file
from tests.infra.conftest import FULL, OTHERS, ROOT, Assembly, Json
from tools.policies import listed, statements

PAGE = ROOT / "docs" / "security.md"
PUBLIC = {
    "AWS::AppSync::Api",
    "AWS::CloudFront::Distribution",
    "AWS::Cognito::UserPoolDomain",
    "AWS::Lambda::Url",
}
"""Types with an address on the internet, beside the methods of APIs."""
READS = "secretsmanager:GetSecretValue"


@dataclass(frozen=True)
class Named:
    """What templates have, and what the page's tables say, in the same words.

    :param principals: Who, and what it is allowed or denied.
    :param secrets: The secret, and the construct whose role reads it.
    """

    principals: frozenset[tuple[str, ...]]
    roles: frozenset[tuple[str, ...]]
    endpoints: frozenset[tuple[str, ...]]
    secrets: frozenset[tuple[str, ...]]


@pytest.fixture(scope="module")
def templates(assembly_of: Callable[[str], Assembly], full: Assembly, others: Assembly) -> Named:
    """Those of dev and prod, with every option on, and with the choices that exclude these."""
    found = [
        *(named(assembly_of(name), name) for name in ("dev", "prod")),
        named(full, str(FULL)),
        named(others, str(OTHERS)),
    ]
    return Named(
        *(
            frozenset().union(*(getattr(each, kind) for each in found))
            for kind in ("principals", "roles", "endpoints", "secrets")
        )
    )


def named(assembly: Assembly, environment: str) -> Named:
    settings = Settings.load(environment_file(environment, ENVIRONMENTS))
    asapp, live = settings.asapp, settings.live
    principals, roles, endpoints, secrets = set(), set(), set(), set()
    for template in assembly.templates.values():
        resources = template["Resources"]
        for resource in resources.values():
            kind, properties = resource["Type"], resource.get("Properties", {})
            path = path_of(resource)
            for statement in statements(kind, properties, json.dumps):
                for who in statement.principals:
                    who = who if isinstance(who, str) else json.dumps(who)
                    who = "asapp.trusted_role_arns" if who in asapp.trusted_role_arns else who
                    effect = "deny" if statement.denied else "allow"
                    principals |= {(who, effect, action) for action in statement.actions}
            if kind == "AWS::IAM::Role":
                roles.add((path,))
            elif kind == "AWS::ApiGateway::Method":
                where = path.partition("/Default/")[2].rpartition("/")[0]
                method, asks = properties["HttpMethod"], properties["AuthorizationType"]
                endpoints.add((f"{method} /{where}", asks))
            elif kind in PUBLIC:
                endpoints.add((path, str(properties.get("AuthType", kind))))
            for name in re.findall("{{resolve:secretsmanager:([^:]+):", json.dumps(properties)):
                assert name == live.oidc_client_secret_name
                secrets.add(("live.oidc_client_secret_name", path))
            if kind == "AWS::IAM::Policy":
                reader = path.removesuffix("/DefaultPolicy")
                for secret in secrets_read(properties["PolicyDocument"]):
                    secrets.add((name_of(secret, resources, asapp.credentials_secret_name), reader))
    return Named(*(frozenset(each) for each in (principals, roles, endpoints, secrets)))


def path_of(resource: Json) -> str:
    """The construct's, below its stack."""
    path: str = resource.get("Metadata", {}).get("aws:cdk:path", "")
    return path.partition("/")[2].removesuffix("/Resource")


def secrets_read(document: Json) -> Iterator[Any]:
    for statement in document["Statement"]:
        if any(re.match("secretsmanager:|\\*", each) for each in listed(statement["Action"])):
            assert statement["Action"] == READS
            yield from listed(statement["Resource"])


def name_of(secret: Any, resources: Json, credentials: str) -> str:
    """One that is made here by its construct, one that is named by the setting."""
    if isinstance(secret, dict) and "Ref" in secret:
        return path_of(resources[secret["Ref"]])
    assert f":secret:{credentials}-" in str(secret)
    return "asapp.credentials_secret_name"


@pytest.fixture(scope="module")
def page() -> Named:
    text = PAGE.read_text("utf-8")

    def rows(heading: str) -> Iterator[list[list[str]]]:
        """Each row's cells; a cell is the code in it."""
        section = text.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
        for row in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
            yield [re.findall("`([^`]*)`", cell) for cell in row.split(" | ")]

    return Named(
        principals=frozenset(
            (who[0], *action.split(" ", 1))
            for who, actions, *_ in rows("Principals")
            for action in actions
        ),
        roles=frozenset((role[0],) for role, *_ in rows("Roles")),
        endpoints=frozenset((place[0], asks[0]) for place, asks, *_ in rows("Public endpoints")),
        secrets=frozenset(
            (secret[0], reader) for secret, readers, *_ in rows("Secrets") for reader in readers
        ),
    )


@pytest.mark.parametrize("kind", ["principals", "roles", "endpoints", "secrets"])
def test_the_page_names_all_that_there_is_and_nothing_else(
    templates: Named, page: Named, kind: str
) -> None:
    there, said = getattr(templates, kind), getattr(page, kind)
    assert there
    assert sorted(there - said) == [], "docs/security.md lacks these"
    assert sorted(said - there) == [], "docs/security.md names these, and no template has them"
