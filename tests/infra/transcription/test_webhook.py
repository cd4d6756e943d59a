"""The webhook: who gets in, and what stands between ASAPP and the queue."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from connect_autotranscribe import SharedSecret
from tests.infra.conftest import (
    ACCOUNT,
    NAMES,
    Assembly,
)
from tests.infra.transcription.everything import REGION, Everything, policies, service_may_assume

CONTENT_TYPES = (
    "application/json",
    "application/octet-stream",
    "application/vnd.api+json",
    "application/x-www-form-urlencoded",
    "text/html",
    "text/json",
    "text/plain",
)


def test_the_api_has_one_method_post_transcripts(smallest: Everything) -> None:
    resource = smallest.of_webhook("AWS::ApiGateway::Resource")["Properties"]
    api = smallest.identifier(smallest.webhook.apis[0].rest_api)
    assert resource == {
        "PathPart": "transcripts",
        "ParentId": {"Fn::GetAtt": [api, "RootResourceId"]},
        "RestApiId": {"Ref": api},
    }
    method = smallest.method()
    assert (method["HttpMethod"], method["RestApiId"]) == ("POST", {"Ref": api})
    resources = smallest.template["Resources"]
    assert resources[method["ResourceId"]["Ref"]]["Properties"] == resource
    assert not smallest.all("AWS::ApiGateway::DomainName")


def test_nobody_gets_past_the_authorizer(smallest: Everything) -> None:
    method = smallest.method()
    assert method["AuthorizationType"] == "CUSTOM"
    authorizer = smallest.template["Resources"][method["AuthorizerId"]["Ref"]]
    assert authorizer == smallest.one("AWS::ApiGateway::Authorizer")
    uri = str(authorizer["Properties"]["AuthorizerUri"])
    assert smallest.identifier(smallest.webhook.functions["AuthorizeWebhook"]) in uri


@pytest.mark.parametrize(
    ("stack", "source"),
    [
        ("smallest", "method.request.header.x-webhook-secret"),
        ("other", "method.request.querystring.token"),
    ],
)
def test_its_answer_is_kept_for_five_minutes_by_the_secret_in_its_place(
    stack: str, source: str, request: pytest.FixtureRequest
) -> None:
    deployed: Everything = request.getfixturevalue(stack)
    authorizer = deployed.one("AWS::ApiGateway::Authorizer")["Properties"]
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == source
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300


def test_the_body_goes_into_the_queue_and_nothing_of_ours_stands_between(
    smallest: Everything,
) -> None:
    queue = smallest.identifier(smallest.webhook.queue)
    path = f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/"
    not_stored = {"application/json": '{"message": "not stored"}'}
    assert smallest.method()["Integration"] == {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Join": ["", [path, {"Fn::GetAtt": [queue, "QueueName"]}]]},
        "Credentials": smallest.arn(smallest.sender()),
        "PassthroughBehavior": "NEVER",
        "RequestParameters": {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        },
        "RequestTemplates": dict.fromkeys(
            CONTENT_TYPES, "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        ),
        "IntegrationResponses": [
            {"StatusCode": "200", "ResponseTemplates": {"application/json": "{}"}},
            {
                "StatusCode": "400",
                "SelectionPattern": r"4\d{2}",
                "ResponseTemplates": not_stored,
            },
            {
                "StatusCode": "500",
                "SelectionPattern": r"5\d{2}",
                "ResponseTemplates": not_stored,
            },
        ],
    }
    statuses = [each["StatusCode"] for each in smallest.method()["MethodResponses"]]
    assert statuses == ["200", "400", "500"]


def test_no_body_is_judged_before_the_queue(smallest: Everything) -> None:
    """A refused one is lost. The consumer keeps what it cannot store, with the reason."""
    method = smallest.method()
    assert "RequestValidatorId" not in method
    assert "RequestModels" not in method
    assert "RequestParameters" not in method


def test_a_compressed_body_is_unpacked_and_no_answer_is_packed(smallest: Everything) -> None:
    """The least size that is packed is API Gateway's most; setting one turns unpacking on."""
    api = smallest.properties(smallest.webhook.apis[0].rest_api)
    assert api["MinimumCompressionSize"] == 10_485_760


