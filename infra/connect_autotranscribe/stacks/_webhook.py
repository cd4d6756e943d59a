"""The webhook's ways of proof and its domains, as an environment's settings have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53

from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook
from connect_autotranscribe.transcripts.web_acl import WebAcl
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
    WebhookAuth,
)
from connect_autotranscribe.transcripts.webhook_domain import WebhookDomain
from connect_settings import Settings

_URLS: Mapping[type[WebhookAuth], str] = {
    SharedSecret: "WebhookUrl",
    ClientCredentials: "WebhookOAuth2Url",
    IssuedTokens: "WebhookOAuth2Url",
    ClientCertificate: "WebhookCertificateUrl",
}


def webhook_arguments(stack: Stack, settings: Settings) -> dict[str, Any]:
    """What `[webhook]`, `[webhook_oauth2]` and `[webhook_mtls]` mean for `TranscriptWebhook`."""
    webhook = settings.webhook
    rate, burst = settings.throttle
    limit = settings.requests_of_an_address_a_minute
    web_acls = {"manage": WebAcl(requests_a_minute=limit), "off": None}
    return {
        "auth": list(_ways(stack, settings)),
        "domain": _domain(
            stack,
            "Webhook",
            webhook.domain,
            webhook.certificate_arn,
            webhook.hosted_zone_id,
            tls=webhook.tls,
        ),
        "base_path": webhook.base_path,
        "tls": webhook.tls,
        "throttle_rate_per_second": rate,
        "throttle_burst": burst,
        "allowed_cidrs": webhook.allowed_cidrs,
        "web_acl": web_acls.get(webhook.web_acl, webhook.web_acl),
        "api_gateway_log_role": webhook.api_gateway_log_role,
    }


def output_what_asapp_needs(stack: Stack, webhook: TranscriptWebhook) -> None:
    """Every address, id and place of a secret that ASAPP must be told."""
    for way, url in webhook.urls.items():
        what = "ASAPP posts each utterance here; give it to ASAPP"
        CfnOutput(stack, _URLS[way], value=url, description=what)
    if webhook.secret:
        what = "The secret that ASAPP must present; give its value to ASAPP in a secure way"
        CfnOutput(stack, "WebhookSecretArn", value=webhook.secret.secret_arn, description=what)
    if issuer := webhook.token_issuer:
        what = "ASAPP gets access tokens here; give it to ASAPP"
        CfnOutput(stack, "WebhookTokenUrl", value=issuer.token_url, description=what)
        for name, client in issuer.clients.items():
            id = "Webhook" + "".join(part.capitalize() for part in name.split("-"))
            what = "The client id for access tokens; give it to ASAPP"
            CfnOutput(stack, f"{id}ClientId", value=client.user_pool_client_id, description=what)
            what = "The client secret for access tokens; give its value to ASAPP in a secure way"
            secret = issuer.secrets[name].secret_arn
            CfnOutput(stack, f"{id}ClientSecretArn", value=secret, description=what)


def _ways(stack: Stack, settings: Settings) -> Iterator[WebhookAuth]:
    webhook, tokens, mtls = settings.webhook, settings.webhook_oauth2, settings.webhook_mtls
    secret = SharedSecret(secret_in=webhook.secret_in, secret_name=webhook.secret_name)
    if "secret" in webhook.auth:
        yield secret
    if "oauth2" in webhook.auth and tokens.issuer and tokens.keys_url:
        yield IssuedTokens(
            issuer=tokens.issuer,
            keys_url=tokens.keys_url,
            audience=tokens.audience,
            scope=tokens.scope,
            client_id=tokens.client_id,
            header=tokens.header,
        )
    elif "oauth2" in webhook.auth and tokens.domain_prefix:
        yield ClientCredentials(
            domain_prefix=tokens.domain_prefix, clients=tokens.clients, header=tokens.header
        )
    domain = _domain(
        stack,
        "ClientCertificate",
        mtls.domain,
        mtls.certificate_arn,
        mtls.hosted_zone_id,
        client_authorities=mtls.authorities_file and Path(mtls.authorities_file),
        ownership_certificate=_certificate(stack, "Owner", mtls.ownership_certificate_arn),
    )
    if "mtls" in webhook.auth and domain:
        yield ClientCertificate(
            domain=domain,
            base_path=mtls.base_path,
            subject=mtls.subject,
            secret=secret if mtls.secret else None,
        )


def _domain(
    stack: Stack, id: str, name: str | None, certificate: str | None, zone: str | None, **more: Any
) -> apigateway.IDomainName | None:
    known = _certificate(stack, id, certificate)
    if name is None or known is None:
        return None
    of_id = route53.HostedZone.from_hosted_zone_id
    return WebhookDomain(
        stack,
        f"{id}Domain",
        name=name,
        certificate=known,
        hosted_zone=of_id(stack, f"{id}Zone", zone) if zone else None,
        **more,
    ).domain_name


def _certificate(stack: Stack, id: str, arn: str | None) -> acm.ICertificate | None:
    return acm.Certificate.from_certificate_arn(stack, f"{id}Certificate", arn) if arn else None
