"""The endpoint to which ASAPP posts every utterance, in real time and once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from aws_cdk import Acknowledgment, Duration, Names, RemovalPolicy, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._functions import Function, log_group_for_days
from connect_autotranscribe.transcript_store import dead_letter_queue

_CONSUMER_TIMEOUT = Duration.seconds(20)
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
"""Neither the query string, where the secret may be, nor the body."""
_LOG_POLICY = (
    "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
)
"""As cdk-nag writes it."""


class TranscriptWebhook(Construct):
    """A REST API whose one POST goes straight into a queue, and the consumer that stores it.

    ASAPP never repeats a POST, so nothing that can break stands before the queue: API Gateway
    itself sends the body to SQS. What can never be stored ends in ``dead_letters`` with its reason;
    what may succeed later is tried again.

    :param table: The table of :class:`TranscriptStore`.
    :param secret_in: Whether ASAPP sends the secret in a ``header`` (the default) or in the
        ``query`` string.
    :param secret_name: What the header or parameter is called. Default: ``x-webhook-secret``.
    :param throttle_rate_per_second: Requests a second that are let through. Default: 100; ASAPP
        reckons with about 8 for 50 calls at a time.
    :param throttle_burst: Requests that are let through at once. Default: 200.
    :param allowed_cidrs: The networks that may call. Default: all; the secret decides.
    :param api_gateway_log_role: ``adopt`` (the default): this account and region already let API
        Gateway write logs. ``manage``: the stack sets that account-wide role, and leaves it.
    :param transcript_retention_days: Days until an utterance leaves the table. Default: 30.
    :param log_retention_days: Days until a log line goes. Default: 30.
    :param removal_policy: What becomes of the secret, the queues and the logs. Default: they stay.

    .. code-block:: python

        webhook = TranscriptWebhook(self, "TranscriptWebhook", table=store.table)
    """

    api: apigateway.RestApi
    url: str
    """Where ASAPP posts."""
    secret: secretsmanager.Secret
    """What ASAPP must present; made in the account and never in a template. To rotate it, put a new
    version, give it to ASAPP, and put the next one only when ASAPP uses it."""
    queue: sqs.Queue
    dead_letters: sqs.Queue
    authorize_webhook: lambda_.Function
    store_transcript: lambda_.Function

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        secret_in: Literal["header", "query"] = "header",
        secret_name: str = "x-webhook-secret",
        throttle_rate_per_second: int = 100,
        throttle_burst: int = 200,
        allowed_cidrs: Sequence[str] = (),
        api_gateway_log_role: Literal["adopt", "manage"] = "adopt",
        transcript_retention_days: int = 30,
        log_retention_days: int = 30,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        self._log_retention_days = log_retention_days
        self._removal_policy = removal_policy
        self.dead_letters = dead_letter_queue(self, "DeadLetters", removal_policy=removal_policy)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # Lambda asks for six times the consumer's timeout, so that no delivery overlaps a try.
            visibility_timeout=Duration.seconds(6 * _CONSUMER_TIMEOUT.to_seconds()),
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=10),
            removal_policy=removal_policy,
        )
        self.store_transcript = self._consumer(table, transcript_retention_days)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="What ASAPP presents at the transcript webhook; give ASAPP its value",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=removal_policy,
        )
        Validations.of(self.secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="ASAPP must be told each new value by a person; docs say how to rotate it.",
            )
        )
        self.authorize_webhook = self._authorizer_function(secret_in, secret_name)
        self.api = self._rest_api(
            throttle_rate_per_second, throttle_burst, allowed_cidrs, api_gateway_log_role
        )
        self._post(secret_in, secret_name)
        self.url = self.api.url_for_path("/transcripts")

    def _function(
        self, id: str, folder: str, description: str, timeout: Duration, environment: dict[str, str]
    ) -> Function:
        return Function(
            self,
            id,
            folder=folder,
            description=description,
            timeout=timeout,
            environment=environment,
            log_retention_days=self._log_retention_days,
            removal_policy=self._removal_policy,
        )

    def _consumer(self, table: dynamodb.ITable, transcript_retention_days: int) -> Function:
        function = self._function(
            "StoreTranscript",
            "store_transcript",
            "Stores the webhook's utterances in the table",
            _CONSUMER_TIMEOUT,
            {
                "TRANSCRIPT_TABLE": table.table_name,
                "TRANSCRIPT_RETENTION_DAYS": str(transcript_retention_days),
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue_url,
            },
        )
        table.grant(function, "dynamodb:BatchWriteItem")
        self.dead_letters.grant(function, "sqs:SendMessage")
        function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=100,
                # Batches over 10 need a window: a second of delay for a tenth of the table's calls.
                max_batching_window=Duration.seconds(1),
                report_batch_item_failures=True,
            )
        )
        return function

    def _authorizer_function(self, secret_in: str, secret_name: str) -> Function:
        function = self._function(
            "AuthorizeWebhook",
            "authorize_webhook",
            "Lets ASAPP's webhook in by its secret",
            Duration.seconds(10),
            {
                "WEBHOOK_SECRET": self.secret.secret_arn,
                "SECRET_IN": secret_in,
                "SECRET_NAME": secret_name,
            },
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"], resources=[self.secret.secret_arn]
            )
        )
        return function

    def _rest_api(
        self,
        throttle_rate_per_second: int,
        throttle_burst: int,
        allowed_cidrs: Sequence[str],
        api_gateway_log_role: Literal["adopt", "manage"],
    ) -> apigateway.RestApi:
        access_log = log_group_for_days(
            self,
            "AccessLog",
            days=self._log_retention_days,
            removal_policy=self._removal_policy,
        )
        manages = api_gateway_log_role == "manage"
        api = apigateway.RestApi(
            self,
            "Api",
            # CloudWatch counts requests by this name: two of one name would share their alarms.
            rest_api_name=Names.unique_resource_name(self, max_length=128, separator="-"),
            description="ASAPP posts each utterance here",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            policy=_only_from(allowed_cidrs) if allowed_cidrs else None,
            cloud_watch_role=manages,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if manages else None,
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=throttle_rate_per_second,
                throttling_burst_limit=throttle_burst,
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
        )
        api.node.try_remove_child("Endpoint")  # an output of the bare API; ASAPP needs `url`
        reasons = {
            "AwsSolutions-APIG3": "The secret, the throttle and the allowed networks guard its one "
            "method; a web ACL is the account's to add.",
            "AwsSolutions-APIG6": "Execution logs would hold what callers say; the access log names"
            " each request without its query string and body.",
        }
        for rule, reason in reasons.items():
            acknowledgment = Acknowledgment(id=rule, reason=reason)
            Validations.of(api.deployment_stage).acknowledge(acknowledgment)
        if manages:
            Validations.of(api.node.find_child("CloudWatchRole")).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM4[Policy::{_LOG_POLICY}]",
                    reason="API Gateway asks for this managed policy of AWS's by name.",
                )
            )
        return api

    def _post(self, secret_in: str, secret_name: str) -> None:
        """The one method: checked, then sent to the queue by API Gateway itself."""
        sender = iam.Role(
            self,
            "SendToQueue",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            description="API Gateway puts the webhook's messages into the queue",
        )
        self.queue.grant(sender, "sqs:SendMessage")
        identity = (
            apigateway.IdentitySource.header(secret_name)
            if secret_in == "header"
            else apigateway.IdentitySource.query_string(secret_name)
        )
        integration = apigateway.AwsIntegration(
            service="sqs",
            path=f"{Stack.of(self).account}/{self.queue.queue_name}",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=sender,
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                request_parameters={
                    "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
                },
                request_templates={"application/json": _SEND_MESSAGE},
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code="200", response_templates={"application/json": "{}"}
                    ),
                    *(
                        apigateway.IntegrationResponse(
                            status_code=status,
                            selection_pattern=pattern,
                            response_templates={"application/json": '{"message": "not stored"}'},
                        )
                        for status, pattern in (("400", r"4\d{2}"), ("500", r"5\d{2}"))
                    ),
                ],
            ),
        )
        method = self.api.root.add_resource("transcripts").add_method(
            "POST",
            integration,
            authorizer=apigateway.RequestAuthorizer(
                self,
                "Authorizer",
                handler=self.authorize_webhook,
                identity_sources=[identity],
                results_cache_ttl=Duration.minutes(5),
            ),
            request_validator=self.api.add_request_validator(
                "Body", validate_request_body=True, validate_request_parameters=True
            ),
            request_models={"application/json": self._model()},
            method_responses=[
                apigateway.MethodResponse(status_code=status) for status in ("200", "400", "500")
            ],
        )
        Validations.of(method).acknowledge(
            Acknowledgment(
                id="AwsSolutions-COG4",
                reason="ASAPP presents a secret, which the request authorizer compares.",
            )
        )

    def _model(self) -> apigateway.Model:
        """Refuses only what nobody could use: a refused message is lost, so all else is let in and
        judged behind the queue."""
        return self.api.add_model(
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
