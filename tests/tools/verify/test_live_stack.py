"""The live stack's rule and permissions, with the ids that CloudFormation gives on AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tools.doctor.fake_aws import ACCOUNT, REGION
from tools.doctor.findings import Findings
from tools.drift.intrinsics import is_what_was_deployed
from tools.verify.account import Account
from tools.verify.checks.policies import invocations
from tools.verify.checks.resources import event_rules

from .conftest import Aws, stack_of

Json = dict[str, Any]
BUS, RULE, API = "Bus-1", "live-Changes-1", "abcdefghijklmnopqrstuvwxyz"
PUBLISHES, AUTHORIZES = "live-PublishLive-1", "live-AuthorizeLive-1"
PLACE = f"{REGION}:{ACCOUNT}"
PUBLISHES_ARN = f"arn:aws:lambda:{PLACE}:function:{PUBLISHES}"
RULE_ARN = f"arn:aws:events:{PLACE}:rule/{BUS}/{RULE}"
API_ARN = f"arn:aws:appsync:{PLACE}:apis/{API}"


def function_permission(function: str, service: str, source: list[str]) -> Json:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Fn::GetAtt": [function, "Arn"]},
            "Principal": service,
            "SourceArn": {"Fn::GetAtt": source},
        },
    }


STACK = stack_of(
    {
        "Changes": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "State": "ENABLED",
                "Targets": [{"Arn": {"Fn::GetAtt": ["PublishLive", "Arn"]}, "Id": "Target0"}],
            },
        },
        "PublishLive": {"Type": "AWS::Lambda::Function"},
        "AuthorizeLive": {"Type": "AWS::Lambda::Function"},
        "OfRule": function_permission("PublishLive", "events.amazonaws.com", ["Changes", "Arn"]),
        "OfApi": function_permission("AuthorizeLive", "appsync.amazonaws.com", ["Api", "ApiArn"]),
    },
    {
        "Bus": BUS,
        "Changes": f"{BUS}|{RULE}",
        "PublishLive": PUBLISHES,
        "AuthorizeLive": AUTHORIZES,
        "Api": API_ARN,
    },
    {},
)
Deployed = Callable[..., Account]


def statement(service: str, source: str) -> Json:
    return {
        "Sid": "of-cloudformation",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "lambda:InvokeFunction",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }


def permitted(aws: Aws, *, rule: str = RULE_ARN, api: str = API_ARN) -> None:
    aws.function_policies = {
        PUBLISHES: [statement("events.amazonaws.com", rule)],
        AUTHORIZES: [statement("appsync.amazonaws.com", api)],
    }


def unwell(findings: Findings) -> list[str]:
    return [each.what for each in findings if each.severity != "well"]


def test_the_permissions_of_the_rule_and_of_appsync_are_as_deployed(
    aws: Aws, deployed: Deployed
) -> None:
    permitted(aws)
    assert unwell(invocations(deployed(STACK))) == []


@pytest.mark.parametrize(
    ("change", "id", "function"),
    [
        ({"rule": RULE_ARN.replace(BUS, "default")}, "OfRule", PUBLISHES),
        ({"rule": RULE_ARN.replace(ACCOUNT, "999999999999")}, "OfRule", PUBLISHES),
        ({"api": f"{API_ARN}x"}, "OfApi", AUTHORIZES),
        ({"api": "*"}, "OfApi", AUTHORIZES),
    ],
    ids=["another bus", "another account", "another API", "any API"],
)
def test_a_permission_of_another_source_is_found(
    change: dict[str, str], id: str, function: str, aws: Aws, deployed: Deployed
) -> None:
    permitted(aws, **change)
    assert unwell(invocations(deployed(STACK))) == [
        f"{id}: the permission of {function} is gone or changed",
        f"{function} has a permission that was not deployed: of-cloudformation",
    ]


def test_a_function_that_nobody_may_invoke_any_more_is_found(aws: Aws, deployed: Deployed) -> None:
    permitted(aws)
    del aws.function_policies[AUTHORIZES]
    assert unwell(invocations(deployed(STACK))) == [
        f"OfApi: the permission of {AUTHORIZES} is gone or changed"
    ]


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ({(BUS, RULE): ("ENABLED", [PUBLISHES_ARN])}, []),
        ({(BUS, RULE): ("DISABLED", [PUBLISHES_ARN])}, [f"Changes: the rule {RULE} is DISABLED"]),
        ({(BUS, RULE): ("ENABLED", [])}, [f"Changes: the rule {RULE} has other targets"]),
        ({("default", RULE): ("ENABLED", [PUBLISHES_ARN])}, [f"Changes: the rule {RULE} is gone"]),
    ],
    ids=["as deployed", "disabled", "without target", "on another bus"],
)
def test_the_rule_is_looked_for_on_its_own_bus(
    rules: dict[tuple[str, str], tuple[str, list[str]]],
    what: list[str],
    aws: Aws,
    deployed: Deployed,
) -> None:
    aws.rules = rules
    assert unwell(event_rules(deployed(STACK))) == what


def test_the_id_of_the_pages_distribution_is_known_in_its_buckets_policy() -> None:
    id = {"Fn::GetAtt": ["Distribution", "Id"]}
    source = {"Fn::Join": ["", ["arn:aws:cloudfront::", ACCOUNT, ":distribution/", id]]}
    statement = {"Condition": {"StringEquals": {"AWS:SourceArn": source}}}
    values = stack_of({}, {"Distribution": "E123"}, {}).values

    def same(actual: str) -> bool:
        there = {"Condition": {"StringEquals": {"AWS:SourceArn": actual}}}
        return is_what_was_deployed(statement, there, values)

    assert same(f"arn:aws:cloudfront::{ACCOUNT}:distribution/E123")
    assert not same(f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1234")
