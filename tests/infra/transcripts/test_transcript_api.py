"""The door to a transcript: who gets in, and what is noted of it."""

from __future__ import annotations

import json

import pytest
from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

from connect_autotranscribe.transcripts.transcript_api import TranscriptApi
from tests.infra.conftest import ACCOUNT, Deployed, Json, Transcription, allow, new_stack

REGION = Transcription.REGION


@pytest.fixture(scope="module")
def smallest() -> Transcription:
    return Transcription()


def the(deployed: Transcription, kind: str) -> Json:
    """The one resource of a kind that belongs to the API."""
    (found,) = deployed.within(deployed.made.transcript_api, kind)
    return found


def test_the_function_queries_the_table_and_does_nothing_else(smallest: Transcription) -> None:
    """It writes nothing, and no index is open to it."""
    function = smallest.made.transcript_api.read_transcript
    table = smallest.arn(smallest.made.transcript_store.table)
    assert smallest.may(function) == [allow("dynamodb:Query", table)]


def test_holding_updates_items_deletes_none_and_reads_no_index(smallest: Transcription) -> None:
    function = smallest.made.transcript_api.hold_conversation
    table = smallest.arn(smallest.made.transcript_store.table)
    actions = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    assert smallest.may(function) == [allow(actions, table)]


def test_there_are_three_methods_and_only_iam_lets_in(smallest: Transcription) -> None:
    api = smallest.made.transcript_api
    found = []
    for method in smallest.within(api, "AWS::ApiGateway::Method"):
        assert method["AuthorizationType"] == "AWS_IAM"
        assert method["RestApiId"] == smallest.ref(api.rest_api)
        resources, path, place = smallest.template["Resources"], [], method["ResourceId"]
        while "Ref" in place:
            path.append(resources[place["Ref"]]["Properties"]["PathPart"])
            place = resources[place["Ref"]]["Properties"]["ParentId"]
        found.append(f"{method['HttpMethod']} /{'/'.join(path[::-1])}")
    assert sorted(found) == [
        "DELETE /conversations/{conversationId}/hold",
        "GET /conversations/{conversationId}/transcript",
        "PUT /conversations/{conversationId}/hold",
    ]
    properties = smallest.properties(api.rest_api)
    assert "Policy" not in properties  # which could let in whom IAM does not
    assert properties["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    for kind in ("Authorizer", "ApiKey", "UsagePlan"):
        assert not smallest.within(api, f"AWS::ApiGateway::{kind}")


def test_the_request_goes_to_the_function_as_it_came(smallest: Transcription) -> None:
    methods = smallest.within(smallest.made.transcript_api, "AWS::ApiGateway::Method")
    (method,) = (each for each in methods if each["HttpMethod"] == "GET")
    function = smallest.arn(smallest.made.transcript_api.read_transcript)
    start = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
    assert method["Integration"] == {
        "Type": "AWS_PROXY",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Join": ["", [start, function, "/invocations"]]},
    }
    assert method["RequestParameters"] == {
        "method.request.path.conversationId": True,
        "method.request.querystring.format": False,
    }


def test_the_function_answers_before_api_gateway_gives_up(smallest: Transcription) -> None:
    assert smallest.properties(smallest.made.transcript_api.read_transcript)["Timeout"] < 29


def test_whom_it_is_granted_to_may_read_transcripts_and_nothing_else() -> None:
    stack = new_stack(REGION)
    table = dynamodb.Table.from_table_name(stack, "Table", "table")
    api = TranscriptApi(stack, "TranscriptApi", table=table)
    reader = iam.Role(stack, "Reader", assumed_by=iam.AccountRootPrincipal())
    api.grant_read(reader)
    deployed = Deployed(stack)
    start = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:"
    rest_api, stage = (
        {"Ref": deployed.identifier(each)} for each in (api.rest_api, api.rest_api.deployment_stage)
    )
    path = "/GET/conversations/*/transcript"
    arn = {"Fn::Join": ["", [start, rest_api, "/", stage, path]]}
    assert deployed.permissions(reader) == [allow("execute-api:Invoke", arn)]


def test_whom_holding_is_granted_to_may_hold_and_lift_and_not_read() -> None:
    stack = new_stack(REGION)
    table = dynamodb.Table.from_table_name(stack, "Table", "table")
    api = TranscriptApi(stack, "TranscriptApi", table=table)
    legal = iam.Role(stack, "Legal", assumed_by=iam.AccountRootPrincipal())
    api.grant_hold(legal)
    (statement,) = Deployed(stack).permissions(legal)
    assert statement["Action"] == "execute-api:Invoke"
    ends = [each["Fn::Join"][1][-1] for each in statement["Resource"]]
    assert sorted(ends) == ["/DELETE/conversations/*/hold", "/PUT/conversations/*/hold"]


def test_each_hold_is_applied_again_four_times_a_day(smallest: Transcription) -> None:
    """What is stored lives for a day at least."""
    rule = the(smallest, "AWS::Events::Rule")
    function = smallest.arn(smallest.made.transcript_api.hold_conversation)
    assert rule["ScheduleExpression"] == "rate(6 hours)"
    assert [each["Arn"] for each in rule["Targets"]] == [function]


def test_it_is_throttled_and_writes_no_execution_log(smallest: Transcription) -> None:
    """An execution log would hold what callers say; without a level there is none."""
    assert the(smallest, "AWS::ApiGateway::Stage")["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "DataTraceEnabled": False,
            "ThrottlingRateLimit": 20,
            "ThrottlingBurstLimit": 40,
        }
    ]


