"""The stack of the live page: who may connect, subscribe, publish and read, by its template."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connect_autotranscribe import LivePage, LiveSignIn
from connect_autotranscribe.live import _page
from connect_settings import SettingsError
from connect_settings.page_headers import security_headers
from examples.constructs import live_page
from tests.infra.conftest import Assembly, Deployed, Json, new_app, new_stack

WORKSPACE = Path(__file__).parents[1] / "web" / "workspace.html"


@pytest.fixture(scope="module")
def resources(full: Assembly) -> Json:
    (template,) = (each for name, each in full.templates.items() if "live" in name)
    made: Json = template["Resources"]
    return made


@pytest.fixture(scope="module")
def of_others(others: Assembly) -> Json:
    """With an API of events that is there, and an OpenID Connect provider."""
    (template,) = (each for name, each in others.templates.items() if "live" in name)
    made: Json = template["Resources"]
    return made


def only(resources: Json, kind: str, **wanted: Any) -> Json:
    (found,) = (
        each["Properties"]
        for each in resources.values()
        if each["Type"] == kind and wanted.items() <= each["Properties"].items()
    )
    properties: Json = found
    return properties


def test_a_token_connects_and_subscribes_and_only_iam_publishes(resources: Json) -> None:
    config = only(resources, "AWS::AppSync::Api")["EventConfig"]
    token, iam = [{"AuthType": "AWS_LAMBDA"}], [{"AuthType": "AWS_IAM"}]
    assert config["ConnectionAuthModes"] == token
    assert config["DefaultSubscribeAuthModes"] == token
    assert config["DefaultPublishAuthModes"] == iam
    authorizer, other = config["AuthProviders"]
    assert other == iam[0]
    assert authorizer["LambdaAuthorizerConfig"]["AuthorizerResultTtlInSeconds"] == 0
    namespace = only(resources, "AWS::AppSync::ChannelNamespace")
    assert namespace["Name"] == "live"
    assert not {"PublishAuthModes", "SubscribeAuthModes", "CodeHandlers"} & namespace.keys()


def test_only_this_api_asks_the_authorizer(resources: Json) -> None:
    permission = only(resources, "AWS::Lambda::Permission", Principal="appsync.amazonaws.com")
    assert permission["SourceArn"]["Fn::GetAtt"][1] == "ApiArn"


def test_each_get_asks_for_a_sign_in_and_no_answer_is_kept(resources: Json) -> None:
    methods = [
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::ApiGateway::Method"
    ]
    kinds = {(each["HttpMethod"], each["AuthorizationType"]) for each in methods}
    assert kinds == {("GET", "COGNITO_USER_POOLS"), ("OPTIONS", "NONE")}
    assert only(resources, "AWS::ApiGateway::Authorizer")["AuthorizerResultTtlInSeconds"] == 0


def test_nobody_signs_up_or_gets_a_token_without_the_page(resources: Json) -> None:
    pool = only(resources, "AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": True}
    client = only(resources, "AWS::Cognito::UserPoolClient")
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid", "profile"]
    assert client["GenerateSecret"] is False
    assert client["CallbackURLs"] == client["LogoutURLs"] == ["https://live.acme.example/"]


def test_the_tab_is_for_each_contact_and_of_one_origin(resources: Json) -> None:
    app = only(resources, "AWS::AppIntegrations::Application")
    assert app["ApplicationConfig"] == {"ContactHandling": {"Scope": "PER_CONTACT"}}
    assert app["ApplicationSourceConfig"] == {
        "ExternalUrlConfig": {
            "AccessUrl": "https://live.acme.example/?home=workspace",
            "ApprovedOrigins": ["https://live.acme.example"],
        }
    }
    association = only(resources, "AWS::Connect::IntegrationAssociation")
    assert association["IntegrationType"] == "APPLICATION"


def test_a_frame_in_the_workspace_may_copy_download_and_open_the_sign_in(resources: Json) -> None:
    frame = only(resources, "AWS::AppIntegrations::Application")["IframeConfig"]
    assert frame == {
        "Allow": ["clipboard-write"],
        "Sandbox": [
            "allow-downloads",
            "allow-forms",
            "allow-popups",
            "allow-popups-to-escape-sandbox",
            "allow-same-origin",
            "allow-scripts",
        ],
    }


def test_the_frame_of_the_fake_workspace_may_the_same(resources: Json) -> None:
    frame = only(resources, "AWS::AppIntegrations::Application")["IframeConfig"]
    fake = dict(re.findall('frame\\.(allow|sandbox) = "([^"]*)"', WORKSPACE.read_text("utf-8")))
    assert fake == {"allow": "; ".join(frame["Allow"]), "sandbox": " ".join(frame["Sandbox"])}


def test_who_looked_is_recorded_for_longer_than_logs_are_kept(resources: Json) -> None:
    days = {
        id: each["Properties"]["RetentionInDays"]
        for id, each in resources.items()
        if each["Type"] == "AWS::Logs::LogGroup"
    }
    (record,) = (id for id in days if "Record" in id)
    assert days.pop(record) == 365
    users = {
        each["Properties"]["Handler"].partition(".")[0]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Function"
        and each["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": record}
    }
    assert users == {"authorize_live", "read_live"}


# An identity provider


def provider_of(resources: Json) -> Json:
    provider = only(resources, "AWS::Cognito::UserPoolIdentityProvider")
    client = only(resources, "AWS::Cognito::UserPoolClient")
    assert client["SupportedIdentityProviders"] == [{"Ref": id_of(resources, provider)}], (
        "nobody signs in by a password beside it"
    )
    assert client["WriteAttributes"] == ["preferred_username"]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert provider["AttributeMapping"] == {"preferred_username": "connect_user"}
    return provider


def id_of(resources: Json, properties: Json) -> str:
    (id,) = (id for id, each in resources.items() if each.get("Properties") is properties)
    return id


def test_a_saml_provider_says_who_somebody_is(resources: Json) -> None:
    provider = provider_of(resources)
    assert provider["ProviderType"] == "SAML"
    details = {"MetadataURL": "https://login.acme.example/metadata.xml", "IDPSignout": False}
    assert provider["ProviderDetails"] == details


def test_an_openid_connect_provider_too_and_its_secret_is_a_reference(of_others: Json) -> None:
    provider = provider_of(of_others)
    assert provider["ProviderType"] == "OIDC"
    assert provider["ProviderDetails"] == {
        "oidc_issuer": "https://acme.okta.com",
        "client_id": "0oa1b2c3",
        "client_secret": "{{resolve:secretsmanager:acme/live:SecretString:clientSecret::}}",
        "authorize_scopes": "openid profile",
        "attributes_request_method": "GET",
    }
    assert json.dumps(of_others).count("resolve:secretsmanager") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"user_name_attribute": "name"}, "saml_metadata_url: is missing"),
        ({"saml_metadata_url": "https://acme.com/x"}, "user_name_attribute: is missing"),
        (
            {"oidc_issuer": "https://acme.com", "oidc_client_id": "a", "user_name_attribute": "b"},
            "oidc_client_secret: is missing; give the secret of oidc_client_id",
        ),
        (
            {"saml_metadata_url": "https://acme.com/x", "oidc_issuer": "https://acme.com"},
            "saml_metadata_url: cannot be set together with oidc_issuer",
        ),
    ],
)
def test_half_a_provider_is_refused_in_python_too(given: dict[str, Any], said: str) -> None:
    page = "https://live.acme.example/"
    with pytest.raises(ValueError, match=re.escape(said)):
        LiveSignIn(new_stack(), "SignIn", page_url=page, domain_prefix="acme", **given)


# Hosting


@pytest.fixture(scope="module")
def at_cloudfront() -> Json:
    """The page at a name of CloudFront's."""
    app = new_app()
    live_page.build(app)
    made: Json = Deployed(app.node.find_child("HostedPage")).template["Resources"]  # type: ignore[arg-type]
    return made


