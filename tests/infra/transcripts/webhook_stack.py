"""A webhook alone in a stack, in the ways that a test gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb

from connect_autotranscribe import TranscriptWebhook, WebhookDomain
from connect_autotranscribe.transcripts.webhook_auth import WebhookAuth
from tests.infra.conftest import ACCOUNT, ROOT, Deployed, Json, new_stack

REGION = "eu-central-1"
AUTHORITIES = ROOT / "examples" / "constructs" / "client_authorities.pem"
OF_DOMAIN, OF_CLIENTS = "transcripts.acme.example", "mtls.transcripts.acme.example"

Way = WebhookAuth | Callable[[apigateway.IDomainName], WebhookAuth]
"""A way, or what makes one of the domain that asks for client certificates."""


def certificate(stack: Stack, name: str) -> acm.ICertificate:
    arn = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{name}"
    return acm.Certificate.from_certificate_arn(stack, f"{name}Certificate", arn)


def certificate_arn(name: str) -> str:
    return f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{name}"


class Webhook(Deployed):
    """
    :param with_domain: Whether it has a domain for the ways without client certificates.
    :param given: More arguments of `TranscriptWebhook`.
    """

    def __init__(
        self,
        *ways: Way,
        with_domain: bool = False,
        authorities: Path = AUTHORITIES,
        ownership: bool = False,
        **given: Any,
    ) -> None:
        stack = new_stack()
        self.domain = self.client_domain = None
        if with_domain:
            self.domain = WebhookDomain(
                stack, "Domain", name=OF_DOMAIN, certificate=certificate(stack, "own")
            )
            given["domain"] = self.domain.domain_name
        if any(callable(each) for each in ways):
            self.client_domain = WebhookDomain(
                stack,
                "ClientDomain",
                name=OF_CLIENTS,
                certificate=certificate(stack, "clients"),
                client_authorities=authorities,
                ownership_certificate=certificate(stack, "owner") if ownership else None,
            )
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/theirs"
        self.webhook = TranscriptWebhook(
            stack,
            "Webhook",
            table=dynamodb.Table.from_table_arn(stack, "Table", arn),
            auth=[self._made(each) for each in ways],
            **given,
        )
        super().__init__(stack)

    def _made(self, way: Way) -> WebhookAuth:
        if not callable(way):
            return way
        assert self.client_domain
        return way(self.client_domain.domain_name)

    def at(self, path: str, *, client_domain: bool = False) -> Json:
        """The one method at a path of the API."""
        apis = {each.node.id: each for each in self.webhook.apis}
        api = apis["ClientCertificateApi" if client_domain else "Api"]
        own = {"Ref": self.identifier(api.rest_api)}
        (found,) = (
            each["Properties"]
            for each in self.all("AWS::ApiGateway::Method")
            if each["Properties"]["RestApiId"] == own
            and self.path(each["Properties"]["ResourceId"]) == path
        )
        assert found["HttpMethod"] == "POST"
        return dict(found)

    def path(self, resource: Json) -> str:
        parts: list[str] = []
        while "Ref" in resource:
            properties = self.template["Resources"][resource["Ref"]]["Properties"]
            parts.insert(0, properties["PathPart"])
            resource = properties["ParentId"]
        return "/" + "/".join(parts)

    def authorizer(self, method: Json) -> Json:
        found: Json = self.template["Resources"][method["AuthorizerId"]["Ref"]]["Properties"]
        return {
            key: each
            for key, each in found.items()
            if key not in ("Name", "RestApiId", "AuthorizerUri")
        }

    def asked(self, method: Json) -> Json:
        """The environment of the function that an authorizer invokes, of what it demands."""
        authorizer = self.template["Resources"][method["AuthorizerId"]["Ref"]]["Properties"]
        (function,) = (
            each for each in self.webhook.functions.values() if self._invokes(authorizer, each)
        )
        variables = self.properties(function)["Environment"]["Variables"]
        demands = ("WEBHOOK_", "SECRET_", "TOKEN_", "CERTIFICATE_")
        return {key: each for key, each in variables.items() if key.startswith(demands)}

    def _invokes(self, authorizer: Json, function: Any) -> bool:
        return self.identifier(function) in str(authorizer["AuthorizerUri"])
