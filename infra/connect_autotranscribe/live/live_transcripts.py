"""Calls while they are spoken: events for the page, and an API with which it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_cdk import Acknowledgment, Duration, Names, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments
from connect_autotranscribe._encrypted import grant_on_items
from connect_autotranscribe._functions import Function, log_group_of
from connect_autotranscribe._rest_api import RestApi
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.live._origin import origin_of
from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_autotranscribe.transcripts.transcript_store import RECONCILE_INDEX
from connect_settings._rules import PAGE
from connect_settings.shared_names import shared_names

NAMESPACE: str = shared_names("live.channels").NAMESPACE
_REQUESTS_A_SECOND = 100
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "httpMethod": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "responseLatencyMs": "$context.responseLatency",
    "error": "$context.error.responseType",
}
"""Who looked at what is in the record of the functions."""


class LiveTranscripts(Construct):
    """Each utterance and each change of a call, pushed to who may see it, and an API to read both.

    Members of the pool's group ``supervisors`` see every call. Everybody else who signs in sees the
    calls with a leg whose agent has exactly their name. It is decided at each subscription and at
    each reading; each decision is a line of ``record``, with the user's id and the call's.

    API Gateway must already be able to write logs in this account and region.

    :param table: The table of :class:`TranscriptStore`.
    :param event_bus: Its event bus.
    :param sign_in: Who may look.
    :param page_url: The address of the page. Only scripts of its origin may read.
    :param event_api: An API of AppSync Events with the channel namespace ``live``, whose one
        authorizer for connections and subscriptions is ``authorize_live``, without a cache, and
        which takes events by IAM only. Default: made here.
    :param record_retention: How long it is recorded who looked at what. Default: 365 days.
    :param key: Encrypts the logs and the record. Default: CloudWatch's own key.
    :param retention: How long logs are kept, and what happens to the record if it is removed from
        the stack. Default: logs for 30 days; the record stays.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        live = LiveTranscripts(
            self,
            "LiveTranscripts",
            table=store.table,
            event_bus=store.event_bus,
            sign_in=sign_in,
            page_url="https://live.acme.example/",
        )
    """

    event_api: appsync.IEventApi
    rest_api: apigateway.RestApi
    record: logs.ILogGroup
    """Who looked at which call, and who was refused."""
    authorize_live: lambda_.Function
    publish_live: lambda_.Function
    read_live: lambda_.Function
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        event_bus: events.IEventBus,
        sign_in: LiveSignIn,
        page_url: str,
        event_api: appsync.IEventApi | None = None,
        record_retention: Duration | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        days = record_retention or Duration.days(365)
        check_arguments(
            self,
            {
                "page_url": Argument(value=page_url, rule=PAGE),
                "record_retention": Argument(value=days, rule="live.record_days"),
            },
        )
        self._options, self._key, self._retention = function_options, key, retention
        kept = Retention(logs=days, removal_policy=retention.removal_policy)
        self.record = log_group_of(self, "Record", kept, key)
        looking = {
            "TRANSCRIPT_TABLE": table.table_name,
            "SIGN_IN_ISSUER": sign_in.issuer,
            "SIGN_IN_KEYS_URL": f"{sign_in.issuer}/.well-known/jwks.json",
            "SIGN_IN_CLIENT_ID": sign_in.client.user_pool_client_id,
        }
        recorded = Retention(log_group=self.record, removal_policy=retention.removal_policy)
        self.authorize_live = self._function(
            "AuthorizeLive",
            "authorize_live",
            "Decides who may follow which call",
            looking,
            recorded,
            Duration.seconds(5),
        )
        grant_on_items(table, self.authorize_live, "dynamodb:GetItem")
        self._origin = origin_of(page_url)
        self.read_live = self._function(
            "ReadLive",
            "read_live",
            "Returns running calls, and one call to who may see it",
            looking | {"PAGE_ORIGIN": self._origin},
            recorded,
            Duration.seconds(28),  # API Gateway waits for 29
        )
        grant_on_items(table, self.read_live, "dynamodb:BatchGetItem", "dynamodb:Query")
        self.read_live.add_to_role_policy(
            iam.PolicyStatement(
                actions=["dynamodb:Query"],
                resources=[f"{table.table_arn}/index/{RECONCILE_INDEX}"],
            )
        )
        self.event_api = event_api or self._event_api()
        if event_api:
            self.authorize_live.add_permission(
                "AppSync",
                principal=iam.ServicePrincipal("appsync.amazonaws.com"),
                source_arn=event_api.api_arn,
            )
        self.publish_live = self._function(
            "PublishLive",
            "publish_live",
            "Puts each utterance and each change of a call on its channel",
            {"EVENTS_HOST": self.event_api.http_dns},
            retention,
            Duration.seconds(10),
        )
        self.publish_live.add_to_role_policy(
            iam.PolicyStatement(
                actions=["appsync:EventPublish"],
                resources=[f"{self.event_api.api_arn}/channelNamespace/{NAMESPACE}"],
            )
        )
        events.Rule(
            self,
            "Changes",
            event_bus=event_bus,
            description="Utterances and changes of calls, for the live page",
            event_pattern=events.EventPattern(
                source=["connect-autotranscribe"],
                detail_type=["Utterance", "Conversation", "ConversationErased"],
            ),
            targets=[
                targets.LambdaFunction(
                    self.publish_live, max_event_age=Duration.minutes(1), retry_attempts=2
                )
            ],
        )
        # What comes late is of no use: the page has read it by then.
        self.publish_live.configure_async_invoke(
            max_event_age=Duration.minutes(1), retry_attempts=2
        )
        self.access_log = log_group_of(self, "AccessLog", retention, key)
        self.rest_api = self._rest_api(sign_in)
        self._accept_findings()
        self.functions = {
            "AuthorizeLive": self.authorize_live,
            "PublishLive": self.publish_live,
            "ReadLive": self.read_live,
        }
        self.dead_letter_queues = {}

    @property
    def url(self) -> str:
        """Of the API with which the page reads, without a slash at its end."""
        stack = Stack.of(self)
        host = f"{self.rest_api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        return f"https://{host}/{self.rest_api.deployment_stage.stage_name}"

    def metric_live_events_dropped(self, **options: Any) -> cloudwatch.Metric:
        """Events that were given up after a minute: pages show them at their next reading."""
        options = {"statistic": cloudwatch.Stats.SUM, **options}
        return self.publish_live.metric("AsyncEventsDropped", **options)

    def metric_live_events_failed(self, **options: Any) -> cloudwatch.Metric:
        """Requests to AppSync Events that it has answered with 5xx."""
        options = {"statistic": cloudwatch.Stats.SUM, **options}
        return cloudwatch.Metric(
            namespace="AWS/AppSync",
            metric_name="5XXError",
            dimensions_map={"EventAPIId": self.event_api.api_id},
            **options,
        )

    def metric_live_reads_failed(self, **options: Any) -> cloudwatch.Metric:
        """Requests of pages to the read API that it has answered with 5xx."""
        return self.rest_api.metric_server_error(**options)

    @property
    def realtime_url(self) -> str:
        return f"wss://{self.event_api.realtime_dns}/event/realtime"

    def _function(
        self,
        id: str,
        folder: str,
        description: str,
        environment: Mapping[str, str],
        retention: Retention,
        timeout: Duration,
    ) -> Function:
        return Function(
            self,
            id,
            folder=folder,
            description=description,
            timeout=timeout,
            environment=environment,
            retention=retention,
            options=self._options,
            key=self._key,
        )

    def _event_api(self) -> appsync.EventApi:
        kind = appsync.AppSyncAuthorizationType
        api = appsync.EventApi(
            self,
            "EventApi",
            api_name=Names.unique_resource_name(self, max_length=50, separator="-"),
            authorization_config=appsync.EventApiAuthConfig(
                auth_providers=[
                    appsync.AppSyncAuthProvider(
                        authorization_type=kind.LAMBDA,
                        lambda_authorizer_config=appsync.AppSyncLambdaAuthorizerConfig(
                            handler=self.authorize_live,
                            # An answer is good for one channel only.
                            results_cache_ttl=Duration.seconds(0),
                        ),
                    ),
                    appsync.AppSyncAuthProvider(authorization_type=kind.IAM),
                ],
                connection_auth_mode_types=[kind.LAMBDA],
                default_publish_auth_mode_types=[kind.IAM],
                default_subscribe_auth_mode_types=[kind.LAMBDA],
            ),
        )
        api.add_channel_namespace("Live", channel_namespace_name=NAMESPACE)
        return api

    def _rest_api(self, sign_in: LiveSignIn) -> apigateway.RestApi:
        api = RestApi(
            self,
            description="The live page reads calls here",
            requests_a_second=_REQUESTS_A_SECOND,
            access_log=self.access_log,
            logged=_ACCESS_LOG,
            without_web_acl="A sign-in and the throttle guard its methods; a web ACL is the "
            "account's to add.",
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=[self._origin],
                allow_methods=["GET"],
                allow_headers=["Authorization"],
                max_age=Duration.hours(1),
            ),
        )
        for name, kind in (
            ("Refused", apigateway.ResponseType.DEFAULT_4_XX),
            ("Failed", apigateway.ResponseType.DEFAULT_5_XX),
        ):
            # Or the page's script would not see the status.
            origin = {"Access-Control-Allow-Origin": f"'{self._origin}'"}
            api.add_gateway_response(name, type=kind, response_headers=origin)
        authorizer = apigateway.CognitoUserPoolsAuthorizer(
            self,
            "SignedIn",
            cognito_user_pools=[sign_in.user_pool],
            results_cache_ttl=Duration.seconds(0),
        )
        integration = apigateway.LambdaIntegration(self.read_live, allow_test_invoke=False)
        validator = api.add_request_validator(
            "Parameters", validate_request_body=True, validate_request_parameters=True
        )
        conversation = api.root.add_resource("conversations").add_resource("{conversationId}")
        parameters = {
            "method.request.path.conversationId": True,
            "method.request.querystring.after": False,
        }
        for resource, given in ((api.root.add_resource("calls"), None), (conversation, parameters)):
            resource.add_method(
                "GET",
                integration,
                authorization_type=apigateway.AuthorizationType.COGNITO,
                authorizer=authorizer,
                request_parameters=given,
                request_validator=validator,
            )
        return api

    def _accept_findings(self) -> None:
        reason = "A browser asks it before each request, without a token; it tells nothing."
        for method in self.rest_api.methods:
            if method.http_method == "OPTIONS":
                made = Validations.of(cast(Construct, method.node.default_child))
                for rule in ("APIG4", "COG4"):
                    made.acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
