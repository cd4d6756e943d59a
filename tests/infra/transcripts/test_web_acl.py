"""The web ACL: what it keeps away from the throttle that ASAPP's POSTs share, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_certificatemanager as acm

from connect_autotranscribe import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
    TranscriptStore,
    TranscriptWebhook,
    WebAcl,
    WebhookDomain,
)
from tests.infra.conftest import ACCOUNT, Deployed, Json, new_stack, synthesise

ID = "11111111-1111-4111-8111-111111111111"
CERTIFICATE = f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/{ID}"
AUTHORITIES = Path(__file__).parents[3] / "examples/constructs/client_authorities.pem"
MINE = f"arn:aws:wafv2:eu-central-1:{ACCOUNT}:regional/webacl/mine/{ID}"
TOKENS = IssuedTokens(
    issuer="https://acme.okta.com", keys_url="https://acme.okta.com/keys", client_id="asapp"
)


def webhook(stack: Stack, **given: Any) -> TranscriptWebhook:
    table = TranscriptStore(stack, "Store").table
    return TranscriptWebhook(stack, "Webhook", table=table, **given)


def deployed(**given: Any) -> Deployed:
    stack = new_stack()
    webhook(stack, **given)
    return Deployed(stack)


def certificate(stack: Stack, secret: SharedSecret | None = None) -> ClientCertificate:
    domain = WebhookDomain(
        stack,
        "Domain",
        name="mtls.acme.com",
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE),
        client_authorities=AUTHORITIES,
    )
    return ClientCertificate(domain=domain.domain_name, secret=secret)


def carries(where: str, name: str) -> Json:
    return {
        "SizeConstraintStatement": {
            "FieldToMatch": {where: {"Name": name}},
            "ComparisonOperator": "GT",
            "Size": 0,
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }


def rule(place: int, name: str, action: str, statement: Json) -> Json:
    return {
        "Name": name,
        "Priority": place,
        "Action": {action: {}},
        "Statement": statement,
        "VisibilityConfig": counted(name),
    }


def counted(name: str) -> Json:
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,
    }


def too_many(limit: int, place: int = 1) -> Json:
    rate = {"AggregateKeyType": "IP", "EvaluationWindowSec": 60, "Limit": limit}
    return rule(place, "TooManyOfAnAddress", "Block", {"RateBasedStatement": rate})


def test_who_carries_no_credential_and_who_sends_too_many_is_blocked() -> None:
    """The whole of it: no rule more, and no field that would show what a request carries."""
    made = deployed(web_acl=WebAcl()).one("AWS::WAFv2::WebACL")["Properties"]
    assert made == {
        "Scope": "REGIONAL",
        "Description": "Blocks floods before they take the room of utterances",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": counted("WebAcl"),
        "Rules": [
            rule(
                0,
                "WithoutCredential",
                "Block",
                {"NotStatement": {"Statement": carries("SingleHeader", "x-webhook-secret")}},
            ),
            too_many(6_000),
        ],
        "DataProtectionConfig": {
            "DataProtections": [
                {
                    "Field": {"FieldType": "SINGLE_HEADER", "FieldKeys": ["x-webhook-secret"]},
                    "Action": "SUBSTITUTION",
                }
            ]
        },
    }


@pytest.mark.parametrize(
    ("auth", "carried", "hidden"),
    [
        (
            [SharedSecret(secret_in="query", secret_name="token")],
            carries("SingleQueryArgument", "token"),
            [{"FieldType": "QUERY_STRING"}],
        ),
        (
            [TOKENS],
            carries("SingleHeader", "Authorization"),
            [{"FieldType": "SINGLE_HEADER", "FieldKeys": ["Authorization"]}],
        ),
        (
            [
                SharedSecret(secret_in="query", secret_name="token"),
                ClientCredentials(domain_prefix="acme", header="x-token"),
            ],
            {
                "OrStatement": {
                    "Statements": [
                        carries("SingleQueryArgument", "token"),
                        carries("SingleHeader", "x-token"),
                    ]
                }
            },
            [
                {"FieldType": "SINGLE_HEADER", "FieldKeys": ["x-token"]},
                {"FieldType": "QUERY_STRING"},
            ],
        ),
    ],
    ids=["query", "token", "two ways"],
)
def test_a_credential_of_any_of_the_ways_will_do_and_none_is_shown(
    auth: Sequence[Any], carried: Json, hidden: list[Json]
) -> None:
    made = deployed(web_acl=WebAcl(), auth=auth).one("AWS::WAFv2::WebACL")["Properties"]
    assert made["Rules"][0]["Statement"] == {"NotStatement": {"Statement": carried}}
    assert made["DataProtectionConfig"]["DataProtections"] == [
        {"Field": field, "Action": "SUBSTITUTION"} for field in hidden
    ]


def test_of_named_networks_each_may_call_and_no_other_address() -> None:
    """They are not counted: a limit could only block ASAPP."""
    networks = ["203.0.113.0/24", "2001:db8::/32"]
    made = deployed(web_acl=WebAcl(), allowed_cidrs=networks)
    resources = made.template["Resources"]
    web_acl = made.one("AWS::WAFv2::WebACL")["Properties"]
    assert web_acl["DefaultAction"] == {"Block": {}}
    assert [each["Name"] for each in web_acl["Rules"]] == ["WithoutCredential", "AllowedNetworks"]
    assert web_acl["Rules"][1]["Action"] == {"Allow": {}}
    allowed = web_acl["Rules"][1]["Statement"]["OrStatement"]["Statements"]
    sets = [
        resources[each["IPSetReferenceStatement"]["Arn"]["Fn::GetAtt"][0]]["Properties"]
        for each in allowed
    ]
    description = "The networks that may post utterances"
    assert sets == [
        {
            "Scope": "REGIONAL",
            "Description": description,
            "IPAddressVersion": version,
            "Addresses": [network],
        }
        for version, network in zip(("IPV4", "IPV6"), networks, strict=True)
    ]


def test_every_stage_of_the_webhook_has_one() -> None:
    stack = new_stack()
    ours = webhook(stack, web_acl=WebAcl(), auth=[SharedSecret(), certificate(stack)])
    made = Deployed(stack)
    web_acls = [key for key, each in made.template["Resources"].items() if "WebACL" in each["Type"]]
    assert len(web_acls) == 4, "a web ACL and its association for each"
    associations = [each["Properties"] for each in made.all("AWS::WAFv2::WebACLAssociation")]
    assert [each["ResourceArn"] for each in associations] == [
        made.value(api.rest_api.deployment_stage.stage_arn) for api in ours.apis
    ]
    assert len({str(each["WebACLArn"]) for each in associations}) == 2
    stage = "/stages/"
    assert all(stage in each["ResourceArn"]["Fn::Join"][1] for each in associations)


def test_a_client_certificate_was_checked_before_and_needs_no_other_credential() -> None:
    stack = new_stack()
    webhook(stack, web_acl=WebAcl(requests_a_minute=15_000), auth=[certificate(stack)])
    made = Deployed(stack).one("AWS::WAFv2::WebACL")["Properties"]
    assert made["Rules"] == [too_many(15_000, place=0)]
    assert "DataProtectionConfig" not in made


def test_a_secret_that_is_demanded_with_the_certificate_counts() -> None:
    stack = new_stack()
    webhook(stack, web_acl=WebAcl(), auth=[certificate(stack, SharedSecret())])
    first = Deployed(stack).one("AWS::WAFv2::WebACL")["Properties"]["Rules"][0]
    assert first["Statement"] == {
        "NotStatement": {"Statement": carries("SingleHeader", "x-webhook-secret")}
    }


def test_it_writes_no_log_where_a_misspelt_header_would_show_a_secret() -> None:
    assert not deployed(web_acl=WebAcl()).all("AWS::WAFv2::LoggingConfiguration")


def test_a_web_acl_of_ones_own_is_used_and_none_is_made() -> None:
    made = deployed(web_acl=MINE)
    assert made.one("AWS::WAFv2::WebACLAssociation")["Properties"]["WebACLArn"] == MINE
    assert not made.all("AWS::WAFv2::WebACL")


def test_there_is_none_unless_it_is_asked_for() -> None:
    types = {each["Type"] for each in deployed().template["Resources"].values()}
    assert not [each for each in types if "WAF" in each]


@pytest.mark.parametrize("web_acl", [None, WebAcl()], ids=["none", "made"])
def test_aws_solutions_finding_is_accepted_only_where_there_is_none(
    web_acl: WebAcl | None, tmp_path: Path
) -> None:
    def fill(app: App) -> None:
        stack = Stack(app, "Stack", env=Environment(account=ACCOUNT, region="eu-central-1"))
        made = webhook(stack, web_acl=web_acl)
        stage = made.apis[0].rest_api.deployment_stage.node
        accepted.extend(str(each.data) for each in stage.metadata)

    accepted: list[str] = []
    assembly = synthesise(tmp_path, fill)
    assert [each for each in assembly.findings if each[0] == "AwsSolutions-APIG3"] == []
    assert any("APIG3" in each for each in accepted) == (web_acl is None)


@pytest.mark.parametrize("limit", [9, 2_000_000_001, 60.5])
def test_a_limit_that_aws_waf_refuses_is_refused_here(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"WebAcl\.requests_a_minute: .*write 10 to 2000000000"):
        deployed(web_acl=WebAcl(requests_a_minute=limit))


@pytest.mark.parametrize(("where", "longest"), [("header", 64), ("query", 30)])
def test_a_name_that_aws_waf_cannot_look_for_is_refused_here(where: Any, longest: int) -> None:
    secret = SharedSecret(secret_in=where, secret_name="s" * (longest + 1))
    deployed(auth=[secret])
    with pytest.raises(ValueError, match=rf"secret_name: is too long .* up to {longest} char"):
        deployed(auth=[secret], web_acl=WebAcl())