@pytest.mark.parametrize(
    ("stack", "rate", "burst"), [("smallest", 1_000, 2_000), ("other", 50, 75)]
)
def test_the_stage_is_throttled_and_writes_no_execution_log(
    stack: str, rate: int, burst: int, request: pytest.FixtureRequest
) -> None:
    """An execution log would hold what callers say; without a level there is none."""
    stage = request.getfixturevalue(stack).of_webhook("AWS::ApiGateway::Stage")["Properties"]
    assert stage["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "DataTraceEnabled": False,
            "MetricsEnabled": True,
            "ThrottlingRateLimit": rate,
            "ThrottlingBurstLimit": burst,
        }
    ]
    # A trace names the URL: with the secret in the query string it would hold the secret.
    assert stage["TracingEnabled"] == (stack == "smallest")
    assert "Variables" not in stage
    assert "CacheClusterEnabled" not in stage


def test_the_access_log_names_a_request_without_what_it_carries(smallest: Everything) -> None:
    """Neither the query string or a header, where the secret may be, nor the body."""
    setting = smallest.of_webhook("AWS::ApiGateway::Stage")["Properties"]["AccessLogSetting"]
    assert json.loads(setting["Format"]) == {
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


def test_the_api_answers_everyone_where_no_network_is_named(smallest: Everything) -> None:
    api = smallest.properties(smallest.webhook.apis[0].rest_api)
    assert "Policy" not in api
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_api_answers_only_the_networks_that_are_named(other: Everything) -> None:
    invoke = {
        "Action": "execute-api:Invoke",
        "Principal": {"AWS": "*"},
        "Resource": "execute-api:/*",
    }
    cidrs = ["203.0.113.0/24", "198.51.100.7/32"]
    outside = {"NotIpAddress": {"aws:SourceIp": cidrs}}
    assert other.properties(other.webhook.apis[0].rest_api)["Policy"] == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", **invoke},
            {"Effect": "Deny", **invoke, "Condition": outside},
        ],
    }


def test_no_two_environments_share_the_metrics_of_their_apis(
    assembly_of: Callable[[str], Assembly],
) -> None:
    """CloudWatch knows an API by its name, which need not be unique."""
    names = [
        each["Properties"]["Name"]
        for name in NAMES
        for each in assembly_of(name).resources
        if each["Type"] == "AWS::ApiGateway::RestApi"
    ]
    assert len(set(names)) == 2 * len(NAMES)


def test_the_account_wide_log_role_is_left_alone_by_default(smallest: Everything) -> None:
    assert not smallest.all("AWS::ApiGateway::Account")


def test_the_account_wide_log_role_is_made_on_request_and_stays(other: Everything) -> None:
    """Even if the first deployment fails: API Gateway keeps the role in the account's setting."""
    account = other.one("AWS::ApiGateway::Account")
    assert policies(account) == ("Retain", "Retain")
    (role_id, attribute) = account["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"]
    role = other.template["Resources"][role_id]
    assert attribute == "Arn"
    assert policies(role) == ("Retain", "Retain")
    (account_id,) = (k for k, v in other.template["Resources"].items() if v == account)
    for stage in other.all("AWS::ApiGateway::Stage"):
        assert account_id in stage["DependsOn"]
    policy = ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    assert role["Properties"] == {
        "AssumeRolePolicyDocument": service_may_assume("apigateway"),
        "ManagedPolicyArns": [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, policy]]}],
    }


def test_asapp_is_told_the_url_and_where_the_secret_is_and_readers_theirs(
    smallest: Everything,
) -> None:
    outputs = {key: each["Value"] for key, each in smallest.template["Outputs"].items()}
    told = {
        "WebhookUrl": smallest.value(smallest.webhook.urls[SharedSecret]),
        "WebhookSecretArn": smallest.ref(smallest.secret),
        "TranscriptUrl": smallest.value(smallest.made.transcript_api.url),
        "ReconcileFunction": smallest.ref(
            smallest.made.transcript_reconciliation.reconcile_transcript
        ),
    }
    assert {name: outputs[name] for name in told} == told
    assert str(outputs["WebhookUrl"]).endswith("'/transcripts']]}")