def test_the_access_log_names_the_conversation_and_no_person(smallest: Transcription) -> None:
    """A caller's ARN ends in the name of a session, which often is a person's."""
    stage = the(smallest, "AWS::ApiGateway::Stage")
    assert json.loads(stage["AccessLogSetting"]["Format"]) == {
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


def test_only_the_webhooks_api_sets_the_account_wide_log_role(smallest: Transcription) -> None:
    for log_role in ("adopt", "manage"):
        deployed = Transcription(webhook={"api_gateway_log_role": log_role})
        assert not deployed.within(deployed.made.transcript_api, "AWS::ApiGateway::Account")


def test_people_are_told_where_it_is(smallest: Transcription) -> None:
    output = smallest.template["Outputs"]["TranscriptUrl"]
    assert str(output["Value"]).endswith("'/conversations/{conversationId}/transcript']]}")
    assert "execute-api:Invoke" in output["Description"]


def test_who_reads_is_recorded_apart_from_other_logs_for_its_own_time() -> None:
    stack = new_stack(REGION)
    table = dynamodb.Table.from_table_name(stack, "Table", "table")
    kept = Duration.days(731)
    api = TranscriptApi(stack, "TranscriptApi", table=table, record_retention=kept)
    deployed = Deployed(stack)
    assert api.record
    record = {"Ref": deployed.identifier(api.record)}
    assert deployed.properties(api.record)["RetentionInDays"] == 731
    function = deployed.properties(api.read_transcript)
    assert function["LoggingConfig"]["LogGroup"] == record
    assert function["Environment"]["Variables"]["RECORD_READERS"] == "true"
    assert deployed.properties(api.access_log)["RetentionInDays"] == 30


def test_nobody_is_recorded_unless_somebody_decides_so(smallest: Transcription) -> None:
    api = smallest.made.transcript_api
    assert api.record is None
    assert "RECORD_READERS" not in str(smallest.properties(api.read_transcript))
    assert "TranscriptRecordLogs" not in smallest.template["Outputs"]


def test_an_environment_with_audit_on_says_where_the_record_is() -> None:
    deployed = Transcription(audit={"mode": "on", "record_days": 90})
    record = deployed.made.transcript_api.record
    assert record
    assert deployed.properties(record)["RetentionInDays"] == 90
    assert deployed.template["Outputs"]["TranscriptRecordLogs"]["Value"] == deployed.ref(record)
