"""Whether anybody is told of an alarm, which the sandbox does not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tools.doctor.fake_aws import ACCOUNT, REGION
from tools.doctor.findings import Finding
from tools.verify.account import Account
from tools.verify.checks.resources import alarms

from .conftest import Aws, stack_of

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:AlarmsTopic-1"
CONFIRMED, PENDING = f"{TOPIC}:1f2e", "PendingConfirmation"
STACK = stack_of({"AlarmsTopic": {"Type": "AWS::SNS::Topic"}}, {"AlarmsTopic": TOPIC}, {})
Deployed = Callable[..., Account]


def of_topic(subscriptions: list[str], aws: Aws, deployed: Deployed) -> Finding:
    aws.subscriptions = {TOPIC: subscriptions}
    (finding,) = (it for it in alarms(deployed(STACK)) if it.what.startswith("AlarmsTopic: "))
    return finding


@pytest.mark.parametrize("subscriptions", [[CONFIRMED], [PENDING, CONFIRMED]])
def test_one_confirmed_subscription_is_enough(
    subscriptions: list[str], aws: Aws, deployed: Deployed
) -> None:
    assert of_topic(subscriptions, aws, deployed).severity == "well"


def test_a_subscription_that_nobody_confirmed_is_a_warning_with_its_address(
    aws: Aws, deployed: Deployed
) -> None:
    finding = of_topic(["Deleted", PENDING], aws, deployed)
    assert finding.severity == "warning"
    assert finding.what.endswith("ops@acme.example has not confirmed its subscription")
    subscribe = f"`aws sns subscribe --topic-arn {TOPIC} --protocol email"
    assert f"{subscribe} --notification-endpoint ops@acme.example --region" in finding.remedy


@pytest.mark.parametrize("subscriptions", [[], ["Deleted"]])
def test_a_topic_without_subscriptions_is_a_warning_with_the_settings(
    subscriptions: list[str], aws: Aws, deployed: Deployed
) -> None:
    finding = of_topic(subscriptions, aws, deployed)
    assert finding.severity == "warning"
    assert finding.what.endswith("the topic has no subscription")
    assert "alarms.email" in finding.remedy


def test_a_topic_of_somebody_else_is_not_asked(aws: Aws, deployed: Deployed) -> None:
    findings = list(alarms(deployed(stack_of({}, {}, {}), alarms__topic_arn=TOPIC)))
    assert [it.what for it in findings] == ["0 alarms looked at; 0 have no data yet"]
