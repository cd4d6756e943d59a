"""Nothing that AWS does not tell is a crash, and nothing is called that is not in the list."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tools.doctor.aws import ACTIONS, Aws

from .conftest import Doctor
from .fake_aws import (
    CERTIFICATE,
    EVENT_API,
    FUNCTION,
    INSTANCE,
    KEY,
    MEDIA_ID,
    OTHER_CERTIFICATE,
    STREAM,
    TOPIC,
    WEB_ACL,
    WEB_ACL_ID,
    Account,
    Refusal,
    certificate,
    events,
    key,
    media,
    recordings,
    resource,
)
from .test_live_page import ADOPTED, OPEN_TO_NOBODY

GUIDE = Path(__file__).parents[3] / "docs" / "doctor.md"
FOR_CONNECT = "ds:DescribeDirectories"
"""What Connect itself asks in the caller's name, at DescribeInstance."""

# Every feature on: with these, every call is made.
EVERYTHING: dict[str, Any] = {
    "media_streaming__mode": "manage",
    "media_streaming__retention_hours": 24,
    "media_streaming__key_arn": KEY,
    "lifecycle__mode": "adopt",
    "lifecycle__stream_arn": STREAM,
    "lifecycle__key_arn": KEY,
    "alarms__topic_arn": TOPIC,
    "webhook__web_acl": WEB_ACL,
    "webhook__auth": ["secret", "oauth2", "mtls"],
    "webhook__domain": "transcripts.acme.example",
    "webhook__certificate_arn": CERTIFICATE,
    "webhook_oauth2__domain_prefix": "acme",
    "webhook_mtls__domain": "mtls.acme.example",
    "webhook_mtls__certificate_arn": OTHER_CERTIFICATE,
    "webhook_mtls__authorities_file": "examples/constructs/client_authorities.pem",
    "on_utterance__function_arn": FUNCTION,
    **ADOPTED,
}


@pytest.fixture
def everything(account: Account) -> Account:
    account.keys[KEY] = key()
    account.web_acls.add(WEB_ACL_ID)
    account.storage = {
        "MEDIA_STREAMS": [media(key_id=KEY)],
        "AGENT_EVENTS": [events()],
        "CALL_RECORDINGS": [recordings(KEY)],
    }
    account.stacks["autotranscribe-prod-access"] = [
        resource("AWS::Connect::InstanceStorageConfig", f"{INSTANCE}|{MEDIA_ID}|MEDIA_STREAMS")
    ]
    account.stacks["autotranscribe-prod-transcription"] = [
        resource("AWS::Lambda::Function", "start-streaming")
    ]
    account.data_streams[STREAM] = {"EncryptionType": "KMS", "KeyId": KEY}
    account.topics[TOPIC] = {"TopicArn": TOPIC}
    account.certificates[CERTIFICATE] = certificate("transcripts.acme.example")
    account.certificates[OTHER_CERTIFICATE] = certificate("*.acme.example")
    account.configurations[FUNCTION] = {"State": "Active"}
    account.event_apis[EVENT_API] = OPEN_TO_NOBODY
    account.namespaces["live"] = {}
    return account


def test_the_list_of_actions_is_what_is_called(doctor: Doctor, everything: Account) -> None:
    assert doctor(**EVERYTHING).code == 0
    called = {(service, xform_name(operation)) for service, operation in everything.calls}
    assert called == set(ACTIONS)


