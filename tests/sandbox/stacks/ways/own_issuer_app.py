"""Another team's app: the webhook with tokens of the team's own authorization server, and with
client certificates of an authority that serves everybody."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb

from connect_autotranscribe import (
    ClientCertificate,
    IssuedTokens,
    SharedSecret,
    TranscriptWebhook,
    WebhookDomain,
)
from sandbox.stacks.authorization_server import AuthorizationServer
from tests.infra.conftest import Assembly, synthesise

STACK = "own-issuer"


def write_assembly(folder: Path, server: AuthorizationServer, authorities: Path) -> Assembly:
    """In this process, where aws-cdk-lib is loaded already."""
    return synthesise(folder, lambda app: _fill(app, server, authorities), with_nag=False)


def _fill(app: App, server: AuthorizationServer, authorities: Path) -> None:
    env = Environment(account="000000000000", region="us-east-1")
    stack = Stack(app, STACK, env=env)
    arn = f"arn:aws:acm:us-east-1:000000000000:certificate/{'0' * 8}-0000-4000-8000-{'0' * 12}"
    text = dynamodb.AttributeType.STRING
    table = dynamodb.TableV2(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="conversationId", type=text),
        sort_key=dynamodb.Attribute(name="item", type=text),
    )
    domain = WebhookDomain(
        stack,
        "Domain",
        name="own.sandbox.test",
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", arn),
        client_authorities=authorities,
    )
    webhook = TranscriptWebhook(
        stack,
        "Webhook",
        table=table,
        auth=[
            IssuedTokens(issuer=server.issuer, keys_url=server.keys_url, client_id="asapp"),
            ClientCertificate(
                domain=domain.domain_name, subject="CN=webhook.asapp.com", secret=SharedSecret()
            ),
        ],
    )
    assert webhook.secret
    CfnOutput(stack, "TokenWebhook", value=webhook.urls[IssuedTokens])
    CfnOutput(stack, "CertificateWebhook", value=webhook.urls[ClientCertificate])
    CfnOutput(stack, "TableName", value=table.table_name)
    CfnOutput(stack, "Secret", value=webhook.secret.secret_arn)
    CfnOutput(
        stack, "CertificateFunction", value=webhook.functions["AuthorizeCertificate"].function_arn
    )
