"""The webhook's REST API: it takes a POST if its caller is ASAPP, and sends it to the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, cast

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Size, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._encrypted import grant_send
from connect_autotranscribe._functions import Function, live_alias, log_group_of
from connect_autotranscribe._rest_api import RestApi
from connect_autotranscribe.function_options import FunctionOptions
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.transcripts._domain import url_of
from connect_autotranscribe.transcripts._stage_web_acl import StageWebAcl
from connect_autotranscribe.transcripts._token_issuer import TokenIssuer
from connect_autotranscribe.transcripts.web_acl import WebAcl
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
    WebhookAuth,
)

_SEND_MESSAGE = "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "httpMethod": "$context.httpMethod",
    "resourcePath": "$context.resourcePath",
    "status": "$context.status",
    "sourceIp": "$context.identity.sourceIp",
    "responseLatencyMs": "$context.responseLatency",
    "integrationStatus": "$context.integration.status",
    "authorizerStatus": "$context.authorizer.status",
    "error": "$context.error.responseType",
}
"""Without the body, and without the query string, which may hold the secret."""
_CERTIFICATE_LOG = {
    "clientCertSubject": "$context.identity.clientCert.subjectDN",
    "clientCertNotAfter": "$context.identity.clientCert.validity.notAfter",
}
_LOG_POLICY = (
    "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
)
"""As cdk-nag writes it."""
_CONTENT_TYPES = (
    "application/json",  # also what API Gateway takes a request without a content type for
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/vnd.api+json",
    "text/html",
    "text/json",
    "text/plain",
)
"""A POST with another one is refused with 415, because API Gateway needs a template for each type.
Parameters such as ``charset`` do not count."""
_CACHE_TTL = Duration.minutes(5)
"""How long API Gateway keeps an authorizer's answer."""
_TOKEN_CACHE_TTL = Duration.minutes(1)
"""Shorter, because an answer in the cache outlives the token's expiry."""


