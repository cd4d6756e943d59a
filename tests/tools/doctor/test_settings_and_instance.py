"""The settings, the credentials and the instance: what is said of each, and what to do."""

from __future__ import annotations

import pytest

from .conftest import Doctor
from .fake_aws import (
    ACCOUNT,
    INSTANCE,
    REGION,
    Account,
    Json,
    Refusal,
)


def test_an_account_in_which_all_is_well(doctor: Doctor) -> None:
    run = doctor()
    assert run.code == 0
    assert "0 problems, 0 warnings" in run.output
    assert "→" not in run.output
    assert run.finding("well  credentials:", REGION)


# The environment's file


def test_a_file_of_ones_own_has_no_value_of_the_examples(doctor: Doctor) -> None:
    assert doctor().finding("well  environment's file: has none of the examples' values")


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        (
            {"asapp__trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp-role"]},
            "asapp.trusted_role_arns has the example arn:aws:iam::999999999999:role/asapp-role",
            "write the roles that ASAPP gave you",
        ),
        (
            {"alarms__email": "operations@example.com"},
            "alarms.email is the example operations@example.com",
            "write the address of who is on call",
        ),
        (
            {"tags__environment": "staging"},
            'tags.environment is "staging", and the file is prod.toml',
            'write environment = "prod" under [tags]',
        ),
        (
            {"asapp__external_id": None},
            "asapp.external_id is not set: ASAPP's role serves many customers",
            "agree on an external id with ASAPP",
        ),
    ],
)
def test_what_a_person_should_look_at_in_the_file_is_a_warning(
    doctor: Doctor, changes: dict[str, object], said: str, remedy: str
) -> None:
    run = doctor(**changes)
    assert run.code == 0
    assert remedy in run.finding("warning  environment's file", said)
    assert run.output.splitlines()[-1] == "0 problems, 1 warning"


def test_the_tag_of_this_environment_is_well(doctor: Doctor) -> None:
    assert "warning" not in doctor(tags__environment="prod").output.rpartition("\n0 problems")[0]


def test_the_file_is_looked_at_without_credentials(doctor: Doctor, account: Account) -> None:
    account.number = "444444444444"
    run = doctor(asapp__external_id=None)
    assert run.finding("warning  environment's file")
    assert run.output.splitlines()[-1] == "1 problem, 1 warning"


# Credentials


def test_credentials_of_another_account_are_used_for_nothing_else(
    doctor: Doctor, account: Account
) -> None:
    account.number = "444444444444"
    run = doctor()
    assert run.code == 1
    assert f"sign in to {ACCOUNT}" in run.finding("credentials", "are of account 444444444444")
    assert run.finding("skipped  the checks after it: not run")
    assert run.output.splitlines()[-1].startswith("1 problem, ")
    assert account.calls == [("sts", "GetCallerIdentity")]


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_does_not_accept(doctor: Doctor, account: Account, code: str) -> None:
    account.refusals["GetCallerIdentity"] = Refusal(code, "no longer good", 403)
    run = doctor()
    assert run.code == 1
    finding = run.finding(f"AWS does not accept the credentials ({code}: no longer good)")
    assert "sign in again" in finding and f"{REGION} is not enabled" in finding


def test_credentials_that_end_on_the_way(doctor: Doctor, account: Account) -> None:
    account.refusals["DescribeSecret"] = Refusal("ExpiredTokenException")
    run = doctor()
    assert run.code == 1
    assert "sign in again" in run.finding("ASAPP's credentials: AWS does not accept")
    assert run.finding("skipped  the checks after it: not run")
    assert "CDK bootstrap" not in run.output


def test_a_shell_in_another_region_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    run = doctor()
    assert run.code == 0
    assert f"export AWS_REGION={REGION}" in run.finding("warning", "shell's region is us-east-1")


# The instance


def test_an_instance_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.instance = None
    run = doctor()
    assert run.code == 1
    command = f"aws connect list-instances --region {REGION}"
    assert command in run.finding("Connect instance", f"{INSTANCE} does not exist")
    for check in ("live media streaming", "Lambda functions"):
        assert "connect.instance_arn" in run.finding(check, "the instance does not exist")
    assert "well  CDK bootstrap" in run.output


def test_an_instance_that_is_not_made_yet(doctor: Doctor, account: Account) -> None:
    account.instance = {
        "InstanceAlias": "acme",
        "InstanceStatus": "CREATION_FAILED",
        "StatusReason": {"Message": "no directory"},
    }
    run = doctor()
    assert run.code == 1
    assert "name another one" in run.finding("status is CREATION_FAILED (no directory)")


def test_an_instance_of_another_alias(doctor: Doctor, account: Account) -> None:
    account.instance = {"InstanceAlias": "acme-emea", "InstanceStatus": "ACTIVE"}
    run = doctor()
    assert run.code == 1
    finding = run.finding('its alias is "acme-emea", not "acme"')
    assert 'write connect.instance_alias = "acme-emea"' in finding


def replication(source: str) -> Json:
    """As DescribeInstance says it of both instances."""
    done = "INSTANCE_REPLICATION_COMPLETE"
    return {
        "SourceRegion": source,
        "GlobalSignInEndpoint": "https://acme.sign-in.connect.aws",
        "ReplicationStatusSummaryList": [
            {"Region": region, "ReplicationStatus": done} for region in (REGION, "eu-west-2")
        ],
    }


def test_an_instance_without_a_replica_is_no_finding(doctor: Doctor, account: Account) -> None:
    assert "replica" not in doctor().output


def test_of_a_replicated_instance_it_says_what_would_break(
    doctor: Doctor, account: Account
) -> None:
    account.replication = replication(REGION)
    run = doctor()
    assert run.code == 0
    finding = run.finding(
        "warning", "it is replicated to eu-west-2 (INSTANCE_REPLICATION_COMPLETE), where no call"
    )
    assert f"our flows name functions of {REGION}" in finding
    assert "the functions have generated names" in finding
    assert "docs/resiliency.md" in finding


def test_with_resiliency_it_says_where_the_functions_must_be_too(
    doctor: Doctor, account: Account
) -> None:
    account.replication = replication(REGION)
    run = doctor(connect__resiliency=True)
    assert run.finding("well", "it is replicated to eu-west-2", "functions must be deployed, too")
    assert "generated names" not in run.output


def test_into_a_replica_no_flows_are_deployed(doctor: Doctor, account: Account) -> None:
    account.replication = replication("eu-west-2")
    run = doctor()
    assert run.code == 0
    finding = run.finding("warning", "it is the replica of eu-west-2")
    assert "deploy access and transcription here, not flows: docs/resiliency.md" in finding
    assert "it is replicated to" not in run.output
