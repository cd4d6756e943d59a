"""How ASAPP proves at the webhook who it is: what each way makes, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connect_autotranscribe import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
)
from tests.infra.conftest import Json, allow
from tests.infra.transcripts.webhook_stack import (
    AUTHORITIES,
    OF_CLIENTS,
    OF_DOMAIN,
    Way,
    Webhook,
    certificate_arn,
)

SECRET = SharedSecret()
POOL = ClientCredentials(domain_prefix="acme-prod-transcripts")
ISSUER = IssuedTokens(
    issuer="https://acme.okta.com/oauth2/default",
    keys_url="https://acme.okta.com/oauth2/default/v1/keys",
    client_id="0oa1b2c3",
)


def by_certificate(**given: Any) -> Way:
    return lambda domain: ClientCertificate(domain=domain, **given)


CERTIFICATE = by_certificate()
ASAPPS = by_certificate(subject="CN=webhook.asapp.com")
WAYS: dict[str, Way] = {"secret": SECRET, "pool": POOL, "issuer": ISSUER, "mtls": CERTIFICATE}


@cache
def made(*names: str, with_domain: bool = False) -> Webhook:
    return Webhook(*(WAYS[each] for each in names), with_domain=with_domain)


# What must be proved, and where


def test_a_secret_is_asked_for_at_transcripts_and_the_answer_is_kept_for_five_minutes() -> None:
    webhook = made("secret")
    method = webhook.at("/transcripts")
    assert method["AuthorizationType"] == "CUSTOM"
    assert webhook.authorizer(method) == {
        "Type": "REQUEST",
        "IdentitySource": "method.request.header.x-webhook-secret",
        "AuthorizerResultTtlInSeconds": 300,
    }
    assert webhook.webhook.secret
    assert webhook.asked(method) == {
        "WEBHOOK_SECRET": {"Ref": webhook.identifier(webhook.webhook.secret)},
        "SECRET_IN": "header",
        "SECRET_NAME": "x-webhook-secret",
    }


def test_api_gateway_itself_asks_for_a_token_of_the_pool_with_the_one_scope() -> None:
    webhook = made("pool")
    method = webhook.at("/transcripts/oauth2")
    assert method["AuthorizationType"] == "COGNITO_USER_POOLS"
    assert method["AuthorizationScopes"] == ["transcripts/write"]
    (pool,) = ids(webhook, "AWS::Cognito::UserPool")
    assert webhook.authorizer(method) == {
        "Type": "COGNITO_USER_POOLS",
        "IdentitySource": "method.request.header.Authorization",
        "ProviderARNs": [{"Fn::GetAtt": [pool, "Arn"]}],
        "AuthorizerResultTtlInSeconds": 60,
    }
    assert set(webhook.webhook.functions) == {"StoreTranscript"}, "no function of ours is asked"


def test_a_function_asks_for_a_token_of_your_issuer_and_knows_all_that_it_must_be() -> None:
    webhook = made("issuer")
    method = webhook.at("/transcripts/oauth2")
    assert method["AuthorizationType"] == "CUSTOM"
    assert webhook.authorizer(method) == {
        "Type": "REQUEST",
        "IdentitySource": "method.request.header.Authorization",
        "AuthorizerResultTtlInSeconds": 60,
    }
    assert webhook.asked(method) == {
        "TOKEN_HEADER": "Authorization",
        "TOKEN_ISSUER": "https://acme.okta.com/oauth2/default",
        "TOKEN_KEYS_URL": "https://acme.okta.com/oauth2/default/v1/keys",
        "TOKEN_CLIENT_ID": "0oa1b2c3",
    }
    everything = IssuedTokens(
        issuer="https://login.acme.example",
        keys_url="https://login.acme.example/keys",
        audience="transcripts",
        scope="transcripts.write",
        client_id="asapp",
        header="x-token",
    )
    other = Webhook(everything)
    method = other.at("/transcripts/oauth2")
    assert other.authorizer(method)["IdentitySource"] == "method.request.header.x-token"
    assert other.asked(method) == {
        "TOKEN_HEADER": "x-token",
        "TOKEN_ISSUER": "https://login.acme.example",
        "TOKEN_KEYS_URL": "https://login.acme.example/keys",
        "TOKEN_AUDIENCE": "transcripts",
        "TOKEN_SCOPE": "transcripts.write",
        "TOKEN_CLIENT_ID": "asapp",
    }


def test_a_client_certificate_is_asked_for_by_the_domain_before_any_request() -> None:
    webhook = made("mtls")
    method = webhook.at("/transcripts", client_domain=True)
    assert method["AuthorizationType"] == "NONE"
    assert "AuthorizerId" not in method
    assert webhook.all("AWS::ApiGateway::Authorizer") == []
    assert set(webhook.webhook.functions) == {"StoreTranscript"}
    assert "MutualTlsAuthentication" in domain_of_clients(webhook)


def test_a_subject_is_checked_at_each_post_because_no_answer_is_kept() -> None:
    """An answer is kept by what the caller sends: anybody else's certificate has the same."""
    webhook = Webhook(ASAPPS)
    method = webhook.at("/transcripts", client_domain=True)
    assert method["AuthorizationType"] == "CUSTOM"
    assert webhook.authorizer(method) == {
        "Type": "REQUEST",
        "IdentitySource": "",
        "AuthorizerResultTtlInSeconds": 0,
    }
    assert webhook.asked(method) == {"CERTIFICATE_SUBJECT": "CN=webhook.asapp.com"}


