"""The webhook's domains and their certificates, the authorities it trusts, and its token URL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connect_settings.truststore import expiries_of, faults_of
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

ROOT = Path(__file__).parents[3]
_SOON_DAYS = 30


def webhook(plan: Plan) -> Findings:
    webhook, mtls = plan.settings.webhook, plan.settings.webhook_mtls
    found = False
    if webhook.domain and webhook.certificate_arn:
        found = True
        yield from _certificate(plan, "webhook.certificate_arn", webhook.domain)
        yield from _domain(plan, webhook.domain)
    if "mtls" in webhook.auth and mtls.domain and mtls.authorities_file:
        found = True
        yield from _certificate(
            plan, "webhook_mtls.certificate_arn", mtls.domain, asks_for_certificates=True
        )
        if mtls.ownership_certificate_arn:
            yield from _certificate(plan, "webhook_mtls.ownership_certificate_arn", mtls.domain)
        yield from _domain(plan, mtls.domain)
        yield from _authorities(mtls.authorities_file)
    if not found:
        yield well("needs no domain and no certificate of yours")


def _certificate(
    plan: Plan, setting: str, domain: str, *, asks_for_certificates: bool = False
) -> Findings:
    table, _, key = setting.partition(".")
    arn: str = getattr(getattr(plan.settings, table), key)
    absent = ("ResourceNotFoundException",)
    answer = plan.aws.read("acm", "describe_certificate", absent=absent, CertificateArn=arn)
    if answer is None:
        shows = plan.command("acm list-certificates")
        yield problem(f"{arn} does not exist", f"write {setting}: {shows} shows it")
        return
    certificate = answer["Certificate"]
    wrong = list(certificate_faults(plan.settings.region, certificate, domain, setting))
    kind = certificate["Type"]
    lacks_owner = not plan.settings.webhook_mtls.ownership_certificate_arn
    if asks_for_certificates and kind != "AMAZON_ISSUED" and lacks_owner:
        wrong.append(
            problem(
                f"{arn} is {kind}: at a domain that asks for client certificates, API Gateway "
                "also needs a public certificate, which proves that the name is yours",
                "request one for the same name, and write it in "
                "webhook_mtls.ownership_certificate_arn",
            )
        )
    if key == "ownership_certificate_arn" and kind != "AMAZON_ISSUED":
        wrong.append(
            problem(
                f"{arn} is {kind}, and does not prove that the name is yours",
                f"write a certificate in {setting} that Certificate Manager issued",
            )
        )
    yield from wrong
    if not wrong:
        trust = "" if kind == "AMAZON_ISSUED" else f" It is {kind}: ASAPP must trust its authority."
        ends = certificate["NotAfter"].date()
        yield well(f"{setting} is for {domain}, and good until {ends}.{trust}")


def certificate_faults(
    region: str, certificate: dict[str, Any], domain: str, setting: str
) -> Findings:
    """Why a domain cannot have a certificate, or not for long."""
    arn, status = certificate["CertificateArn"], certificate["Status"]
    described = f"`aws acm describe-certificate --certificate-arn {arn} --region {region}`"
    if status != "ISSUED":
        remedy = f"{described} says what it waits for"
        yield problem(f"{arn} is {status}: no domain can have it", remedy)
        return
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}
    if not any(_covers(name, domain) for name in names):
        listed = ", ".join(sorted(names))
        yield problem(
            f"{arn} is for {listed}, not for {domain}",
            f"write a certificate for {domain} in {setting}",
        )
    days = (certificate["NotAfter"] - datetime.now(UTC)).days
    if days < _SOON_DAYS:
        how = "import a new one under the same ARN"
        if certificate["Type"] != "IMPORTED":
            how = f"{described} says why it is not renewed (RenewalSummary)"
        when = "has expired" if days < 0 else f"expires in {days} days"
        yield (problem if days < 0 else warning)(f"{arn} {when}", how)


def _covers(name: str, domain: str) -> bool:
    """A wildcard stands for one label."""
    if name.startswith("*."):
        return domain.partition(".")[2].lower() == name[2:].lower()
    return name.lower() == domain.lower()


def _domain(plan: Plan, name: str) -> Findings:
    answer = plan.aws.read(
        "apigateway", "get_domain_name", absent=("NotFoundException",), domainName=name
    )
    if answer is None:
        yield well(f"{name} is not there yet; the deployment makes it")
        return
    if name not in plan.deployed("transcription", "AWS::ApiGateway::DomainName"):
        delete = plan.command(f"apigateway delete-domain-name --domain-name {name}")
        yield problem(
            f"{name} exists in API Gateway, outside our stack: the deployment fails",
            f"write another name, or, if nothing uses it, {delete}",
        )
        return
    status = answer.get("domainNameStatus", "AVAILABLE")
    warnings = answer.get("mutualTlsAuthentication", {}).get("truststoreWarnings", [])
    for said in warnings:
        yield warning(
            f"API Gateway says of the authorities of {name}: {said}",
            "correct webhook_mtls.authorities_file, and deploy",
        )
    if status != "AVAILABLE":
        why = answer.get("domainNameStatusMessage", "no reason given")
        yield warning(f"{name} is {status}: {why}", "wait, or check the certificates")
    elif not warnings:
        yield well(f"{name} is {status}")


def _authorities(path: str) -> Findings:
    file = ROOT / path
    faults = list(faults_of(file))
    yield from (problem(each, "correct webhook_mtls.authorities_file") for each in faults)
    yield from () if faults else _expiries(path, expiries_of(file))


def _expiries(path: str, expiries: dict[str, int]) -> Iterator[Any]:
    now = datetime.now(UTC)
    for name, seconds in expiries.items():
        ends = datetime.fromtimestamp(seconds, UTC)
        days = (ends - now).days
        if days < _SOON_DAYS:
            when = "has expired" if days < 0 else f"expires in {days} days"
            yield (problem if days < 0 else warning)(
                f"{path}: the authority {name} {when}; then ASAPP's certificate is refused",
                "add the new authority to the file, deploy, and take the old one out later",
            )
        else:
            yield well(f"{path}: the authority {name} is good until {ends.date()}")


def webhook_tokens(plan: Plan) -> Findings:
    """The start of the token URL, of which a region has one."""
    prefix = plan.settings.webhook_oauth2.domain_prefix
    if "oauth2" not in plan.settings.webhook.auth or not prefix:
        yield well("come from no pool of the stack")
        return
    yield from user_pool_prefix(plan, "transcription", "webhook_oauth2.domain_prefix", prefix)


def user_pool_prefix(plan: Plan, stack: str, setting: str, prefix: str) -> Findings:
    """Whether the stack's user pool can have this prefix."""
    answer = plan.aws.read("cognito-idp", "describe_user_pool_domain", Domain=prefix) or {}
    pool = answer.get("DomainDescription", {}).get("UserPoolId")
    if pool and prefix not in plan.deployed(stack, "AWS::Cognito::UserPoolDomain"):
        delete = f"cognito-idp delete-user-pool-domain --domain {prefix} --user-pool-id {pool}"
        yield problem(
            f"the prefix {prefix} belongs to the pool {pool}, outside our stack: the deployment "
            "fails. It may be one that an earlier change left behind",
            f"write another {setting}, or {plan.command(delete)}",
        )
    elif pool:
        yield well(f"our pool has the prefix {prefix}")
    else:
        yield well(f"no pool of this account has the prefix {prefix} yet")