def test_the_guides_policy_allows_exactly_that() -> None:
    (policy,) = re.findall("```json\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    statements = json.loads(policy)["Statement"]
    allowed = [action for statement in statements for action in statement["Action"]]
    assert sorted(allowed) == sorted({*ACTIONS.values(), FOR_CONNECT})


def test_every_call_reads() -> None:
    assert all(operation.startswith(("get_", "describe_", "list_")) for _, operation in ACTIONS)


def test_no_other_call_can_be_made() -> None:
    with pytest.raises(KeyError):
        Aws("eu-central-1").read("secretsmanager", "delete_secret", SecretId="x")


@pytest.mark.parametrize("action", sorted(set(ACTIONS.values())))
def test_what_may_not_be_looked_at_is_a_finding_and_the_rest_goes_on(
    doctor: Doctor, everything: Account, action: str
) -> None:
    everything.denied.add(action)
    run = doctor(**EVERYTHING)
    assert run.code == 1
    findings = [line for line in run.output.splitlines() if f"{action} is denied" in line]
    assert findings and all(line.startswith("problem") for line in findings)
    assert f"→ allow {action}" in run.output
    assert "alarms: " in run.output  # the last check


def test_everything_denied(doctor: Doctor, everything: Account) -> None:
    everything.denied |= set(ACTIONS.values())
    run = doctor(**EVERYTHING)
    assert run.code == 1
    assert "well" not in run.output.partition("credentials: ")[2]  # all that AWS is asked
    for action in set(ACTIONS.values()) - _BEHIND_OTHERS:
        assert f"→ allow {action}" in run.output


_BEHIND_OTHERS = {
    "appsync:GetChannelNamespace",
    "cloudformation:ListStackResources",
    "kinesis:DescribeStreamSummary",
    "lambda:GetFunctionConcurrency",
    "secretsmanager:GetSecretValue",
    "servicequotas:GetAWSDefaultServiceQuota",
}
"""Calls that are made only where an earlier one of the same check was answered."""


def test_what_aws_itself_names_is_what_to_allow(doctor: Doctor, account: Account) -> None:
    text = "User: me is not authorized to perform: kms:Decrypt on the key of the secret"
    account.refusals["GetSecretValue"] = Refusal("AccessDeniedException", text)
    run = doctor()
    assert run.code == 1
    finding = run.finding("secretsmanager:GetSecretValue is denied")
    assert "allow kms:Decrypt" in finding


def test_a_denial_that_names_nothing(doctor: Doctor, account: Account) -> None:
    account.refusals["GetParameter"] = Refusal("Forbidden", "", 403)
    assert "allow ssm:GetParameter" in doctor().finding("CDK bootstrap")


def test_a_service_that_fails(doctor: Doctor, account: Account) -> None:
    account.refusals["GetParameter"] = Refusal("InternalServerError", "try later", 500)
    run = doctor()
    assert run.code == 1
    finding = run.finding("CDK bootstrap", "ssm:GetParameter failed with InternalServerError")
    assert "run it again" in finding
    assert account.calls.count(("ssm", "GetParameter")) == 3
    assert "alarms: " in run.output


def test_what_cannot_pass_is_asked_once_and_names_what_to_ask_aws(
    doctor: Doctor, account: Account
) -> None:
    account.refusals["GetParameter"] = Refusal("400", "", 400)
    run = doctor()
    assert run.code == 1
    finding = run.finding("CDK bootstrap", "ssm:GetParameter failed with 400: no reason given")
    assert "ask AWS about GetParameter with the request id of-GetParameter" in finding
    assert "running it again does not help" in finding
    assert account.calls.count(("ssm", "GetParameter")) == 1


@pytest.mark.parametrize("status", [400, 429])
def test_throttling_may_pass(doctor: Doctor, account: Account, status: int) -> None:
    account.refusals["GetParameter"] = Refusal("ThrottlingException", "slow down", status)
    finding = doctor().finding("CDK bootstrap", "failed with ThrottlingException")
    assert finding.endswith("run it again")
    assert account.calls.count(("ssm", "GetParameter")) == 3


def test_an_answer_that_is_not_of_aws(doctor: Doctor, account: Account) -> None:
    """A proxy's page in place of XML, which botocore cannot read."""
    account.garbled.add("ListStackResources")
    account.storage["AGENT_EVENTS"] = [events()]
    run = doctor()
    assert run.code == 1
    finding = run.finding(
        "agent events: not seen", "cloudformation:ListStackResources cannot be read"
    )
    assert "check whether a proxy" in finding
    assert "alarms: " in run.output


def test_an_answer_of_unknown_quotas_leaves_the_documented_default(
    doctor: Doctor, account: Account
) -> None:
    account.denied.add("servicequotas:GetServiceQuota")
    run = doctor()
    assert run.code == 1
    assert run.finding("well  Lambda functions", "may have 50")
    assert run.finding("well  video streams", "10 calls at a time need 10", "of 10000")