@pytest.mark.parametrize(("subject", "kept"), [("CN=webhook.asapp.com", 0), (None, 300)])
def test_a_secret_beside_the_certificate_is_demanded_as_well(
    subject: str | None, kept: int
) -> None:
    secret = SharedSecret(secret_name="x-other")
    webhook = Webhook(by_certificate(subject=subject, secret=secret))
    method = webhook.at("/transcripts", client_domain=True)
    assert webhook.authorizer(method) == {
        "Type": "REQUEST",
        "IdentitySource": "method.request.header.x-other",
        "AuthorizerResultTtlInSeconds": kept,
    }
    assert webhook.webhook.secret
    assert webhook.asked(method) == {
        **({"CERTIFICATE_SUBJECT": subject} if subject else {}),
        "WEBHOOK_SECRET": {"Ref": webhook.identifier(webhook.webhook.secret)},
        "SECRET_IN": "header",
        "SECRET_NAME": "x-other",
    }


@pytest.mark.parametrize("names", [("secret", "pool", "mtls"), ("issuer", "mtls"), ("pool",)])
def test_no_path_is_open_to_whoever_proves_nothing(names: tuple[str, ...]) -> None:
    webhook = made(*names)
    methods = webhook.all("AWS::ApiGateway::Method")
    assert len(methods) == len(names)
    for method in methods:
        api = webhook.template["Resources"][method["Properties"]["RestApiId"]["Ref"]]
        closed = api["Properties"].get("DisableExecuteApiEndpoint")
        assert method["Properties"]["AuthorizationType"] != "NONE" or closed


# The pool


def ids(webhook: Webhook, kind: str) -> list[str]:
    resources = webhook.template["Resources"].items()
    return [id for id, each in resources if each["Type"] == kind]


def test_a_client_can_only_get_a_token_for_itself_for_the_one_scope_and_with_its_secret() -> None:
    webhook = made("pool")
    (pool,) = ids(webhook, "AWS::Cognito::UserPool")
    (server,) = ids(webhook, "AWS::Cognito::UserPoolResourceServer")
    assert webhook.template["Resources"][server]["Properties"] == {
        "UserPoolId": {"Ref": pool},
        "Identifier": "transcripts",
        "Name": "transcripts",
        "Scopes": [{"ScopeName": "write", "ScopeDescription": "Post utterances to the webhook"}],
    }
    assert webhook.one("AWS::Cognito::UserPoolClient")["Properties"] == {
        "UserPoolId": {"Ref": pool},
        "ClientName": "asapp",
        "GenerateSecret": True,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": [{"Fn::Join": ["", [{"Ref": server}, "/write"]]}],
        "SupportedIdentityProviders": ["COGNITO"],
        "AccessTokenValidity": 60,
        "TokenValidityUnits": {"AccessToken": "minutes"},
        "EnableTokenRevocation": True,
    }