class WebhookApi(Construct):
    """An endpoint of ``TranscriptWebhook``, which documents the parameters.

    :param queue: The queue to which API Gateway sends each body, as it came.
    :param auth: The ways to prove who calls. Each has a path of its own.
    :param secret: For each shared secret that brings none of its own.
    :param token_issuer: For ``ClientCredentials``.
    :param domain: With the truststore, if there is a way by client certificate.
    :param key: Encrypts secrets and logs that are made here.
    """

    rest_api: apigateway.RestApi
    access_log: logs.ILogGroup
    urls: Mapping[type[WebhookAuth], str]
    """Where ASAPP posts to, by way."""
    authorizers: Mapping[str, lambda_.IFunction]
    aliases: Mapping[str, lambda_.Alias]
    """By the same names: what API Gateway invokes instead, with ``with_aliases``."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        queue: sqs.IQueue,
        auth: Sequence[WebhookAuth],
        secret: secretsmanager.ISecret | None,
        token_issuer: TokenIssuer | None,
        throttle_rate_per_second: int,
        throttle_burst: int,
        allowed_cidrs: Sequence[str],
        web_acl: WebAcl | str | None,
        api_gateway_log_role: Literal["adopt", "manage"],
        domain: apigateway.IDomainName | None,
        base_path: str | None,
        tls: Literal["1.2", "1.3"],
        retention: Retention,
        function_options: FunctionOptions,
        key: kms.IKey | None,
        with_aliases: bool,
    ) -> None:
        super().__init__(scope, id)
        self._retention, self._options, self._key = retention, function_options, key
        self._with_aliases = with_aliases
        self._secret, self._token_issuer = secret, token_issuer
        self.access_log = log_group_of(self, "AccessLog", retention, key)
        manages = api_gateway_log_role == "manage"
        by_certificate = any(isinstance(way, ClientCertificate) for way in auth)
        logged = _ACCESS_LOG | (_CERTIFICATE_LOG if by_certificate else {})
        self.rest_api = RestApi(
            self,
            description="ASAPP posts each utterance here",
            requests_a_second=throttle_rate_per_second,
            burst=throttle_burst,
            access_log=self.access_log,
            logged=logged,
            without_web_acl=None
            if web_acl
            else "The proof of who calls and the throttle guard it; a web ACL is an argument.",
            counts_each_method=True,
            tls=tls,
            asks_for_certificates=by_certificate,
            # A trace names the URL, and with it a secret in the query string.
            traced=not any(_is_in_query(way) for way in auth),
            # It unpacks requests that say Content-Encoding: gzip. No answer of ours is that large.
            min_compression_size=Size.mebibytes(10),
            policy=_only_from(allowed_cidrs) if allowed_cidrs else None,
            # A domain may ask for a client certificate. API Gateway's own name would bypass it.
            disable_execute_api_endpoint=True if domain else None,
            cloud_watch_role=manages,
            # Even if the first deployment fails: the account's setting still names the role.
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if manages else None,
        )
        into_queue = self._send_to(queue)
        transcripts = self.rest_api.root.add_resource("transcripts")
        domain_url = url_of(self, self.rest_api, "transcripts", domain, base_path)
        urls = {}
        self._functions: dict[str, lambda_.Function] = {}
        self._aliases: dict[str, lambda_.Alias] = {}
        for way in auth:
            by_token = isinstance(way, ClientCredentials | IssuedTokens)
            resource = transcripts.add_resource("oauth2") if by_token else transcripts
            urls[type(way)] = f"{domain_url}/oauth2" if by_token else domain_url
            authorizer, scopes = self._authorizer(way)
            method = resource.add_method(
                "POST",
                into_queue,
                authorizer=authorizer,
                authorization_scopes=scopes,
                method_responses=[
                    apigateway.MethodResponse(status_code=status)
                    for status in ("200", "400", "500")
                ],
            )
            self._accept_findings_of(method, way, authorizer)
        self.urls, self.authorizers, self.aliases = urls, self._functions, self._aliases
        if web_acl:
            StageWebAcl(
                self,
                "WebAcl",
                given=web_acl,
                stage=self.rest_api.deployment_stage,
                auth=auth,
                allowed_cidrs=allowed_cidrs,
            )
        self._accept_findings(manages)

    def _authorizer(
        self, way: WebhookAuth
    ) -> tuple[apigateway.IAuthorizer | None, list[str] | None]:
        """What API Gateway asks before it takes a POST, and the scopes that a token must grant."""
        match way:
            case SharedSecret():
                function = self._function("AuthorizeWebhook", secret=way)
                return self._asks("Authorizer", function, [_source_of(way)], _CACHE_TTL), None
            case ClientCredentials():
                issuer = cast(TokenIssuer, self._token_issuer)
                checks = apigateway.CognitoUserPoolsAuthorizer(
                    self,
                    "TokenAuthorizer",
                    cognito_user_pools=[issuer.user_pool],
                    identity_source=apigateway.IdentitySource.header(way.header),
                    results_cache_ttl=_TOKEN_CACHE_TTL,
                )
                return checks, [issuer.scope]
            case IssuedTokens():
                function = self._function("AuthorizeToken", _token_demands(way))
                source = apigateway.IdentitySource.header(way.header)
                return self._asks("TokenAuthorizer", function, [source], _TOKEN_CACHE_TTL), None
            case ClientCertificate(subject=None, secret=None):
                return None, None  # API Gateway has checked all there is
            case ClientCertificate():
                demands = {"CERTIFICATE_SUBJECT": way.subject} if way.subject else {}
                function = self._function("AuthorizeCertificate", demands, secret=way.secret)
                sources = [_source_of(way.secret)] if way.secret else []
                # The cache's key would be the secret, which a caller with another Subject may have.
                cache_ttl = Duration.seconds(0) if way.subject else _CACHE_TTL
                return self._asks("CertificateAuthorizer", function, sources, cache_ttl), None

    def _asks(
        self, id: str, function: lambda_.IFunction, sources: Sequence[str], cache_ttl: Duration
    ) -> apigateway.RequestAuthorizer:
        return apigateway.RequestAuthorizer(
            self,
            id,
            handler=function,
            identity_sources=list(sources),
            results_cache_ttl=cache_ttl,
        )

    def _function(
        self,
        id: str,
        demands: Mapping[str, str] = MappingProxyType({}),
        secret: SharedSecret | None = None,
    ) -> lambda_.IFunction:
        """What API Gateway invokes."""
        value = cast(secretsmanager.ISecret, (secret and secret.secret) or self._secret)
        of_secret = (
            {
                "WEBHOOK_SECRET": value.secret_arn,
                "SECRET_IN": secret.secret_in,
                "SECRET_NAME": secret.secret_name,
            }
            if secret
            else {}
        )
        function = Function(
            self,
            id,
            folder="authorize_webhook",
            description="Checks what ASAPP's webhook presents, such as its secret",
            timeout=Duration.seconds(10),
            environment={**demands, **of_secret},
            retention=self._retention,
            options=self._options,
            key=self._key,
        )
        if secret:
            function.add_to_role_policy(
                iam.PolicyStatement(
                    actions=["secretsmanager:GetSecretValue"], resources=[value.secret_arn]
                )
            )
            if value.encryption_key:
                value.encryption_key.grant_decrypt(function)
        self._functions[id] = function
        if self._with_aliases:
            self._aliases[id] = live_alias(function)
        return self._aliases.get(id, function)

    def _send_to(self, queue: sqs.IQueue) -> apigateway.AwsIntegration:
        """API Gateway itself calls SQS: no code of ours runs between ASAPP and the queue."""
        sender = iam.Role(
            self,
            "SendToQueue",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            description="API Gateway puts the webhook's messages into the queue",
        )
        grant_send(queue, sender)
        stored = apigateway.IntegrationResponse(
            status_code="200", response_templates={"application/json": "{}"}
        )
        failed = [
            apigateway.IntegrationResponse(
                status_code=status,
                selection_pattern=pattern,
                response_templates={"application/json": '{"message": "not stored"}'},
            )
            for status, pattern in (("400", r"4\d{2}"), ("500", r"5\d{2}"))
        ]
        return apigateway.AwsIntegration(
            service="sqs",
            region=queue.env.region,
            path=f"{queue.env.account}/{queue.queue_name}",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=sender,
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                request_parameters={
                    "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
                },
                request_templates=dict.fromkeys(_CONTENT_TYPES, _SEND_MESSAGE),
                integration_responses=[stored, *failed],
            ),
        )

    def _accept_findings_of(
        self,
        method: apigateway.Method,
        way: WebhookAuth,
        authorizer: apigateway.IAuthorizer | None,
    ) -> None:
        accepted = {}
        if not isinstance(way, ClientCredentials):
            accepted["AwsSolutions-COG4"] = "ASAPP proves who it is in another way than by Cognito."
        if authorizer is None:
            accepted["AwsSolutions-APIG4"] = (
                "The domain asks for a client certificate, and the API has no other name."
            )
        for rule, reason in accepted.items():
            Validations.of(method).acknowledge(Acknowledgment(id=rule, reason=reason))

    def _accept_findings(self, manages: bool) -> None:
        accepted: list[tuple[Construct, str, str]] = [
            (
                cast(Construct, self.rest_api.node.default_child),
                "AwsSolutions-APIG2",
                "A refused message is lost, because ASAPP does not repeat it. The consumer of the "
                "queue checks each message, and keeps what it refuses.",
            ),
        ]
        if manages:
            role = self.rest_api.node.find_child("CloudWatchRole")
            rule = f"AwsSolutions-IAM4[Policy::{_LOG_POLICY}]"
            accepted.append(
                (role, rule, "API Gateway asks for this managed policy of AWS's by name.")  # type: ignore[arg-type]
            )
        for construct, rule, reason in accepted:
            Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def _is_in_query(way: WebhookAuth) -> bool:
    secret = way.secret if isinstance(way, ClientCertificate) else way
    return isinstance(secret, SharedSecret) and secret.secret_in == "query"


def _source_of(way: SharedSecret) -> str:
    source = apigateway.IdentitySource
    return (source.header if way.secret_in == "header" else source.query_string)(way.secret_name)


def _token_demands(way: IssuedTokens) -> dict[str, str]:
    demands = {
        "TOKEN_HEADER": way.header,
        "TOKEN_ISSUER": way.issuer,
        "TOKEN_KEYS_URL": way.keys_url,
        "TOKEN_AUDIENCE": way.audience,
        "TOKEN_SCOPE": way.scope,
        "TOKEN_CLIENT_ID": way.client_id,
    }
    return {name: value for name, value in demands.items() if value}


def _only_from(cidrs: Sequence[str]) -> iam.PolicyDocument:
    anyone, everything = iam.AnyPrincipal(), ["execute-api:/*"]
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                actions=["execute-api:Invoke"], principals=[anyone], resources=everything
            ),
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["execute-api:Invoke"],
                principals=[anyone],
                resources=everything,
                conditions={"NotIpAddress": {"aws:SourceIp": list(cidrs)}},
            ),
        ]
    )
