"""Quotas, what the account must have, and its stacks."""

from __future__ import annotations

import pytest

from .conftest import Doctor
from .fake_aws import (
    ACCOUNT,
    INSTANCE,
    INSTANCE_ID,
    REGION,
    TOPIC,
    WEB_ACL,
    WEB_ACL_ID,
    Account,
    resource,
)

PROTECTED = {"EnableTerminationProtection": True}


# Quotas


def test_an_instance_with_no_room_for_our_functions(doctor: Doctor, account: Account) -> None:
    account.functions = [f"function-{number}" for number in range(3)]
    account.quotas["L-E3D2F503"] = 4.0
    run = doctor()
    assert run.code == 1
    finding = run.finding("Lambda functions: the instance would have 5, and may have 4")
    assert "aws service-quotas request-service-quota-increase --service-code connect" in finding
    assert f"--quota-code L-E3D2F503 --desired-value 5 --context-id {INSTANCE}" in finding
    assert f"--instance-id {INSTANCE_ID}" in finding


def test_our_functions_are_not_counted_twice(doctor: Doctor, account: Account) -> None:
    account.functions = ["start", "stop", "theirs"]
    account.quotas["L-E3D2F503"] = 3.0
    association = "AWS::Connect::IntegrationAssociation"
    account.stacks["autotranscribe-prod-flows"] = [
        resource(association, "start"),
        resource(association, "stop"),
    ]
    run = doctor()
    assert run.code == 0
    assert run.finding("the instance will have 3, and may have 3")


@pytest.mark.parametrize(
    ("applied", "default", "limit"), [(7.0, 5.0, 7), (None, 5.0, 5), (None, None, 50)]
)
def test_the_quota_that_applies_before_the_default_before_the_documented(
    doctor: Doctor, account: Account, applied: float | None, default: float | None, limit: int
) -> None:
    account.quotas = {} if applied is None else {"L-E3D2F503": applied}
    account.default_quotas = {} if default is None else {"L-E3D2F503": default}
    assert doctor().finding(f"may have {limit}")


def test_more_calls_than_there_may_be_streams(doctor: Doctor, account: Account) -> None:
    account.video_streams = ["acme-connect-1", "acme-connect-2", "acmecorp-1", "doorbell"]
    account.quotas["L-12AB7C57"] = 100.0
    account.quotas["L-F06528A6"] = 101.0
    run = doctor()
    assert run.code == 1
    finding = run.finding("video streams: 100 calls at a time need 102 in this account")
    assert "which may have 101" in finding
    assert "--service-code kinesisvideo --quota-code L-F06528A6 --desired-value 102" in finding
    assert "--context-id" not in finding


