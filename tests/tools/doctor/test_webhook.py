"""The webhook's domains, certificates, authorities and token URL, before a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infra.transcripts.test_webhook_refusals import authority
from tools.doctor.checks import webhook as checked

from .conftest import Doctor
from .fake_aws import (
    CERTIFICATE,
    OTHER_CERTIFICATE,
    OWNER,
    REGION,
    Account,
    certificate,
    resource,
)

NAME, OF_CLIENTS = "transcripts.acme.example", "mtls.acme.example"
STACK = "autotranscribe-prod-transcription"
DOMAIN: dict[str, Any] = {"webhook__domain": NAME, "webhook__certificate_arn": CERTIFICATE}
MTLS: dict[str, Any] = {
    "webhook__auth": ["mtls"],
    "webhook_mtls__domain": OF_CLIENTS,
    "webhook_mtls__certificate_arn": OTHER_CERTIFICATE,
    "webhook_mtls__authorities_file": "examples/constructs/client_authorities.pem",
}
POOL: dict[str, Any] = {"webhook__auth": ["oauth2"], "webhook_oauth2__domain_prefix": "acme"}


@pytest.fixture(autouse=True)
def certificates(account: Account) -> None:
    account.certificates[CERTIFICATE] = certificate(NAME)
    account.certificates[OTHER_CERTIFICATE] = certificate("*.acme.example")
    account.certificates[OWNER] = certificate(OF_CLIENTS)


def test_a_secret_needs_no_domain(doctor: Doctor) -> None:
    assert doctor().finding("well  webhook: needs no domain and no certificate of yours")


def test_a_domain_that_the_deployment_will_make(doctor: Doctor) -> None:
    run = doctor(**DOMAIN)
    assert run.code == 0
    assert run.finding(f"well  webhook: webhook.certificate_arn is for {NAME}, and good until")
    assert run.finding(f"well  webhook: {NAME} is not there yet; the deployment makes it")


def test_the_domain_of_our_stack(doctor: Doctor, account: Account) -> None:
    account.domains[NAME] = {}
    account.stacks[STACK] = [resource("AWS::ApiGateway::DomainName", NAME)]
    assert doctor(**DOMAIN).finding(f"well  webhook: {NAME} is AVAILABLE")


def test_a_domain_of_somebody_else(doctor: Doctor, account: Account) -> None:
    account.domains[NAME] = {}
    run = doctor(**DOMAIN)
    assert run.code == 1
    finding = run.finding(f"problem  webhook: {NAME} exists in API Gateway, outside our")
    assert f"`aws apigateway delete-domain-name --domain-name {NAME} --region {REGION}`" in finding


def test_what_api_gateway_says_of_a_domain(doctor: Doctor, account: Account) -> None:
    account.stacks[STACK] = [resource("AWS::ApiGateway::DomainName", OF_CLIENTS)]
    account.domains[OF_CLIENTS] = {
        "domainNameStatus": "PENDING_CERTIFICATE_REIMPORT",
        "domainNameStatusMessage": "import it again",
        "mutualTlsAuthentication": {"truststoreWarnings": ["Certificate 2 has expired"]},
    }
    run = doctor(**MTLS)
    assert run.code == 0
    assert run.finding("warning  webhook", "of the authorities", "Certificate 2 has expired")
    assert run.finding("warning  webhook", "PENDING_CERTIFICATE_REIMPORT: import it again")


# Certificates


@pytest.mark.parametrize(
    ("changes", "severity", "said", "remedy"),
    [
        (
            {"Status": "PENDING_VALIDATION"},
            "problem",
            "is PENDING_VALIDATION: no domain can have it",
            "acm describe-certificate",
        ),
        (
            {"DomainName": "acme.example", "SubjectAlternativeNames": ["*.other.example"]},
            "problem",
            f"is for *.other.example, acme.example, not for {NAME}",
            f"write a certificate for {NAME} in webhook.certificate_arn",
        ),
        (
            {"DomainName": "*.example", "SubjectAlternativeNames": ["*.example"]},
            "problem",
            f"is for *.example, not for {NAME}",
            "write a certificate",
        ),
        ({"days": -0.5}, "problem", "has expired", "says why it is not renewed (RenewalSummary)"),
        (
            {"days": 29.5},
            "warning",
            "expires in 29 days",
            "says why it is not renewed (RenewalSummary)",
        ),
        (
            {"days": 29.5, "Type": "IMPORTED"},
            "warning",
            "expires in 29 days",
            "import a new one under the same ARN",
        ),
    ],
)
def test_a_certificate_that_the_domain_cannot_have_or_not_for_long(
    doctor: Doctor,
    account: Account,
    changes: dict[str, Any],
    severity: str,
    said: str,
    remedy: str,
) -> None:
    account.certificates[CERTIFICATE] = certificate(**{"name": NAME, **changes})
    run = doctor(**DOMAIN)
    assert run.code == (1 if severity == "problem" else 0)
    finding = run.finding(f"{severity}  webhook: {CERTIFICATE} {said}")
    assert remedy in finding


def test_a_certificate_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    del account.certificates[CERTIFICATE]
    run = doctor(**DOMAIN)
    assert run.code == 1
    finding = run.finding(f"problem  webhook: {CERTIFICATE} does not exist")
    assert f"`aws acm list-certificates --region {REGION}` shows it" in finding


@pytest.mark.parametrize("name", ["*.acme.example", "Transcripts.ACME.example"])
def test_a_name_that_covers_the_domain(doctor: Doctor, account: Account, name: str) -> None:
    account.certificates[CERTIFICATE] = certificate("x.example", SubjectAlternativeNames=[name])
    assert doctor(**DOMAIN).code == 0


@pytest.mark.parametrize("kind", ["IMPORTED", "PRIVATE"])
def test_a_certificate_of_your_own_authority_must_be_trusted_by_asapp(
    doctor: Doctor, account: Account, kind: str
) -> None:
    """*Custom CA*: without client certificates nothing else is needed."""
    account.certificates[CERTIFICATE] = certificate(NAME, Type=kind)
    finding = doctor(**DOMAIN).finding("well  webhook: webhook.certificate_arn is for")
    assert finding.endswith(f"It is {kind}: ASAPP must trust its authority.")


@pytest.mark.parametrize("kind", ["IMPORTED", "PRIVATE"])
def test_with_client_certificates_such_a_one_needs_another_that_shows_whose_the_name_is(
    doctor: Doctor, account: Account, kind: str
) -> None:
    account.certificates[OTHER_CERTIFICATE] = certificate(OF_CLIENTS, Type=kind)
    run = doctor(**MTLS)
    assert run.code == 1
    finding = run.finding(f"problem  webhook: {OTHER_CERTIFICATE} is {kind}: at a domain")
    assert "write it in webhook_mtls.ownership_certificate_arn" in finding
    assert doctor(**MTLS, webhook_mtls__ownership_certificate_arn=OWNER).code == 0
    account.certificates[OWNER] = certificate(OF_CLIENTS, Type=kind)
    run = doctor(**MTLS, webhook_mtls__ownership_certificate_arn=OWNER)
    assert run.finding(f"problem  webhook: {OWNER} is {kind}, and does not prove")


# The file of authorities


def test_each_authority_and_its_end(doctor: Doctor) -> None:
    run = doctor(**MTLS)
    assert run.code == 0
    assert run.finding(
        "well  webhook: examples/constructs/client_authorities.pem: the authority "
        "commonName=Example authority for client certificates is good until 2126-11-04"
    )


def test_an_authority_that_has_expired_and_a_file_that_cannot_be_used(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "ROOT", tmp_path)
    file = tmp_path / "own.pem"
    file.write_text(authority(2024) + authority(2130))
    own = MTLS | {"webhook_mtls__authorities_file": "own.pem"}
    run = doctor(**own)
    assert run.code == 1
    finding = run.finding(
        "problem  webhook: own.pem: the authority commonName=Ends 2024 has expired"
    )
    assert "deploy, and take the old one out later" in finding
    assert run.finding("well  webhook: own.pem: the authority commonName=Ends 2130")
    file.write_text("nothing")
    run = doctor(**own)
    assert run.code == 1
    assert run.finding("problem  webhook", f"{file} has no certificates", "correct webhook_mtls")


# The token URL


def test_a_prefix_that_nobody_has_yet(doctor: Doctor) -> None:
    run = doctor(**POOL)
    assert run.code == 0
    assert run.finding("well  webhook's tokens: no pool of this account has the prefix acme yet")


def test_the_prefix_of_our_stack(doctor: Doctor, account: Account) -> None:
    account.pools["acme"] = "eu-central-1_ours"
    account.stacks[STACK] = [resource("AWS::Cognito::UserPoolDomain", "acme")]
    assert doctor(**POOL).finding("well  webhook's tokens: our pool has the prefix acme")


def test_a_prefix_that_a_pool_which_was_left_behind_still_has(
    doctor: Doctor, account: Account
) -> None:
    account.pools["acme"] = "eu-central-1_old"
    run = doctor(**POOL)
    assert run.code == 1
    finding = run.finding(
        "problem  webhook's tokens: the prefix acme belongs to the pool eu-central-1_old"
    )
    assert "cognito-idp delete-user-pool-domain --domain acme --user-pool-id" in finding
