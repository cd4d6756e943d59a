"""The webhook's REST API: one POST, authorized by a secret; API Gateway sends it to the queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from aws_cdk import Acknowledgment, Duration, Names, RemovalPolicy, Validations
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
from connect_autotranscribe.function_options import FunctionOptions
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.transcripts._domain import url_of

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
_LOG_POLICY = (
    "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
)
"""As cdk-nag writes it."""


class WebhookApi(Construct):
    """The endpoint of :class:`TranscriptWebhook`, which documents the parameters.

    :param queue: The queue to which API Gateway sends each body, as it came.
    :param secret: The secret that the caller must present, in its current or previous version.
    :param key: Encrypts the logs.
    """

    rest_api: apigateway.RestApi
    url: str
    authorize_webhook: lambda_.Function
    authorizer_alias: lambda_.Alias | None
    """What API Gateway invokes with ``with_aliases``."""
    access_log: logs.ILogGroup

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        queue: sqs.IQueue,
        secret: secretsmanager.ISecret,
        secret_in: Literal["header", "query"],
        secret_name: str,
        throttle_rate_per_second: int,
        throttle_burst: int,
        allowed_cidrs: Sequence[str],
        api_gateway_log_role: Literal["adopt", "manage"],
        domain: apigateway.IDomainName | None,
        base_path: str | None,
        retention: Retention,
        function_options: FunctionOptions,
        key: kms.IKey | None,
        with_aliases: bool,
    ) -> None:
        super().__init__(scope, id)
        self.authorize_webhook = Function(
            self,
            "AuthorizeWebhook",
            folder="authorize_webhook",
            description="Checks what ASAPP's webhook presents, such as its secret",
            timeout=Duration.seconds(10),
            environment={
                "WEBHOOK_SECRET": secret.secret_arn,
                "SECRET_IN": secret_in,
                "SECRET_NAME": secret_name,
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        self.authorize_webhook.add_to_role_policy(
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn]
            )
        )
        if secret.encryption_key:
            secret.encryption_key.grant_decrypt(self.authorize_webhook)
        self.authorizer_alias = live_alias(self.authorize_webhook) if with_aliases else None
        self.access_log = log_group_of(self, "AccessLog", retention, key)
        manages = api_gateway_log_role == "manage"
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            # CloudWatch counts requests by this name. Two APIs of one name would share alarms.
            rest_api_name=Names.unique_resource_name(self, max_length=128, separator="-"),
            description="ASAPP posts each utterance here",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            policy=_only_from(allowed_cidrs) if allowed_cidrs else None,
            # A domain may ask for a client certificate. API Gateway's own name would bypass it.
            disable_execute_api_endpoint=True if domain else None,
            cloud_watch_role=manages,
            # Even if the first deployment fails: the account's setting still names the role.
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if manages else None,
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=throttle_rate_per_second,
                throttling_burst_limit=throttle_burst,
                metrics_enabled=True,
                # A trace names the URL, and with it a secret in the query string.
                tracing_enabled=secret_in == "header",
                access_log_destination=apigateway.LogGroupLogDestination(self.access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
        )
        self.rest_api.node.try_remove_child("Endpoint")  # an output of the bare API
        by_header = secret_in == "header"
        source = apigateway.IdentitySource
        identity = (source.header if by_header else source.query_string)(secret_name)
        method = self.rest_api.root.add_resource("transcripts").add_method(
            "POST",
            self._into(queue),
            authorizer=apigateway.RequestAuthorizer(
                self,
                "Authorizer",
                handler=self.authorizer_alias or self.authorize_webhook,
                identity_sources=[identity],
                results_cache_ttl=Duration.minutes(5),
            ),
            request_validator=self.rest_api.add_request_validator(
                "Body", validate_request_body=True, validate_request_parameters=True
            ),
            request_models={"application/json": self._model()},
            method_responses=[
                apigateway.MethodResponse(status_code=status) for status in ("200", "400", "500")
            ],
        )
        self.url = url_of(self, self.rest_api, "transcripts", domain, base_path)
        self._accept_findings(method, manages)

    def _into(self, queue: sqs.IQueue) -> apigateway.AwsIntegration:
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
                request_templates={"application/json": _SEND_MESSAGE},
                integration_responses=[stored, *failed],
            ),
        )

    def _model(self) -> apigateway.Model:
        """Refuses only a message that is certainly useless, because a refused message is lost. The
        consumer of the queue checks the rest."""
        return self.rest_api.add_model(
            "Message",
            content_type="application/json",
            schema=apigateway.JsonSchema(
                schema=apigateway.JsonSchemaVersion.DRAFT4,
                title="WebhookMessage",
                type=apigateway.JsonSchemaType.OBJECT,
                required=["type"],
                properties={"type": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
            ),
        )

    def _accept_findings(self, method: apigateway.Method, manages: bool) -> None:
        stage = self.rest_api.deployment_stage
        accepted: list[tuple[Construct, str, str]] = [
            (
                stage,
                "AwsSolutions-APIG3",
                "The secret, the throttle and the allowed networks guard its one method; a web ACL "
                "is the account's to add.",
            ),
            (
                stage,
                "AwsSolutions-APIG6",
                "Execution logs would hold what callers say; the access log names each request "
                "without its query string and body.",
            ),
            (
                method,
                "AwsSolutions-COG4",
                "ASAPP presents a secret, which the request authorizer compares.",
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