def joined(value: Any) -> str:
    """A text of a template, with names for what it refers to."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return "".join(map(joined, argument[1]))
    name = argument if isinstance(argument, str) else ".".join(argument)
    return f"<{name}>"


def policy_of(resources: Json) -> dict[str, str]:
    """The content security policy, by its directives."""
    made = only(resources, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    policy = made["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    found = (each.split(" ", 1) for each in joined(policy).split("; "))
    return {name: rest for name, rest in found}


def test_only_the_instance_may_frame_the_page_at_its_newer_or_older_address(
    at_cloudfront: Json,
) -> None:
    framed_by = policy_of(at_cloudfront)["frame-ancestors"]
    assert framed_by == "https://acme.my.connect.aws https://acme.awsapps.com"


@pytest.mark.parametrize("which", ["resources", "at_cloudfront"])
def test_the_headers_are_those_of_the_sandbox(which: str, request: pytest.FixtureRequest) -> None:
    resources: Json = request.getfixturevalue(which)
    headers = security_headers("PLACES", "https://acme.my.connect.aws")
    config = only(resources, "AWS::CloudFront::ResponseHeadersPolicy")[
        "ResponseHeadersPolicyConfig"
    ]
    given = dict(config["SecurityHeadersConfig"])
    sandbox = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    ours = policy_of(resources)
    assert ours | {"connect-src": "'self' PLACES"} == sandbox
    assert given.pop("ContentSecurityPolicy")["Override"] is True
    assert given == {
        "ContentTypeOptions": {"Override": True},
        "ReferrerPolicy": {"Override": True, "ReferrerPolicy": headers["Referrer-Policy"]},
        "StrictTransportSecurity": {"AccessControlMaxAgeSec": 31536000, "Override": True},
    }
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert config["CustomHeadersConfig"]["Items"] == [
        {
            "Header": "Permissions-Policy",
            "Value": headers["Permissions-Policy"],
            "Override": True,
        }
    ]
    assert not {"CorsConfig", "RemoveHeadersConfig"} & config.keys()


def test_the_page_connects_to_our_hosts_and_to_no_others(
    resources: Json, at_cloudfront: Json
) -> None:
    def places(of: Json) -> list[str]:
        return [
            each.replace("<AWS::URLSuffix>", "amazonaws.com")
            for each in policy_of(of)["connect-src"].split()
        ]

    own, read, events, sign_in = places(resources)
    assert own == "'self'"
    assert read.startswith("https://<LiveTranscriptsRestApi")
    assert read.endswith(">.execute-api.eu-central-1.amazonaws.com")
    assert events.startswith("wss://<LiveTranscriptsEventApi") and events.endswith(".Dns.Realtime>")
    assert sign_in.startswith("https://<LiveSignInUserPoolDomain")
    assert sign_in.endswith(">.auth.eu-central-1.amazoncognito.com")
    # Of a name of CloudFront's: the API's authorizer knows the client, and the client that name.
    assert places(at_cloudfront)[2] == "wss://*.appsync-realtime-api.eu-central-1.amazonaws.com"
    assert [each.partition("<")[0] for each in places(at_cloudfront)] == [
        "'self'",
        "https://",
        "wss://*.appsync-realtime-api.eu-central-1.amazonaws.com",
        "https://",
    ]


def test_an_api_that_is_there_is_named_exactly(of_others: Json) -> None:
    connects = policy_of(of_others)["connect-src"]
    assert " wss://a1b2c3.appsync-realtime-api.eu-central-1.amazonaws.com " in connects


def test_only_the_distribution_reads_the_bucket_and_only_by_tls(at_cloudfront: Json) -> None:
    bucket = only(at_cloudfront, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "WebsiteConfiguration" not in bucket
    statements = only(at_cloudfront, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = (dict(each) for each in statements if each["Effect"] == "Allow")
    (distribution,) = (
        id for id, each in at_cloudfront.items() if each["Type"] == "AWS::CloudFront::Distribution"
    )
    condition = allowed.pop("Condition")
    source = condition["StringEquals"]["AWS:SourceArn"]
    assert condition == {"StringEquals": {"AWS:SourceArn": source}}
    assert joined(source) == f"arn:aws:cloudfront::111122223333:distribution/<{distribution}.Id>"
    assert joined(allowed.pop("Resource")).endswith(".Arn>/*")
    assert allowed == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
    }
    refused = {key for each in statements if each["Effect"] == "Deny" for key in each["Condition"]}
    assert refused == {"Bool", "NumericLessThan"}
    (origin,) = only(at_cloudfront, "AWS::CloudFront::Distribution")["DistributionConfig"][
        "Origins"
    ]
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    access = only(at_cloudfront, "AWS::CloudFront::OriginAccessControl")
    config = access["OriginAccessControlConfig"]
    assert (config["SigningBehavior"], config["SigningProtocol"]) == ("always", "sigv4")


CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html"""
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def test_only_what_has_its_hash_in_its_name_is_cached(at_cloudfront: Json) -> None:
    config = only(at_cloudfront, "AWS::CloudFront::Distribution")["DistributionConfig"]
    (assets,) = config["CacheBehaviors"]
    assert (assets["PathPattern"], assets["CachePolicyId"]) == ("assets/*", CACHING_OPTIMIZED)
    assert config["DefaultCacheBehavior"]["CachePolicyId"] == CACHING_DISABLED
    for each in (assets, config["DefaultCacheBehavior"]):
        assert each["ViewerProtocolPolicy"] == "redirect-to-https"
        assert joined(each["ResponseHeadersPolicyId"]).startswith("<LivePageHeaders")
        assert "AllowedMethods" not in each, "GET and HEAD"
    assert config["DefaultRootObject"] == "index.html"


