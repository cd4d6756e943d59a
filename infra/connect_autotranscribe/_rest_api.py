"""A REST API of ours: regional, one stage, a line in a log for each request, modern TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from aws_cdk import Acknowledgment, Names, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

SECURITY_POLICIES = {
    "1.2": apigateway.SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09,
    "1.3": apigateway.SecurityPolicy.TLS13_1_3_2025_09,
}
"""By the oldest version of TLS."""
WITH_CLIENT_CERTIFICATES = apigateway.SecurityPolicy.TLS_1_2
"""The only policy with which API Gateway asks for client certificates. The domain and the API have
it, because API Gateway uses the API's policy at the domain, too. See
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html"""


class RestApi(apigateway.RestApi):
    """
    :param description: What it is for.
    :param requests_a_second: More are refused with 429.
    :param burst: How many may come at once. Default: twice as many.
    :param access_log: The log group in which each request is a line.
    :param logged: What a line has: names, and variables of API Gateway's context.
    :param tls: The oldest version that it speaks, also at API Gateway's own name, which would take
        1.0. An address that is not the API's own is refused too.
    :param asks_for_certificates: Whether its domain asks for client certificates. Then it speaks
        1.2 and newer, whatever ``tls`` says.
    :param without_web_acl: What guards it instead of a web ACL; None if it has one.
    :param counts_each_method: Whether CloudWatch counts the requests of each method by itself, for
        $1.50 a month each. The alarms need the API's own numbers only.
    :param traced: Whether X-Ray has a trace of each request, with its URL.
    :param cloud_watch_role: Whether the account's role for API Gateway's logs is made here.
    :param others: Those of ``aws_apigateway.RestApi``.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        description: str,
        requests_a_second: int,
        burst: int | None = None,
        access_log: logs.ILogGroup,
        logged: Mapping[str, str],
        without_web_acl: str | None,
        tls: Literal["1.2", "1.3"] = "1.2",
        asks_for_certificates: bool = False,
        counts_each_method: bool = False,
        traced: bool = True,
        cloud_watch_role: bool = False,
        **others: Any,
    ) -> None:
        super().__init__(
            scope,
            "RestApi",
            # CloudWatch counts requests by this name. Two APIs of one name would share alarms.
            rest_api_name=Names.unique_resource_name(scope, max_length=128, separator="-"),
            description=description,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=cloud_watch_role,
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=requests_a_second,
                throttling_burst_limit=burst or 2 * requests_a_second,
                metrics_enabled=counts_each_method or None,
                tracing_enabled=traced,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(logged)),
            ),
            **others,
        )
        made = cast(apigateway.CfnRestApi, self.node.default_child)
        if asks_for_certificates:
            made.security_policy = WITH_CLIENT_CERTIFICATES.value
        else:
            made.security_policy = f"SecurityPolicy_{SECURITY_POLICIES[tls].value}"
            made.endpoint_access_mode = "STRICT"
        self.node.try_remove_child("Endpoint")  # an output of the bare API
        accepted = {
            "APIG6": "Execution logs would hold what callers say; the access log has each request.",
            "APIG3": without_web_acl,
        }
        for rule, reason in accepted.items():
            if reason:
                acknowledgment = Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason)
                Validations.of(self.deployment_stage).acknowledge(acknowledgment)
