"""The stack of the live page: who may connect, subscribe, publish and read, by its template."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.conftest import Assembly, Json


@pytest.fixture(scope="module")
def resources(full: Assembly) -> Json:
    (template,) = (each for name, each in full.templates.items() if "live" in name)
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
