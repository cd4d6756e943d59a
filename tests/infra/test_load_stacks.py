"""The stacks of a load in an account. cfn-lint reads them with those of the environments."""

from __future__ import annotations

from tests.infra.conftest import Assembly


def test_cdk_nag_finds_nothing(load_stacks: Assembly) -> None:
    assert load_stacks.findings == []


def test_everything_goes_with_its_stack(load_stacks: Assembly) -> None:
    kinds = [each["Type"] for each in load_stacks.resources]
    assert [kinds.count(f"AWS::{kind}") for kind in ("Lambda::Function", "SQS::Queue")] == [3, 3]
    for resource in load_stacks.resources:
        assert resource.get("DeletionPolicy", "Delete") == "Delete", resource["Type"]


def test_the_functions_may_do_what_they_need_and_no_more(load_stacks: Assembly) -> None:
    allowed: dict[str, set[str]] = {}
    for resource in load_stacks.resources:
        if resource["Type"] == "AWS::IAM::Policy":
            (role,) = resource["Properties"]["Roles"]
            name = role["Ref"].partition("Role")[0]
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                assert statement["Resource"] != "*"
                action = statement["Action"]
                allowed.setdefault(name, set()).update(
                    [action] if isinstance(action, str) else action
                )
    log = {"logs:CreateLogStream", "logs:PutLogEvents"}
    send = {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
    take = {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"}
    read = {"secretsmanager:GetSecretValue"}
    assert allowed == {
        "Asapp": log | send | read | {"secretsmanager:DescribeSecret"},
        "Speak": log | send | take | read,
        "Count": log | send | take,
    }
