"""The event bus's policy, which the sandbox's emulator does not know."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.tools.doctor.fake_aws import ACCOUNT, REGION
from tools.verify.account import Account
from tools.verify.checks.policies import resource_policies

from .conftest import Aws, stack_of

Json = dict[str, Any]
BUS, PUBLISHER = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/Bus-1", "publisher-1"


def only(publisher: Any, bus: Any) -> Json:
    return {
        "Sid": "OnlyThePublisher",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "events:PutEvents",
        "Resource": bus,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": publisher}},
    }


STATEMENT = only({"Fn::GetAtt": ["Publisher", "Arn"]}, {"Fn::GetAtt": ["Bus", "Arn"]})
STACK = stack_of(
    {
        "Bus": {"Type": "AWS::Events::EventBus"},
        "BusPolicy": {
            "Type": "AWS::Events::EventBusPolicy",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "StatementId": "OnlyThePublisher",
                "Statement": STATEMENT,
            },
        },
    },
    {"Bus": "Bus-1", "Publisher": PUBLISHER},
    {},
)
AS_DEPLOYED = only(f"arn:aws:iam::{ACCOUNT}:role/{PUBLISHER}", BUS)
Deployed = Callable[..., Account]


def problems(statements: list[Json], aws: Aws, deployed: Deployed) -> list[str]:
    aws.bus_policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    found = list(resource_policies(deployed(STACK)))
    return [it.what for it in found if it.severity != "well"]


def test_the_policy_as_it_was_deployed_is_well(aws: Aws, deployed: Deployed) -> None:
    assert problems([AS_DEPLOYED], aws, deployed) == []


def changed(**changes: Any) -> Json:
    return deepcopy(AS_DEPLOYED) | changes


@pytest.mark.parametrize(
    "statement",
    [
        changed(Condition={"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/x"}}),
        changed(Action="events:PutRule"),
        changed(Effect="Allow"),
        {name: value for name, value in AS_DEPLOYED.items() if name != "Condition"},
    ],
    ids=["another publisher", "another action", "allowed", "for everybody"],
)
def test_a_changed_statement_is_gone_and_another_one_is_there(
    statement: Json, aws: Aws, deployed: Deployed
) -> None:
    assert problems([statement], aws, deployed) == [
        "Bus: a statement of its policy is gone or changed: OnlyThePublisher",
        "Bus: its policy has a statement that was not deployed: OnlyThePublisher",
    ]


def test_a_bus_that_lost_its_policy_is_found(aws: Aws, deployed: Deployed) -> None:
    assert problems([], aws, deployed) == [
        "Bus: a statement of its policy is gone or changed: OnlyThePublisher"
    ]
