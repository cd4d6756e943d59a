"""A domain name of yours for the webhook, so that its URL outlives the API behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._rest_api import SECURITY_POLICIES, WITH_CLIENT_CERTIFICATES
from connect_settings._rules import DOMAIN
from connect_settings.truststore import expiries_of, faults_of

_A_DAY = Duration.days(1)


class WebhookDomain(Construct):
    """A regional domain name of API Gateway for ``TranscriptWebhook``.

    :param name: The domain name, for instance ``transcripts.acme.com``.
    :param certificate: Its certificate in Certificate Manager, in the stack's region. It may come
        from a private authority, if ASAPP trusts that (*custom CA*).
    :param client_authorities: A file with the certificates of the authorities whose client
        certificates are good, in PEM: their public part. A file with a key is refused. Then every
        caller must present one. Default: no client certificate is asked for.
    :param ownership_certificate: A public certificate of Certificate Manager for the same name. API
        Gateway needs it with ``client_authorities``, if ``certificate`` is imported or private.
    :param tls: The oldest version of TLS that a caller may speak. Default: 1.2. With
        ``client_authorities``, API Gateway cannot demand 1.3.
    :param hosted_zone: Where a record for the name is made. Default: you make it, to the domain's
        ``domain_name_alias_domain_name``.

    .. code-block:: python

        domain = WebhookDomain(
            self, "WebhookDomain", name="transcripts.acme.com", certificate=certificate
        )
    """

    domain_name: apigateway.DomainName
    days_to_expiry: Mapping[str, cloudwatch.Metric]
    """Of ``Certificate`` and, if there is one, of ``OwnershipCertificate``. Certificate Manager
    counts them twice a day, and no more after the expiry."""
    authority_expires_soon: cloudwatch.MathExpression | None
    """1 from 30 days before the first of the ``client_authorities`` expires, else 0."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        certificate: acm.ICertificate,
        client_authorities: Path | None = None,
        ownership_certificate: acm.ICertificate | None = None,
        tls: Literal["1.2", "1.3"] = "1.2",
        hosted_zone: route53.IHostedZone | None = None,
    ) -> None:
        super().__init__(scope, id)
        problems = [
            f"client_authorities: {fault}"
            for file in ([client_authorities] if client_authorities else [])
            for fault in faults_of(file)
        ]
        if client_authorities and tls == "1.3":
            problems.append('tls: "1.3" is not possible with client_authorities; write "1.2"')
        if ownership_certificate and not client_authorities:
            problems.append("ownership_certificate: is not used; give client_authorities with it")
        check_arguments(
            self, {"name": Argument(value=name, rule=DOMAIN), **like("webhook", tls=tls)}, problems
        )
        self.domain_name = apigateway.DomainName(
            self,
            "DomainName",
            domain_name=name,
            certificate=certificate,
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=WITH_CLIENT_CERTIFICATES
            if client_authorities
            else SECURITY_POLICIES[tls],
            endpoint_access_mode=None
            if client_authorities
            else apigateway.EndpointAccessMode.STRICT,
            mtls=self._truststore(client_authorities) if client_authorities else None,
        )
        if ownership_certificate:
            made = cast(apigateway.CfnDomainName, self.domain_name.node.default_child)
            made.ownership_verification_certificate_arn = ownership_certificate.certificate_arn
        if hosted_zone:
            target = route53.RecordTarget.from_alias(targets.ApiGatewayDomain(self.domain_name))
            route53.ARecord(self, "Record", zone=hosted_zone, record_name=f"{name}.", target=target)
        watched = {"Certificate": certificate, "OwnershipCertificate": ownership_certificate}
        self.days_to_expiry = {
            id_of_metric: each.metric_days_to_expiry(
                statistic=cloudwatch.Stats.MINIMUM, period=_A_DAY
            )
            for id_of_metric, each in watched.items()
            if each
        }
        self.authority_expires_soon = (
            self._expires_soon(client_authorities) if client_authorities else None
        )

    def _truststore(self, file: Path) -> apigateway.MTLSConfig:
        """The file in the bucket of CDK's assets, under a name that is the hash of its content. A
        changed file is a new object, which is how API Gateway learns of a change."""
        asset = assets.Asset(self, "ClientAuthorities", path=str(file.resolve()))
        return apigateway.MTLSConfig(bucket=asset.bucket, key=asset.s3_object_key)

    def _expires_soon(self, file: Path) -> cloudwatch.MathExpression:
        """CloudWatch compares its own clock with the file. The metric only gives it the times."""
        soon = min(expiries_of(file).values()) - 30 * _A_DAY.to_seconds()
        return cloudwatch.MathExpression(
            expression=f"IF(EPOCH(days) > {soon:.0f}, 1, 0)",
            using_metrics={"days": self.days_to_expiry["Certificate"]},
            period=_A_DAY,
            label="AuthorityExpiresSoon",
        )
