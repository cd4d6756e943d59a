"""The live page, in a bucket behind CloudFront."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_cdk import (
    Acknowledgment,
    CustomResource,
    Duration,
    Names,
    RemovalPolicy,
    Stack,
    Token,
    Validations,
)
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._encrypted import private_bucket
from connect_autotranscribe._functions import Function
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.live._page import page_config, page_files
from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.live.live_transcripts import LiveTranscripts
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_settings._rules import DOMAIN
from connect_settings.page_headers import security_headers, url_of_instance

_HASHED = "assets/*"
"""Files whose names change with their content."""
_MOST_AGE = "max-age="


class LivePage(Construct):
    """Hosts the live page: a private bucket, and a distribution of CloudFront before it.

    The page's address is known before the sign-in and the API that the page uses, which need it.
    So make this first, give them ``url``, and call :meth:`serve` with them at last.

    The files come from the package, or from ``web/dist`` of a checkout, where ``make web`` builds
    them. All that is stored here can be made again, so it is deleted with the stack.

    :param instance_alias: The name in the instance's access URL. Only that instance may frame the
        page, at ``my.connect.aws`` or ``awsapps.com``.
    :param domain_name: A domain name of yours; you make its record, to
        ``distribution.attr_domain_name``. Default: one of CloudFront's.
    :param certificate: That name's certificate in Certificate Manager, in us-east-1.
    :param key: Encrypts the function's log. Default: CloudWatch's own key.
    :param retention: How long the function's log is kept. Default: 30 days.
    :param function_options: How the function runs that puts the files there at a deployment. In a
        VPC it needs a way to S3. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        page = LivePage(self, "LivePage", instance_alias="acme")
        sign_in = LiveSignIn(self, "LiveSignIn", page_url=page.url, domain_prefix="acme-live")
        live = LiveTranscripts(
            self,
            "LiveTranscripts",
            table=store.table,
            event_bus=store.event_bus,
            sign_in=sign_in,
            page_url=page.url,
        )
        page.serve(sign_in=sign_in, transcripts=live)
    """

    url: str
    """The address, with a slash at its end."""
    bucket: s3.Bucket
    distribution: cloudfront.CfnDistribution
    put_page: lambda_.Function
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_alias: str,
        domain_name: str | None = None,
        certificate: acm.ICertificate | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        problems = []
        if bool(domain_name) != bool(certificate):
            problems.append("domain_name: needs its certificate, and a certificate its name")
        check_arguments(
            self,
            {
                **like("connect", instance_alias=instance_alias),
                "domain_name": Argument(value=domain_name, rule=DOMAIN, optional=True),
            },
            problems,
        )
        self._alias = instance_alias
        self.bucket = self._bucket()
        self._headers = cloudfront.CfnResponseHeadersPolicy(
            self, "Headers", response_headers_policy_config=self._headers_config([])
        )
        self.distribution = self._distribution(domain_name, certificate)
        self._is_named = domain_name is not None
        self.url = f"https://{domain_name or self.distribution.attr_domain_name}/"
        self._let_only_the_distribution_read()
        self.put_page = self._put_page(key, retention, function_options)
        self.functions = {"PutPage": self.put_page}
        self.dead_letter_queues = {}

    def serve(self, *, sign_in: LiveSignIn, transcripts: LiveTranscripts) -> None:
        """Put the page into the bucket, with its ``config.json``; call it once."""
        stack = Stack.of(self)
        read_host = f"{transcripts.rest_api.rest_api_id}.execute-api.{stack.region}"
        realtime = transcripts.event_api.realtime_dns
        if isinstance(transcripts.event_api, appsync.EventApi) and not self._is_named:
            # The API's own name would close a circle: API, authorizer, client, distribution.
            realtime = f"*.appsync-realtime-api.{stack.region}.{stack.url_suffix}"
        self._headers.response_headers_policy_config = self._headers_config(
            [f"https://{read_host}.{stack.url_suffix}", f"wss://{realtime}", sign_in.url]
        )
        config = page_config(sign_in, transcripts, self.url, self._alias, stack.region)
        CustomResource(
            self,
            "Page",
            resource_type="Custom::LivePage",
            service_token=self.put_page.function_arn,
            service_timeout=Duration.minutes(5),
            properties={
                "Config": stack.to_json_string(config),
                # The layer's ARN changes if a file does.
                "Files": self._files.layer_version_arn,
            },
        )

    def _bucket(self) -> s3.Bucket:
        return private_bucket(
            self,
            "Bucket",
            removal_policy=RemovalPolicy.DESTROY,
            not_logged="It holds the page, which everybody may read, and nothing else.",
        )

    def _headers_config(
        self, connects_to: list[str]
    ) -> cloudfront.CfnResponseHeadersPolicy.ResponseHeadersPolicyConfigProperty:
        policy = cloudfront.CfnResponseHeadersPolicy
        headers = security_headers(" ".join(connects_to), url_of_instance(self._alias))
        age = headers.pop("Strict-Transport-Security").removeprefix(_MOST_AGE)
        del headers["X-Content-Type-Options"]  # CloudFront knows no other value than "nosniff"
        return policy.ResponseHeadersPolicyConfigProperty(
            name=self._name(128),
            comment="The headers of the live page",
            security_headers_config=policy.SecurityHeadersConfigProperty(
                content_security_policy=policy.ContentSecurityPolicyProperty(
                    content_security_policy=headers.pop("Content-Security-Policy"), override=True
                ),
                content_type_options=policy.ContentTypeOptionsProperty(override=True),
                referrer_policy=policy.ReferrerPolicyProperty(
                    referrer_policy=headers.pop("Referrer-Policy"), override=True
                ),
                strict_transport_security=policy.StrictTransportSecurityProperty(
                    access_control_max_age_sec=int(age), override=True
                ),
            ),
            custom_headers_config=policy.CustomHeadersConfigProperty(
                items=[
                    policy.CustomHeaderProperty(header=name, value=value, override=True)
                    for name, value in headers.items()
                ]
            ),
        )

    def _distribution(
        self, domain_name: str | None, certificate: acm.ICertificate | None
    ) -> cloudfront.CfnDistribution:
        kind = cloudfront.CfnDistribution
        access = cloudfront.CfnOriginAccessControl(
            self,
            "Access",
            origin_access_control_config=cloudfront.CfnOriginAccessControl.OriginAccessControlConfigProperty(
                name=self._name(64),
                origin_access_control_origin_type="s3",
                signing_behavior="always",
                signing_protocol="sigv4",
            ),
        )
        common: dict[str, Any] = {
            "target_origin_id": "bucket",
            "viewer_protocol_policy": "redirect-to-https",
            "response_headers_policy_id": self._headers.attr_id,
        }
        cache = cloudfront.CachePolicy
        made = kind(
            self,
            "Distribution",
            distribution_config=kind.DistributionConfigProperty(
                enabled=True,
                comment=f"The live page of {Stack.of(self).stack_name}",
                default_root_object="index.html",
                http_version="http2and3",
                ipv6_enabled=True,
                aliases=[domain_name] if domain_name else None,
                viewer_certificate=kind.ViewerCertificateProperty(
                    acm_certificate_arn=certificate.certificate_arn,
                    minimum_protocol_version="TLSv1.2_2021",
                    ssl_support_method="sni-only",
                )
                if certificate
                else kind.ViewerCertificateProperty(cloud_front_default_certificate=True),
                origins=[
                    kind.OriginProperty(
                        id="bucket",
                        domain_name=self.bucket.bucket_regional_domain_name,
                        origin_access_control_id=access.attr_id,
                        s3_origin_config=kind.S3OriginConfigProperty(origin_access_identity=""),
                    )
                ],
                default_cache_behavior=kind.DefaultCacheBehaviorProperty(
                    **common, cache_policy_id=cache.CACHING_DISABLED.cache_policy_id
                ),
                cache_behaviors=[
                    kind.CacheBehaviorProperty(
                        **common,
                        path_pattern=_HASHED,
                        compress=True,
                        cache_policy_id=cache.CACHING_OPTIMIZED.cache_policy_id,
                    )
                ],
            ),
        )
        for rule, reason in (
            (
                "CFR1",
                "Only the account knows where its users are; nothing shows without a sign-in.",
            ),
            (
                "CFR2",
                "Everybody may have its few files; a web ACL is the account's to add.",
            ),
            (
                "CFR3",
                "Its lines would have codes of sign-ins; the record says who looked at what.",
            ),
        ):
            _accept(made, rule, reason)
        if not certificate:
            reason = "CloudFront chooses for its own name; give a name of yours for 1.2 and newer."
            _accept(made, "CFR4", reason)
        return made

    def _let_only_the_distribution_read(self) -> None:
        arn = Stack.of(self).format_arn(
            service="cloudfront",
            region="",
            resource="distribution",
            resource_name=self.distribution.attr_id,
        )
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                resources=[self.bucket.arn_for_objects("*")],
                conditions={"StringEquals": {"AWS:SourceArn": arn}},
            )
        )

    def _put_page(
        self, key: kms.IKey | None, retention: Retention, options: FunctionOptions
    ) -> lambda_.Function:
        self._files = lambda_.LayerVersion(
            self,
            "Files",
            description="The files of the live page",
            code=lambda_.Code.from_asset(str(page_files())),
        )
        function = Function(
            self,
            "PutPage",
            folder="put_page",
            description="Puts the live page into its bucket at a deployment",
            timeout=Duration.minutes(2),
            environment={"PAGE_BUCKET": self.bucket.bucket_name},
            retention=retention,
            options=options,
            key=key,
        )
        function.add_layers(self._files)
        for actions, resource in (
            (["s3:DeleteObject", "s3:PutObject"], self.bucket.arn_for_objects("*")),
            (["s3:ListBucket"], self.bucket.bucket_arn),
        ):
            function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        made = cast(s3.CfnBucket, self.bucket.node.default_child)
        files = f"<{Stack.of(self).get_logical_id(made)}.Arn>/*"  # cdk-nag's words
        _accept(
            cast(Construct, function.role),
            f"IAM5[Resource::{files}]",
            "The files of the page, in a bucket that has nothing else.",
        )
        return function

    def _name(self, longest: int) -> str:
        """CloudFront's names are unique in an account, beyond a region."""
        region = Stack.of(self).region
        room = longest - (20 if Token.is_unresolved(region) else len(region)) - 1
        return f"{Names.unique_resource_name(self, max_length=room, separator='-')}-{region}"


def _accept(construct: Construct, rule: str, reason: str) -> None:
    acknowledgment = Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason)
    Validations.of(construct).acknowledge(acknowledgment)