def test_nobody_can_sign_up_in_the_pool() -> None:
    pool = made("pool").one("AWS::Cognito::UserPool")["Properties"]
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


@pytest.mark.parametrize("kind", ["UserPool", "UserPoolDomain"])
def test_pool_and_token_url_outlive_their_stack(kind: str) -> None:
    resource = made("pool").one(f"AWS::Cognito::{kind}")
    fate = resource["DeletionPolicy"], resource["UpdateReplacePolicy"]
    assert fate == ("RetainExceptOnCreate", "Retain")


def test_another_name_replaces_neither_pool_nor_token_url() -> None:
    """The pool has no name of ours, and no logical id has the prefix or a client's name."""
    one = made("pool")
    other = Webhook(ClientCredentials(domain_prefix="acme-new", clients=["asapp", "asapp-next"]))
    for kind in ("UserPool", "UserPoolDomain", "UserPoolResourceServer"):
        assert ids(one, f"AWS::Cognito::{kind}") == ids(other, f"AWS::Cognito::{kind}")
    assert "UserPoolName" not in one.one("AWS::Cognito::UserPool")["Properties"]
    assert set(ids(one, "AWS::Cognito::UserPoolClient")) < set(
        ids(other, "AWS::Cognito::UserPoolClient")
    ), "a second client leaves the first as it is"


def test_the_value_of_a_clients_secret_is_in_no_template() -> None:
    webhook = made("pool")
    (client,) = ids(webhook, "AWS::Cognito::UserPoolClient")
    secret = webhook.one("AWS::SecretsManager::Secret")
    assert secret["Properties"]["SecretString"] == {"Fn::GetAtt": [client, "ClientSecret"]}
    fate = secret["DeletionPolicy"], secret["UpdateReplacePolicy"]
    assert fate == ("RetainExceptOnCreate", "Retain")


# Domains, truststore and TLS


def domain_of_clients(webhook: Webhook) -> Json:
    assert webhook.client_domain
    return dict(webhook.properties(webhook.client_domain.domain_name))


def test_the_domain_of_client_certificates_trusts_the_file_and_nothing_else() -> None:
    webhook = made("mtls")
    found = domain_of_clients(webhook)
    assert found.pop("MutualTlsAuthentication").keys() == {"TruststoreUri"}
    assert found == {
        "DomainName": OF_CLIENTS,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "RegionalCertificateArn": certificate_arn("clients"),
        "SecurityPolicy": "TLS_1_2",
    }


def test_the_truststore_is_another_object_if_the_file_has_other_content(tmp_path: Path) -> None:
    """API Gateway does not look whether an object changed: only another address makes it read."""

    def truststore(file: Path) -> Json:
        found: Json = domain_of_clients(Webhook(CERTIFICATE, authorities=file))
        return dict(found["MutualTlsAuthentication"])

    same, more = tmp_path / "other-name.pem", tmp_path / "more.pem"
    same.write_text(AUTHORITIES.read_text())
    more.write_text(f"Ours:\n{AUTHORITIES.read_text()}")
    assert truststore(AUTHORITIES) == truststore(same)
    assert truststore(AUTHORITIES) != truststore(more)
    bucket = "s3://cdk-hnb659fds-assets-111122223333-eu-central-1/"
    assert truststore(more)["TruststoreUri"].startswith(bucket)


def test_an_imported_or_private_certificate_has_one_beside_it_that_shows_whose_the_name_is() -> (
    None
):
    found = domain_of_clients(Webhook(CERTIFICATE, ownership=True))
    assert found["OwnershipVerificationCertificateArn"] == certificate_arn("owner")
    assert found["RegionalCertificateArn"] == certificate_arn("clients")


