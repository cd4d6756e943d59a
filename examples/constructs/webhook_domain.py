"""The webhook in three ways at once, on two domains: ASAPP can change from each to each. A web
ACL keeps floods away from each of the two APIs."""

from pathlib import Path

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_certificatemanager as acm
from constructs import Construct

from connect_autotranscribe import (
    ClientCertificate,
    ClientCredentials,
    SharedSecret,
    TranscriptStore,
    TranscriptWebhook,
    WebAcl,
    WebhookDomain,
)

CERTIFICATES = "arn:aws:acm:eu-central-1:111122223333:certificate"


class WebhookInThreeWays(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        certificate = acm.Certificate.from_certificate_arn(
            self, "Certificate", f"{CERTIFICATES}/11111111-1111-4111-8111-111111111111"
        )
        domain = WebhookDomain(
            self, "WebhookDomain", name="transcripts.acme.com", certificate=certificate
        )
        with_certificates = WebhookDomain(
            self,
            "ClientCertificateDomain",
            name="mtls.transcripts.acme.com",
            certificate=acm.Certificate.from_certificate_arn(
                self, "OtherCertificate", f"{CERTIFICATES}/22222222-2222-4222-8222-222222222222"
            ),
            client_authorities=Path("client_authorities.pem"),
        )
        webhook = TranscriptWebhook(
            self,
            "TranscriptWebhook",
            table=store.table,
            auth=[
                SharedSecret(),
                ClientCredentials(domain_prefix="acme-prod-transcripts"),
                ClientCertificate(domain=with_certificates.domain_name),
            ],
            domain=domain.domain_name,
            web_acl=WebAcl(),
        )
        for way, url in webhook.urls.items():
            CfnOutput(self, f"{way.__name__}Url", value=url)


def build(app: App) -> None:
    env = Environment(account="111122223333", region="eu-central-1")
    WebhookInThreeWays(app, "WebhookInThreeWays", env=env)
