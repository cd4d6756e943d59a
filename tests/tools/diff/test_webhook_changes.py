"""Who gets in at the webhook is said first, in words, whatever lets them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tools.diff.markdown import Report

from .conftest import Compare, Json, stack
from .test_prepared_changes import after

FIRST = "### ⚠️ Look here first"


def of_prod(report: Report) -> list[str]:
    return [
        line.removeprefix("- ").removesuffix(" — `prod`")
        for line in after(FIRST, report).splitlines()
    ]


def test_a_switch_of_the_authentication_is_the_sentences_of_its_settings(
    prepared: Mapping[str, Report],
) -> None:
    said = of_prod(prepared["authentication_switched"])
    assert [line for line in said if line.startswith("`webhook")] == [
        '`webhook.auth` `["secret"]` → `["oauth2", "mtls"]`: Callers of the webhook are '
        "authenticated another way.",
        '`webhook.tls` `"1.2"` → `"1.3"`: Callers that speak the older version are let in, or no '
        "longer.",
        '`webhook_oauth2.issuer` (not set) → `"https://acme.okta.com/oauth2/default"`: The tokens '
        "of another issuer open the webhook.",
        '`webhook_oauth2.keys_url` (not set) → `"https://acme.okta.com/oauth2/default/v1/keys"`: '
        "Tokens that other keys sign open the webhook.",
        '`webhook_oauth2.audience` (not set) → `"transcripts"`: Other tokens of the issuer open '
        "the webhook.",
        '`webhook_mtls.domain` (not set) → `"mtls.transcripts.acme.example"`: ASAPP must be told '
        "the webhook's new address.",
        "`webhook_mtls.certificate_arn` (not set) → `"
        '"arn:aws:acm:eu-central-1:333333333333:certificate/33333333-3333-4333-8333-333333333334"'
        "`: If ASAPP does not trust the new certificate's authority, utterances are lost.",
        "`webhook_mtls.authorities_file` (not set) → "
        '`"infra/environments/prod-client-authorities.pem"`: Client certificates of other '
        "authorities open the webhook.",
        '`webhook_mtls.subject` (not set) → `"CN=webhook.asapp.com"`: Other client certificates '
        "open the webhook.",
    ]
    (secret,) = (line for line in said if line.startswith("`TranscriptWebhook/Secret`"))
    assert "(`SecretsManager::Secret`) is **removed**" in secret
    assert "It stays in the account, outside the stack, with its value." in secret
    assert "Files of an unknown kind" not in "\n".join(said)


def test_issuer_subject_authorities_tls_and_domain_are_each_said(
    prepared: Mapping[str, Report],
) -> None:
    said = of_prod(prepared["webhook_opened"])
    settings = [line for line in said if line.startswith("`webhook")]
    assert [line.split("`: ")[0].split("` ")[0] + "`" for line in settings[:4]] == [
        "`webhook.tls`",
        "`webhook_oauth2.issuer`",
        "`webhook_oauth2.keys_url`",
        "`webhook_mtls.domain`",
    ]
    assert settings[4] == (
        '`webhook_mtls.subject` `"CN=webhook.asapp.com"` → (not set): Other client certificates '
        "open the webhook."
    )
    templates = "\n".join(line for line in said if not line.startswith("`webhook"))
    for sentence in (
        # The path of the file is the same, and its content is in no setting.
        "`ClientCertificateDomain/DomainName` (`ApiGateway::DomainName`) trusts **other "
        "authorities**: client certificates that they signed open it.",
        "`TranscriptWebhook/Api/RestApi` (`ApiGateway::RestApi`) accepts **an older "
        "TLS**: `1.3` → `1.2`.",
        "`ClientCertificateDomain/DomainName` (`ApiGateway::DomainName`) is **replaced**: "
        "`DomainName` cannot change in place. The output `WebhookCertificateUrl` changes "
        "(`ASAPP posts each utterance here; give it to ASAPP`).",
        "`whose client certificate ClientCertificateDomain/DomainName trusts` **may now** `POST` "
        "on `TranscriptWebhook/ClientCertificateApi/RestApi/Default/transcripts/POST`.",
    ):
        assert sentence in templates, sentence


# One property at a time


def resource(kind: str, **properties: Any) -> Json:
    return {"Type": f"AWS::ApiGateway::{kind}", "Properties": properties}


TRUSTS = {"TruststoreUri": "s3://bucket/one.pem"}


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        (
            "DomainName",
            {"MutualTlsAuthentication": TRUSTS},
            {"MutualTlsAuthentication": {"TruststoreUri": "s3://bucket/two.pem"}},
            "trusts **other authorities**: client certificates that they signed open it.",
        ),
        (
            "DomainName",
            {"MutualTlsAuthentication": TRUSTS},
            {},
            "**no longer asks for a client certificate**.",
        ),
        (
            "DomainName",
            {"SecurityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"},
            {"SecurityPolicy": "TLS_1_2"},
            "accepts **an older TLS**: `1.3` → `1.2`.",
        ),
        (
            "RestApi",
            {"SecurityPolicy": "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"},
            {},
            "accepts **an older TLS**: `1.2` → `1.0`.",
        ),
        (
            "RestApi",
            {"DisableExecuteApiEndpoint": True},
            {},
            "answers **at API Gateway's own name** too, where no domain asks for a certificate.",
        ),
        (
            "Method",
            {"AuthorizationScopes": ["transcripts/write"]},
            {},
            "lets **every access token** of the pool in, whatever its scope.",
        ),
        (
            "Method",
            {"AuthorizationScopes": ["transcripts/write"]},
            {"AuthorizationScopes": ["transcripts/read"]},
            "lets access tokens **with other scopes** in.",
        ),
        (
            "Authorizer",
            {"AuthorizerResultTtlInSeconds": 0},
            {"AuthorizerResultTtlInSeconds": 300},
            "**is no longer asked at each request**: its answer is cached, also for others.",
        ),
    ],
)
def test_what_lets_more_in_is_said_first_and_its_opposite_is_not(
    kind: str, old: Json, new: Json, said: str, compare: Compare
) -> None:
    always = {"HttpMethod": "POST", "AuthorizationType": "AWS_IAM"} if kind == "Method" else {}
    before, after_ = ({"web": stack(It=resource(kind, **always, **each))} for each in (old, new))
    report = compare(before, after_)
    assert after(FIRST, report) == f"- `It` (`ApiGateway::{kind}`) {said} — `web`: `dev`"


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("DomainName", {}, {"MutualTlsAuthentication": TRUSTS}),
        ("DomainName", {"SecurityPolicy": "TLS_1_2"}, {}),
        ("RestApi", {}, {"SecurityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"}),
        ("RestApi", {}, {"DisableExecuteApiEndpoint": True}),
        ("Authorizer", {"AuthorizerResultTtlInSeconds": 300}, {"AuthorizerResultTtlInSeconds": 0}),
    ],
)
def test_what_lets_fewer_in_is_a_change_like_others(
    kind: str, old: Json, new: Json, compare: Compare
) -> None:
    report = compare(
        {"web": stack(It=resource(kind, **old))}, {"web": stack(It=resource(kind, **new))}
    )
    assert FIRST not in report.markdown()
    assert "`It`" in report.markdown()


MAPPED = {"DomainName": {"Ref": "Domain"}, "RestApiId": {"Ref": "Api"}}


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({}, "whose client certificate Domain trusts"),
        ({"Api": resource("RestApi")}, "anybody"),
        ({"Domain": resource("DomainName")}, "anybody"),
        ({"Mapping": resource("BasePathMapping", RestApiId={"Ref": "Api"})}, "anybody"),
    ],
)
def test_a_method_that_asks_nobody_is_open_to_all_but_behind_client_certificates(
    changes: Json, who: str, compare: Compare
) -> None:
    method = resource(
        "Method", HttpMethod="POST", AuthorizationType="NONE", RestApiId={"Ref": "Api"}
    )
    behind = {
        "Api": resource("RestApi", DisableExecuteApiEndpoint=True),
        "Domain": resource("DomainName", MutualTlsAuthentication=TRUSTS),
        "Mapping": resource("BasePathMapping", **MAPPED),
    } | changes
    report = compare({"web": stack(**behind)}, {"web": stack(**behind, Post=method)})
    assert after(FIRST, report) == f"- `{who}` **may now** `POST` on `Post`. — `web`: `dev`"
