"""The API by which other systems read a transcript, and hold one: authorized by IAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigateway as apigateway
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
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_autotranscribe.transcripts._domain import lacks_domain, url_of
from connect_settings._rules import BASE_PATH

_REQUESTS_A_SECOND = 20
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "httpMethod": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "sourceIp": "$context.identity.sourceIp",
    "responseLatencyMs": "$context.responseLatency",
    "integrationStatus": "$context.integration.status",
    "error": "$context.error.responseType",
}
"""It has the conversation, but not the caller: the name of a session may be a person's name. That
is in the record, if there is one."""


class TranscriptApi(Construct):
    """``GET /conversations/{conversationId}/transcript``: all utterances of a call, in order.

    The answer is JSON, or plain text with ``Accept: text/plain`` or ``?format=text``. The caller
    signs the request (AWS Signature Version 4, service ``execute-api``) and needs the permission
    ``execute-api:Invoke``, which :meth:`grant_read` gives.

    ``PUT /conversations/{conversationId}/hold`` keeps a call from expiring and from being erased,
    and ``DELETE`` lifts that (``make hold``); :meth:`grant_hold` gives the permission. The table
    says who has done it and when. Every six hours each hold is applied again, because items that
    were written meanwhile would expire.

    API Gateway must already be able to write logs in this account and region. If it cannot, use
    ``TranscriptWebhook`` with ``api_gateway_log_role="manage"``.

    :param table: The table of :class:`TranscriptStore`.
    :param domain: A domain name of API Gateway for the API; API Gateway's own name is then
        disabled. Default: API Gateway's own name.
    :param base_path: The path of the domain under which the API is. Default: the whole domain.
    :param record_retention: How long it is recorded which identity of IAM has read which
        conversation. The record is the function's log, kept apart from other logs; a session's name
        in it may be a person's. Default: it is not recorded.
    :param key: Encrypts the logs that are made here. Default: AWS's own key.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        api = TranscriptApi(self, "TranscriptApi", table=store.table)
        api.grant_read(summarise)
    """

    record: logs.ILogGroup | None
    """Who has read which conversation; None without ``record_retention``."""
    rest_api: apigateway.RestApi
    access_log: logs.ILogGroup
    url: str
    """It has the placeholder ``{conversationId}``, which the caller replaces."""
    read_transcript: lambda_.Function
    hold_conversation: lambda_.Function
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        domain: apigateway.IDomainName | None = None,
        base_path: str | None = None,
        record_retention: Duration | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                "base_path": Argument(value=base_path, rule=BASE_PATH, optional=True),
                "record_retention": Argument(
                    value=record_retention, rule="audit.record_days", optional=True
                ),
            },
            lacks_domain(domain, base_path),
        )
        recorded, self.record = retention, None
        environment = {"TRANSCRIPT_TABLE": table.table_name}
        if record_retention:
            kept = Retention(logs=record_retention, removal_policy=retention.removal_policy)
            self.record = log_group_of(self, "Record", kept, key)
            recorded = Retention(log_group=self.record, removal_policy=retention.removal_policy)
            environment["RECORD_READERS"] = "true"
        self.read_transcript = Function(
            self,
            "ReadTranscript",
            folder="read_transcript",
            description="Returns the transcript of a call, in order",
            timeout=Duration.seconds(28),  # API Gateway waits for 29
            environment=environment,
            retention=recorded,
            options=function_options,
            key=key,
        )
        grant_on_items(table, self.read_transcript, "dynamodb:Query")
        self.access_log = log_group_of(self, "AccessLog", retention, key)
        self.rest_api = RestApi(
            self,
            description="Other systems read transcripts here",
            requests_a_second=_REQUESTS_A_SECOND,
            access_log=self.access_log,
            logged=_ACCESS_LOG,
            without_web_acl="IAM and the throttle guard its methods; a web ACL is the account's to "
            "add.",
            disable_execute_api_endpoint=True if domain else None,
        )
        conversation = self.rest_api.root.add_resource("conversations").add_resource(
            "{conversationId}"
        )
        validator = self.rest_api.add_request_validator(
            "Parameters", validate_request_body=True, validate_request_parameters=True
        )
        self._get = conversation.add_resource("transcript").add_method(
            "GET",
            apigateway.LambdaIntegration(self.read_transcript, allow_test_invoke=False),
            authorization_type=apigateway.AuthorizationType.IAM,
            request_parameters={
                "method.request.path.conversationId": True,
                "method.request.querystring.format": False,
            },
            request_validator=validator,
        )
        path = "conversations/{conversationId}/transcript"
        self.url = url_of(self, self.rest_api, path, domain, base_path)
        self.hold_conversation = Function(
            self,
            "HoldConversation",
            folder="hold_conversation",
            description="Keeps a call from being deleted, until that is lifted",
            timeout=Duration.minutes(15),  # all holds; API Gateway waits for 29 seconds
            environment={"TRANSCRIPT_TABLE": table.table_name},
            retention=retention,
            options=function_options,
            key=key,
        )
        grant_on_items(
            table,
            self.hold_conversation,
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        )
        self._hold = self._holding(conversation.add_resource("hold"), validator)
        self._accept_findings()
        self.functions = {
            "ReadTranscript": self.read_transcript,
            "HoldConversation": self.hold_conversation,
        }
        self.dead_letter_queues = {}

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant reading every transcript."""
        return self._get.grant_execute(grantee)

    def grant_hold(self, grantee: iam.IGrantable) -> None:
        """Grant holding every conversation, and lifting every hold; not reading."""
        for method in self._hold:
            method.grant_execute(grantee)

    def _holding(
        self, hold: apigateway.Resource, validator: apigateway.RequestValidator
    ) -> list[apigateway.Method]:
        # A rule needs no role and no queue; a pass that failed is made up for by the next one.
        events.Rule(
            self,
            "EverySixHours",
            description="Sees to each hold again",
            schedule=events.Schedule.rate(Duration.hours(6)),
            targets=[targets.LambdaFunction(self.hold_conversation)],
        )
        integration = apigateway.LambdaIntegration(self.hold_conversation, allow_test_invoke=False)
        return [
            hold.add_method(
                method,
                integration,
                authorization_type=apigateway.AuthorizationType.IAM,
                request_parameters={"method.request.path.conversationId": True},
                request_validator=validator,
            )
            for method in ("PUT", "DELETE")
        ]

    def _accept_findings(self) -> None:
        reason = "Who asks is a system or a role of the account: IAM knows them, Cognito does not."
        for method in (self._get, *self._hold):
            Validations.of(cast(Construct, method.node.default_child)).acknowledge(
                Acknowledgment(id="AwsSolutions-COG4", reason=reason)
            )
