"""A new version takes a tenth of the traffic first, and goes back if it fails."""

from __future__ import annotations

import re

import pytest

from tests.infra.conftest import ACCOUNT, Json, Transcription, allow, in_order

NAMES = ("AuthorizeWebhook", "StartStreaming", "StopStreaming", "StoreTranscript")


@pytest.fixture(scope="module")
def gradual() -> Transcription:
    return Transcription(deployment={"gradual": True})


@pytest.fixture(scope="module")
def at_once() -> Transcription:
    return Transcription()


def aliases(made: Transcription) -> dict[str, Json]:
    """The aliases ``live``, by function."""
    found = {}
    for id, resource in made.template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Alias" and resource["Properties"]["Name"] == "live":
            (name,) = re.findall(f"({'|'.join(NAMES)})Live", id)
            found[name] = resource | {"Id": id}
    return found


def test_codedeploy_moves_the_four_aliases_that_calls_and_asapp_wait_for(
    gradual: Transcription,
) -> None:
    assert gradual.made.gradual_deployment is not None
    groups = gradual.all("AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == len(NAMES)
    assert set(aliases(gradual)) == set(NAMES)
    for alias in aliases(gradual).values():
        update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = gradual.template["Resources"][update["DeploymentGroupName"]["Ref"]]
        assert update["ApplicationName"] == group["Properties"]["ApplicationName"]


def test_each_deployment_begins_with_a_tenth_and_goes_back_for_an_alarm_of_its_alias(
    gradual: Transcription,
) -> None:
    watched = set()
    for name, alias in aliases(gradual).items():
        update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = gradual.template["Resources"][update["DeploymentGroupName"]["Ref"]]["Properties"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AutoRollbackConfiguration"] == {
            "Enabled": True,
            "Events": [
                "DEPLOYMENT_FAILURE",
                "DEPLOYMENT_STOP_ON_REQUEST",
                "DEPLOYMENT_STOP_ON_ALARM",
            ],
        }
        assert group["AlarmConfiguration"]["Enabled"] is True
        (named,) = group["AlarmConfiguration"]["Alarms"]
        alarm = gradual.template["Resources"][named["Name"]["Ref"]]["Properties"]
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        function = alias["Properties"]["FunctionName"]
        assert dimensions["FunctionName"] == function
        assert dimensions["Resource"] == {"Fn::Join": ["", [function, ":live"]]}
        assert (alarm["MetricName"], alarm["Period"], alarm["Threshold"]) == ("Errors", 60, 1)
        assert alarm["TreatMissingData"] == "notBreaching"
        watched.add(name)
    assert watched == set(NAMES)


def test_codedeploy_may_move_these_aliases_read_all_alarms_and_do_nothing_else(
    gradual: Transcription,
) -> None:
    """CodeDeploy's guide asks for all alarms. If it cannot read one, it stops the deployment."""
    made = gradual.made.gradual_deployment
    assert made is not None
    (role,) = (each for each in made.node.children if each.node.id == "Role")
    functions = [each["Properties"]["FunctionName"]["Ref"] for each in in_template(gradual)]
    arns = [{"Fn::GetAtt": [function, "Arn"]} for function in functions]
    versions = [{"Fn::Join": ["", [arn, ":*"]]} for arn in arns]
    moving = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
    assert with_sorted_resources(gradual.permissions(role)) == with_sorted_resources(  # type: ignore[arg-type]
        [allow("cloudwatch:DescribeAlarms", "*"), allow(moving, [*arns, *versions])]
    )
    assert gradual.trust(role)["Statement"] == [  # type: ignore[arg-type]
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "codedeploy.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
    ]


def with_sorted_resources(statements: list[Json]) -> list[Json]:
    return in_order(each | {"Resource": sorted(each["Resource"], key=str)} for each in statements)


def in_template(gradual: Transcription) -> list[Json]:
    """The aliases in the order in which the stack gives them to CodeDeploy."""
    order = ("StartStreaming", "StopStreaming", "AuthorizeWebhook", "StoreTranscript")
    found = aliases(gradual)
    return [found[name] for name in order]


def test_api_gateway_and_the_queue_invoke_aliases(gradual: Transcription) -> None:
    found = aliases(gradual)
    authorizer = gradual.one("AWS::ApiGateway::Authorizer")["Properties"]
    assert {"Ref": found["AuthorizeWebhook"]["Id"]} in authorizer["AuthorizerUri"]["Fn::Join"][1]
    queue = gradual.arn(gradual.made.transcript_webhook.queue)
    (mapping,) = (
        each["Properties"]
        for each in gradual.all("AWS::Lambda::EventSourceMapping")
        if each["Properties"]["EventSourceArn"] == queue
    )
    # CDK takes the function's name from the alias's ARN, and adds the alias.
    assert {"Ref": found["StoreTranscript"]["Id"]} in ids(mapping["FunctionName"])
    assert mapping["FunctionName"]["Fn::Join"][1][1] == ":live"


def ids(value: object) -> list[object]:
    """Every reference in a value."""
    match value:
        case {"Ref": _}:
            return [value]
        case dict():
            return [found for each in value.values() for found in ids(each)]
        case list():
            return [found for each in value for found in ids(each)]
    return []


def test_what_goes_back_is_an_output_for_the_deployment_to_watch(gradual: Transcription) -> None:
    value = gradual.template["Outputs"]["RollbackAlarmArns"]["Value"]
    assert str(value).count("Errors") == len(NAMES)
    assert len(NAMES) <= 5  # CloudFormation watches no more


def test_versions_stay_so_that_there_is_one_to_go_back_to(gradual: Transcription) -> None:
    versions = gradual.all("AWS::Lambda::Version")
    assert len(versions) >= len(NAMES)
    for version in versions:
        # A version of a failed deployment must go: the next one could not publish the same code.
        fate = version["DeletionPolicy"], version["UpdateReplacePolicy"]
        assert fate == ("RetainExceptOnCreate", "Retain")


def test_at_once_there_is_neither_codedeploy_nor_an_alias_more(at_once: Transcription) -> None:
    assert at_once.made.gradual_deployment is None
    assert set(aliases(at_once)) == {"StartStreaming", "StopStreaming"}
    assert "RollbackAlarmArns" not in at_once.template["Outputs"]
    assert at_once.all("AWS::CodeDeploy::DeploymentGroup") == []
    for alias in aliases(at_once).values():
        assert "UpdatePolicy" not in alias