@pytest.mark.parametrize("names", [("secret",), ("pool",), ("issuer",)])
def test_with_a_domain_api_gateways_own_name_is_closed(names: tuple[str, ...]) -> None:
    without, behind = made(*names), made(*names, with_domain=True)
    assert "DisableExecuteApiEndpoint" not in api_of(without)
    assert api_of(behind)["DisableExecuteApiEndpoint"] is True
    mapping = behind.one("AWS::ApiGateway::BasePathMapping")["Properties"]
    assert behind.domain
    assert mapping["DomainName"] == {"Ref": behind.identifier(behind.domain.domain_name)}
    assert "BasePath" not in mapping


def test_with_client_certificates_api_gateways_own_name_is_always_closed() -> None:
    """It would let in whoever has none."""
    webhook = made("secret", "mtls")
    assert api_of(webhook, "ClientCertificateApi")["DisableExecuteApiEndpoint"] is True
    assert "DisableExecuteApiEndpoint" not in api_of(webhook), "the secret's has no domain here"


def api_of(webhook: Webhook, id: str = "Api") -> Json:
    (api,) = (each for each in webhook.webhook.apis if each.node.id == id)
    return webhook.properties(api.rest_api)


@pytest.mark.parametrize(
    ("tls", "policy"),
    [
        ("1.2", "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"),
        ("1.3", "SecurityPolicy_TLS13_1_3_2025_09"),
    ],
)
def test_no_older_tls_is_spoken_and_no_other_name_answered(tls: str, policy: str) -> None:
    webhook = Webhook(SECRET, CERTIFICATE, with_domain=True, tls=tls)
    assert spoken(api_of(webhook)) == (policy, "STRICT")


def test_an_api_behind_client_certificates_has_its_domains_policy_whatever_the_others_demand() -> (
    None
):
    """API Gateway uses the API's policy at the domain, too, and excludes client certificates with
    every newer one. https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html"""
    webhook = Webhook(SECRET, CERTIFICATE, tls="1.3")
    for each in (api_of(webhook, "ClientCertificateApi"), domain_of_clients(webhook)):
        assert each["SecurityPolicy"] == "TLS_1_2"
        assert "EndpointAccessMode" not in each
    assert spoken(api_of(webhook)) == ("SecurityPolicy_TLS13_1_3_2025_09", "STRICT")


def test_a_domain_without_client_certificates_speaks_what_its_apis_speak() -> None:
    webhook = made("secret", with_domain=True)
    assert webhook.domain
    assert webhook.properties(webhook.domain.domain_name) == {
        "DomainName": OF_DOMAIN,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "RegionalCertificateArn": certificate_arn("own"),
        "SecurityPolicy": "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
        "EndpointAccessMode": "STRICT",
    }


def spoken(properties: Json) -> tuple[str, str]:
    return properties["SecurityPolicy"], properties["EndpointAccessMode"]


def test_the_log_says_whose_certificate_it_was_and_when_it_ends_where_there_is_one() -> None:
    webhook = made("secret", "mtls")
    logged = {
        stage["Properties"]["RestApiId"]["Ref"]: stage["Properties"]["AccessLogSetting"]["Format"]
        for stage in webhook.all("AWS::ApiGateway::Stage")
    }
    for api in webhook.webhook.apis:
        has = "$context.identity.clientCert" in logged[webhook.identifier(api.rest_api)]
        assert has == (api.node.id == "ClientCertificateApi")


# Two at once, and from one to another


def queues_of(webhook: Webhook) -> Iterator[tuple[str, Json]]:
    for method in webhook.all("AWS::ApiGateway::Method"):
        yield str(method["Properties"]["Integration"]["Uri"]), method["Properties"]["Integration"]