def test_with_a_name_of_yours_nothing_older_than_tls_1_2_is_spoken(
    resources: Json, at_cloudfront: Json
) -> None:
    config = only(resources, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["Aliases"] == ["live.acme.example"]
    certificate = dict(config["ViewerCertificate"])
    assert certificate.pop("AcmCertificateArn").startswith("arn:aws:acm:us-east-1:")
    assert certificate == {"MinimumProtocolVersion": "TLSv1.2_2021", "SslSupportMethod": "sni-only"}
    config = only(at_cloudfront, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}


def test_sign_in_cors_and_tab_know_the_address_of_the_distribution(of_others: Json) -> None:
    resources = of_others
    (distribution,) = (
        id for id, each in resources.items() if each["Type"] == "AWS::CloudFront::Distribution"
    )
    origin = f"https://<{distribution}.DomainName>"
    client = only(resources, "AWS::Cognito::UserPoolClient")
    assert [joined(*client[name]) for name in ("CallbackURLs", "LogoutURLs")] == 2 * [f"{origin}/"]
    app = only(resources, "AWS::AppIntegrations::Application")
    source = app["ApplicationSourceConfig"]["ExternalUrlConfig"]
    assert joined(source["AccessUrl"]) == f"{origin}/?home=workspace"
    assert joined(*source["ApprovedOrigins"]) == origin
    reader = next(
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Function"
        and each["Properties"]["Handler"].startswith("read_live")
    )
    assert joined(reader["Environment"]["Variables"]["PAGE_ORIGIN"]) == origin
    for name in ("Refused", "Failed"):
        (gateway,) = (
            each["Properties"]["ResponseParameters"]
            for id, each in resources.items()
            if each["Type"] == "AWS::ApiGateway::GatewayResponse" and name in id
        )
        (allowed,) = gateway.values()
        assert joined(allowed) == f"'{origin}'"


def test_config_json_is_what_the_page_reads(at_cloudfront: Json) -> None:
    page = only(at_cloudfront, "Custom::LivePage")
    config = json.loads(joined(page["Config"]))
    assert config.keys() == {"region", "readUrl", "events", "signIn", "connect"}
    assert config["connect"] == {"instanceUrl": "https://acme.my.connect.aws"}
    assert config["signIn"]["redirectUri"].startswith("https://<LivePageDistribution")
    assert config["signIn"]["scopes"] == ["openid", "profile"]
    assert config["readUrl"].startswith("https://<LiveTranscriptsRestApi")
    assert config["events"]["realtimeUrl"].endswith(".Dns.Realtime>/event/realtime")


def test_an_output_says_what_the_config_of_the_hosted_page_is(
    full: Assembly, others: Assembly
) -> None:
    for assembly in (full, others):
        (template,) = (each for name, each in assembly.templates.items() if "live" in name)
        page = only(template["Resources"], "Custom::LivePage")
        output = template["Outputs"]["PageConfig"]["Value"]
        assert json.loads(joined(output)) == json.loads(joined(page["Config"]))


def test_another_file_of_the_page_is_put_there_at_the_next_deployment(at_cloudfront: Json) -> None:
    (layer,) = (
        id for id, each in at_cloudfront.items() if each["Type"] == "AWS::Lambda::LayerVersion"
    )
    assert only(at_cloudfront, "Custom::LivePage")["Files"] == {"Ref": layer}
    function = next(
        each["Properties"]
        for each in at_cloudfront.values()
        if each["Type"] == "AWS::Lambda::Function"
        and each["Properties"]["Handler"].startswith("put_page")
    )
    assert function["Layers"] == [{"Ref": layer}]
    assert function["Environment"]["Variables"].keys() == {"PAGE_BUCKET"}


def test_what_is_stored_goes_with_the_stack(at_cloudfront: Json) -> None:
    (bucket,) = (each for each in at_cloudfront.values() if each["Type"] == "AWS::S3::Bucket")
    assert bucket["DeletionPolicy"] == "Delete"


def test_a_page_that_is_not_built_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_page, "_FILES", _page._FILES / "nowhere")
    with pytest.raises(SettingsError, match="run `make web`, or host the page yourself"):
        LivePage(new_stack(), "LivePage", instance_alias="acme")
