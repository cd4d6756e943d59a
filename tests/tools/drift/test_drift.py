"""What ``make drift`` says of an account whose CloudFormation and IAM answer as AWS's do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.tools.doctor.fake_aws import OTHER_KEY
from tools.doctor.findings import NotSeen
from tools.drift.__main__ import main
from tools.drift.stacks import ACTIONS

from .conftest import TABLE_ARN, Account, Drift

GUIDE = Path(__file__).parents[3] / "docs" / "promote.md"
ROLE = "transcription Role"
STORAGE = "AWS::Connect::InstanceStorageConfig"
PREFIX = "/KinesisVideoStreamConfig/Prefix"


def difference(path: str, expected: str, actual: str) -> dict[str, Any]:
    return {
        "PropertyPath": path,
        "ExpectedValue": expected,
        "ActualValue": actual,
        "DifferenceType": "NOT_EQUAL",
    }


def modified(kind: str, *differences: dict[str, Any]) -> dict[str, Any]:
    return {
        "ResourceType": kind,
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": list(differences),
    }


def test_what_is_as_it_was_deployed_is_no_drift(drift: Drift) -> None:
    run = drift()
    assert run.code == 0
    assert run.drifted == run.unknown == []
    assert run.lines[-1] == "0 drifted, 0 unknown"


def test_what_nobody_looked_at_is_said(drift: Drift, account: Account) -> None:
    account.template["Resources"]["Association"] = {"Type": "AWS::IAM::Policy"}
    said = "\n".join(drift().lines)
    assert "CloudFormation compared 3 resources" in said
    assert "The policies of 1 roles were compared" in said
    assert "because CloudFormation cannot: AWS::SecretsManager::Secret (1)." in said
    assert "AWS::IAM::Policy" not in said and "AWS::CDK::Metadata" not in said


def test_a_detection_is_waited_for(drift: Drift, account: Account) -> None:
    account.polls = 3
    run = drift()
    assert (run.code, run.slept) == (0, [5, 5, 5])


def test_a_detection_that_does_not_end_is_no_good_news(drift: Drift, account: Account) -> None:
    account.polls = 10_000
    with pytest.raises(NotSeen, match="was not over after 15 minutes"):
        drift()


def test_what_cloudformation_found_is_said(drift: Drift, account: Account) -> None:
    account.drifts["Queue"] = modified(
        "AWS::SQS::Queue", difference("/MessageRetentionPeriod", "1209600", "60")
    )
    account.drifts["Table"] = {"StackResourceDriftStatus": "DELETED"}
    run = drift()
    assert run.code == 1
    assert run.drifted == [
        "transcription Table (AWS::DynamoDB::GlobalTable): it is gone",
        "transcription Queue (AWS::SQS::Queue): /MessageRetentionPeriod is 60, and was deployed as "
        "1209600",
    ]


def test_what_cloudformation_could_not_tell_is_no_good_news(drift: Drift, account: Account) -> None:
    account.drifts["Queue"] = {
        "StackResourceDriftStatus": "UNKNOWN",
        "DriftStatusReason": "Access Denied",
    }
    account.detection = {
        "DetectionStatus": "DETECTION_FAILED",
        "DetectionStatusReason": "Failed on [Queue]",
    }
    run = drift()
    assert run.code == 1
    assert "transcription Queue (AWS::SQS::Queue): Access Denied" in run.unknown
    assert "transcription: Failed on [Queue]" in run.unknown


@pytest.mark.parametrize("quoted", ["{}", '"{}"'])
def test_the_prefix_as_connect_tells_it_is_no_drift(
    drift: Drift, account: Account, quoted: str
) -> None:
    account.drifts["Media"] = modified(
        STORAGE,
        difference(PREFIX, quoted.format("acme"), quoted.format("acme-connect-acme-contact-")),
    )
    assert drift().drifted == []


def test_another_prefix_is_drift_and_so_is_another_retention(
    drift: Drift, account: Account
) -> None:
    account.drifts["Media"] = modified(
        STORAGE,
        difference(PREFIX, "acme", "other-connect-acme-contact-"),
        difference("/KinesisVideoStreamConfig/RetentionPeriodHours", "24", "0"),
    )
    assert [line.partition(": ")[2] for line in drift().drifted] == [
        f"{PREFIX} is other-connect-acme-contact-, and was deployed as acme",
        "/KinesisVideoStreamConfig/RetentionPeriodHours is 0, and was deployed as 24",
    ]


def statements(account: Account, policy: str = "Default") -> Any:
    assert account.policies is not None
    return account.policies[policy]["Statement"]


def test_an_action_that_somebody_added_is_drift(drift: Drift, account: Account) -> None:
    statements(account)[0]["Action"].append("dynamodb:DeleteItem")
    run = drift()
    assert run.code == 1
    was, now = run.drifted
    assert was.startswith(f"{ROLE}: in Default, this statement was deployed and is not there")
    assert now.startswith(f"{ROLE}: in Default, this statement is there and was not deployed")
    assert "dynamodb:DeleteItem" in now


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        TABLE_ARN.replace("Table-1", "Table-12"),
        TABLE_ARN.replace("Table-1", "other/autotranscribe-Table-1x"),
        TABLE_ARN.replace("333333333333", "444444444444"),
        TABLE_ARN.replace("eu-central-1", "us-east-1"),
        f"{TABLE_ARN}*",
        f"x{TABLE_ARN}",
        OTHER_KEY,
    ],
)
def test_another_resource_is_drift(drift: Drift, account: Account, resource: str) -> None:
    statements(account)[0]["Resource"][0] = resource
    assert len(drift().drifted) == 2


def test_a_role_of_its_own_and_one_beside_it_are_both_compared(
    drift: Drift, account: Account
) -> None:
    statements(account, "Own")[0]["Effect"] = "Deny"
    assert all("in Own, this statement" in line for line in drift().drifted)
    assert drift().drifted != []


def test_a_statement_that_is_gone_is_drift(drift: Drift, account: Account) -> None:
    del statements(account)[1]
    (line,) = drift().drifted
    assert "was deployed and is not there" in line and "secretsmanager:GetSecretValue" in line


def test_a_policy_that_somebody_added_or_removed_is_drift(drift: Drift, account: Account) -> None:
    assert account.policies is not None
    account.policies["Debug"] = account.policies.pop("Own")
    assert drift().drifted == [
        f"{ROLE}: the policy Own is gone",
        f"{ROLE}: the policy Debug was added by hand",
    ]


def test_a_managed_policy_that_somebody_attached_or_detached_is_drift(
    drift: Drift, account: Account
) -> None:
    account.attached = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    detached, attached = drift().drifted
    assert "AWSXRayDaemon" in detached and detached.endswith("is detached")
    assert attached.endswith("policy/AdministratorAccess was attached by hand")


def test_a_role_that_is_gone_is_drift(drift: Drift, account: Account) -> None:
    account.policies = None
    assert drift().drifted == [f"{ROLE}: the role autotranscribe-Role-1 is gone"]


def test_a_value_that_cannot_be_told_is_no_good_news(drift: Drift, account: Account) -> None:
    policy = account.template["Resources"]["Policy"]["Properties"]["PolicyDocument"]
    policy["Statement"][1]["Resource"] = {"Fn::Select": [0, ["a"]]}
    run = drift()
    assert run.code == 1
    (line,) = run.unknown
    assert line.startswith(f"{ROLE}: Default could not be compared")


def test_an_environment_without_stacks_is_no_good_news(drift: Drift, account: Account) -> None:
    account.stack_names = ["autotranscribe-prod-eu-access"]
    run = drift()
    assert run.code == 1
    assert run.lines == ["prod has no stack in eu-central-1: nothing is deployed."]


def test_the_command_says_what_it_finds(
    account: Account, at_fake_aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """prod.toml is of the fake's account and region."""
    account.polls = 0
    assert main(["prod"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 drifted, 0 unknown"
    account.polls = 0
    account.attached = []
    assert main(["prod"]) == 1
    assert "is detached" in capsys.readouterr().out


def test_the_command_says_what_to_allow(
    account: Account, at_fake_aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    account.denied.add("cloudformation:DescribeStacks")
    assert main(["prod"]) == 1
    assert "→ allow cloudformation:DescribeStacks" in capsys.readouterr().out


def test_the_command_wants_an_environment_that_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("action", sorted(ACTIONS.values()))
def test_what_may_not_be_looked_at_is_no_good_news(
    drift: Drift, account: Account, action: str
) -> None:
    account.denied.add(action)
    with pytest.raises(NotSeen, match=f"{action} is denied"):
        drift()


def test_the_list_of_actions_is_what_is_called(drift: Drift, account: Account) -> None:
    drift()
    called = {(service, xform_name(operation)) for service, operation in account.calls}
    assert called == set(ACTIONS)


def test_the_guide_names_every_action() -> None:
    policies = re.findall("```json\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (policy,) = [each for each in policies if "DetectStackDrift" in each]
    assert {action for action in ACTIONS.values() if f'"{action}"' not in policy} == set()