@pytest.mark.parametrize(
    "names",
    [("secret", "pool"), ("secret", "mtls"), ("issuer", "mtls"), ("secret", "pool", "mtls")],
)
def test_all_ways_lead_into_the_one_queue_as_the_body_came(names: tuple[str, ...]) -> None:
    webhook = made(*names)
    queue = webhook.identifier(webhook.webhook.queue)
    found = list(queues_of(webhook))
    assert len(found) == len(names)
    path = "arn:aws:apigateway:eu-central-1:sqs:path/111122223333/"
    uri = {"Fn::Join": ["", [path, {"Fn::GetAtt": [queue, "QueueName"]}]]}
    for _, integration in found:
        assert integration["Uri"] == uri
        assert set(integration["RequestTemplates"].values()) == {
            "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        }
    for api in webhook.webhook.apis:
        sender = api.node.find_child("SendToQueue")
        arn = {"Fn::GetAtt": [queue, "Arn"]}
        assert webhook.permissions(sender) == [allow("sqs:SendMessage", arn)]  # type: ignore[arg-type]
    (mapping,) = webhook.all("AWS::Lambda::EventSourceMapping")
    assert mapping["Properties"]["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}


HOLDING = (
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolDomain",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::RestApi",
)
CHANGES = [
    (("secret",), ("secret", "pool"), ("pool",)),
    (("secret",), ("secret", "issuer"), ("issuer",)),
    (("secret",), ("secret", "mtls"), ("mtls",)),
    (("pool",), ("pool", "mtls"), ("mtls",)),
    (("mtls",), ("secret", "mtls"), ("secret",)),
]


@pytest.mark.parametrize("steps", CHANGES, ids=lambda steps: " to ".join(map("+".join, steps)))
def test_a_change_of_the_way_keeps_all_that_holds_something(
    steps: tuple[tuple[str, ...], ...],
) -> None:
    """What is in two steps one after the other is the same resource, and is not replaced."""
    before, both, after = (
        {
            id: resource
            for id, resource in made(*names).template["Resources"].items()
            if resource["Type"] in HOLDING
        }
        for names in steps
    )
    for one, next_ in ((before, both), (both, after)):
        assert {id for id, each in one.items() if each["Type"] == "AWS::SQS::Queue"} == {
            id for id, each in next_.items() if each["Type"] == "AWS::SQS::Queue"
        }
        for id in one.keys() & next_.keys():
            assert one[id] == next_[id], id
    assert before.keys() <= both.keys(), "nothing goes before ASAPP has changed"
    assert after.keys() <= both.keys(), "and nothing is made a second time"


@pytest.mark.parametrize(
    ("names", "addresses"),
    [
        (("secret",), {SharedSecret: "/v1/transcripts"}),
        (
            ("secret", "pool"),
            {SharedSecret: "/transcripts", ClientCredentials: "/transcripts/oauth2"},
        ),
        (("issuer",), {IssuedTokens: "/transcripts/oauth2"}),
        (("secret", "mtls"), {SharedSecret: "/transcripts", ClientCertificate: "/transcripts"}),
    ],
)
def test_each_way_has_an_address_of_its_own(
    names: tuple[str, ...], addresses: dict[type, str]
) -> None:
    webhook = made(*names, with_domain=names != ("secret",))
    found = {way: webhook.value(url) for way, url in webhook.webhook.urls.items()}
    assert found.keys() == addresses.keys()
    assert len(set(map(str, found.values()))) == len(found)
    for way, end in addresses.items():
        assert str(found[way]).replace("'", "").rstrip("]}").endswith(end.removeprefix("/v1"))


def test_a_given_domain_of_yours_may_be_any_domain_of_api_gateway() -> None:
    webhook = Webhook(by_certificate(base_path="asapp"))
    url = str(webhook.value(webhook.webhook.urls[ClientCertificate]))
    assert "/asapp/transcripts" in url
    mapping = webhook.one("AWS::ApiGateway::BasePathMapping")["Properties"]
    assert mapping["BasePath"] == "asapp"