def test_streams_that_are_named_as_asapps_role_reads_them_are_well(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-acme-contact-0f3a", "acme-doorbell", "other-1"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "begin with" not in run.output


def test_a_stream_of_this_instance_that_asapps_role_could_not_read_fails(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-acme-0f3a", "acme-connect-acme-dev-contact-1"]
    run = doctor(calls=1)
    assert run.code == 1
    finding = run.finding("whose names begin with acme-connect-acme-contact-, and there is none")
    assert "there is acme-connect-acme-0f3a" in finding
    assert "correct connect.instance_alias, or do not deploy" in finding


def test_a_stream_with_our_prefix_and_a_strange_name_is_a_warning(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-0f3a"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "there is acme-0f3a" in run.finding("whose names begin with acme-connect-acme-contact-")


def test_streams_of_another_instance_with_our_prefix_say_nothing_of_ours(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-west-contact-1"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "begin with" not in run.output


def test_expected_calls_count_in_place_of_those_that_may_be(
    doctor: Doctor, account: Account
) -> None:
    account.quotas |= {"L-12AB7C57": 100.0, "L-F06528A6": 60.0}
    run = doctor(calls=60)
    assert run.code == 0
    assert run.finding("60 calls at a time need 60 in this account of 60")


def test_more_calls_than_the_instance_lets_in(doctor: Doctor) -> None:
    run = doctor(calls=50)
    assert run.code == 1
    finding = run.finding("the instance lets 10 calls in at a time, and 50 are expected")
    assert "--quota-code L-12AB7C57 --desired-value 50" in finding


def test_the_first_limit_that_would_be_too_small_is_named(doctor: Doctor) -> None:
    """With AWS's defaults and 50 calls nothing is too small."""
    run = doctor()
    assert run.finding("capacity", "ASAPP, requests a day, at more than 104 calls at a time")
    assert "enough for" not in run.output


def test_each_limit_that_is_too_small_for_the_calls_says_what_to_ask_for(
    doctor: Doctor, account: Account
) -> None:
    account.quotas |= {"L-8A5B8E43": 2_000.0, "L-9B653E91": 600.0}
    account.concurrency = {"ConcurrentExecutions": 1500, "UnreservedConcurrentExecutions": 1500}
    run = doctor(calls=5_000)
    finding = run.finding("API Gateway, requests a second: 5000 calls at a time may need 2500")
    assert "there are 2000, enough for 4000 calls" in finding
    assert "--service-code apigateway --quota-code L-8A5B8E43 --desired-value 2500" in finding
    finding = run.finding("EventBridge, PutEvents a second", "may need 834, and there are 600")
    assert "--service-code events --quota-code L-9B653E91 --desired-value 834" in finding
    finding = run.finding("Lambda, invocations at a time", "may need 2031, and there are 1500")
    assert "--quota-code L-B99A9384 --desired-value 2031" in finding
    finding = run.finding("ASAPP, requests a day: 5000 calls at a time may need 2400000")
    assert "ask ASAPP's account team" in finding
    assert not [line for line in run.output.splitlines() if "DynamoDB, write units" in line]


def test_the_files_calls_count_if_nobody_says_other_ones(doctor: Doctor) -> None:
    run = doctor(capacity__expected_calls=105)
    assert run.finding("ASAPP, requests a day: 105 calls at a time may need 50400")
    assert "ASAPP, requests a day:" not in doctor(calls=104, capacity__expected_calls=105).output


def test_an_instance_that_lets_no_call_in(doctor: Doctor, account: Account) -> None:
    account.quotas["L-12AB7C57"] = 0.0
    run = doctor()
    assert run.code == 1
    assert "--desired-value 10" in run.finding("the instance lets 0 calls in at a time")


# The account


def test_an_account_that_is_not_bootstrapped(doctor: Doctor, account: Account) -> None:
    account.bootstrap = None
    run = doctor()
    assert run.code == 1
    finding = run.finding("CDK bootstrap", "not bootstrapped for CDK")
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION} --qualifier hnb659fds" in finding


def test_a_bootstrap_with_a_qualifier_of_ones_own(doctor: Doctor, account: Account) -> None:
    finding = doctor(bootstrap_qualifier="acme").finding("CDK bootstrap", "not bootstrapped")
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION} --qualifier acme" in finding
    account.qualifier = "acme"
    assert doctor(bootstrap_qualifier="acme").finding("well  CDK bootstrap: has version 21")


@pytest.mark.parametrize("version", ["5", "of my own"])
def test_a_bootstrap_that_is_too_old(doctor: Doctor, account: Account, version: str) -> None:
    account.bootstrap = version
    run = doctor()
    assert run.code == 1
    assert "npx cdk bootstrap" in run.finding(f"has version {version}, and must have 6 or newer")


def test_an_api_gateway_that_may_not_write_logs(doctor: Doctor, account: Account) -> None:
    account.log_role = None
    run = doctor()
    assert run.code == 1
    finding = run.finding("API Gateway's logs: API Gateway has no role")
    assert 'write webhook.api_gateway_log_role = "manage"' in finding
    assert doctor(webhook__api_gateway_log_role="manage").code == 0


@pytest.mark.parametrize("given", ["manage", "off"])
def test_a_web_acl_that_is_not_ones_own_is_not_looked_for(doctor: Doctor, given: str) -> None:
    assert "well  web ACL" in doctor(webhook__web_acl=given).finding("web ACL")


def test_a_web_acl_that_is_there(doctor: Doctor, account: Account) -> None:
    account.web_acls.add(WEB_ACL_ID)
    run = doctor(webhook__web_acl=WEB_ACL)
    assert run.code == 0
    assert run.finding("well  web ACL", f"{WEB_ACL} is there")


def test_a_web_acl_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.web_acls.add("another/44444444-4444-4444-8444-444444444444")
    run = doctor(webhook__web_acl=WEB_ACL)
    assert run.code == 1
    assert "aws wafv2 list-web-acls" in run.finding("web ACL", f"{WEB_ACL} does not exist")


def test_a_topic_that_does_not_exist(doctor: Doctor) -> None:
    run = doctor(alarms__topic_arn=TOPIC)
    assert run.code == 1
    assert "aws sns list-topics" in run.finding("alarms", f"{TOPIC} does not exist")


@pytest.mark.parametrize(
    ("key_id", "warnings"), [(None, 0), ("alias/our-sns", 0), ("alias/aws/sns", 1)]
)
def test_a_topic_to_which_cloudwatch_may_not_publish(
    doctor: Doctor, account: Account, key_id: str | None, warnings: int
) -> None:
    account.topics[TOPIC] = {"TopicArn": TOPIC} | ({"KmsMasterKeyId": key_id} if key_id else {})
    run = doctor(alarms__topic_arn=TOPIC)
    assert run.code == 0
    assert f"{warnings} warning" in run.output
    assert ("a key of yours" in run.finding("alarms", TOPIC)) == bool(warnings)


# Stacks


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_protected_stack_whose_first_deployment_failed(
    doctor: Doctor, account: Account, status: str
) -> None:
    name = "autotranscribe-prod-access"
    account.stack_states[name] = {"StackStatus": status, **PROTECTED}
    run = doctor()
    assert run.code == 1
    assert run.finding("problem  stacks:", f"{name} is {status}").endswith(
        "→ `aws cloudformation update-termination-protection --no-enable-termination-protection "
        f"--stack-name {name} --region {REGION}`, then deploy: CDK deletes the stack, makes it "
        "again and protects it again"
    )
    for other in ("transcription", "flows"):
        assert run.finding("well  stacks:", f"autotranscribe-prod-{other} is not there yet")


def test_an_unprotected_one_is_deleted_by_the_next_deployment(
    doctor: Doctor, account: Account
) -> None:
    name = "autotranscribe-prod-flows"
    account.stack_states[name] = {"StackStatus": "ROLLBACK_COMPLETE"}
    run = doctor()
    assert run.code == 0
    assert run.finding("warning  stacks:", name, "→ deploy again: CDK deletes the stack")


def test_a_stack_whose_update_could_not_be_rolled_back(doctor: Doctor, account: Account) -> None:
    name = "autotranscribe-prod-transcription"
    account.stack_states[name] = {"StackStatus": "UPDATE_ROLLBACK_FAILED", **PROTECTED}
    run = doctor()
    assert run.code == 1
    assert f"continue-update-rollback --stack-name {name}" in run.finding("problem  stacks:", name)


def test_a_stack_that_is_complete_and_protected_is_well(doctor: Doctor, account: Account) -> None:
    name = "autotranscribe-prod-access"
    account.stack_states[name] = {"StackStatus": "UPDATE_COMPLETE", **PROTECTED}
    run = doctor()
    assert run.code == 0
    assert run.finding("well  stacks:", f"{name} is UPDATE_COMPLETE")
