"""What the live page and `on_utterance` need, before a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Doctor
from .fake_aws import (
    EVENT_API,
    FUNCTION,
    PAGE_CERTIFICATE,
    REGION,
    Account,
    certificate,
    resource,
)

BY_LAMBDA, BY_IAM, BY_KEY = ([{"authType": f"{x}"}] for x in ("AWS_LAMBDA", "AWS_IAM", "API_KEY"))
AUTHORIZER = {"authorizerUri": "arn:aws:lambda:x", "authorizerResultTtlInSeconds": 0}
OPEN_TO_NOBODY: dict[str, Any] = {
    "authProviders": [
        {"authType": "AWS_LAMBDA", "lambdaAuthorizerConfig": AUTHORIZER},
        {"authType": "AWS_IAM"},
    ],
    "connectionAuthModes": BY_LAMBDA,
    "defaultPublishAuthModes": BY_IAM,
    "defaultSubscribeAuthModes": BY_LAMBDA,
}
PAGE: dict[str, Any] = {"live__mode": "manage", "live__domain_prefix": "acme-live"}
NAMED = PAGE | {
    "live__page_url": "https://live.acme.example/",
    "live__page_certificate_arn": PAGE_CERTIFICATE,
}
PROVIDER = PAGE | {
    "live__oidc_issuer": "https://login.acme.example",
    "live__oidc_client_id": "the-page",
    "live__oidc_client_secret_name": "acme/live",
    "live__user_name_attribute": "connect_user",
}
ADOPTED = PAGE | {
    "live__mode": "adopt",
    "live__page_url": "https://live.acme.example/",
    "live__event_api_id": EVENT_API,
    "live__event_api_http_host": f"{EVENT_API}.appsync-api.{REGION}.amazonaws.com",
    "live__event_api_realtime_host": f"{EVENT_API}.appsync-realtime-api.{REGION}.amazonaws.com",
}


def test_it_is_off(doctor: Doctor) -> None:
    run = doctor()
    for each in ("live page: is off", "live sign-in: is off", "live events: need no API of yours"):
        assert run.finding(f"well  {each}")


def test_the_address_of_the_instance_may_frame_it(doctor: Doctor, account: Account) -> None:
    assert account.instance
    both = "https://acme.my.connect.aws and https://acme.awsapps.com"
    for address in ("https://acme.my.connect.aws", "https://acme.awsapps.com/connect"):
        account.instance["InstanceAccessUrl"] = address
        run = doctor(**PAGE)
        assert run.code == 0
        assert run.finding(f"well  live page: {both} may frame it")
    account.instance["InstanceAccessUrl"] = "https://acme.example.com/connect"
    finding = doctor(**PAGE).finding(
        "warning  live page: the instance's address is https://acme.ex"
    )
    assert f"only {both} may frame the page" in finding
    assert "let agents open https://acme.my.connect.aws/agent-app-v2" in finding


def test_the_certificate_is_looked_for_where_cloudfront_takes_it(
    doctor: Doctor, account: Account
) -> None:
    assert "acm list-certificates --region us-east-1" in doctor(**NAMED).finding("problem  live")
    account.certificates[PAGE_CERTIFICATE] = certificate("www.acme.example")
    assert "is for www.acme.example, not for live.acme" in doctor(**NAMED).finding("problem  live")
    account.certificates[PAGE_CERTIFICATE] = certificate("*.acme.example")
    assert doctor(**NAMED).finding("well  live page: live.page_certificate_arn is for live.acme.ex")


def test_the_prefix_of_the_sign_in(doctor: Doctor, account: Account) -> None:
    assert doctor(**PAGE).finding(
        "well  live sign-in: no pool of this account has the prefix acme-l"
    )
    account.pools["acme-live"] = "eu-central-1_other"
    assert "write another live.domain_prefix" in doctor(**PAGE).finding("problem  live sign-in")
    account.stacks["autotranscribe-prod-live"] = [
        resource("AWS::Cognito::UserPoolDomain", "acme-live")
    ]
    assert doctor(**PAGE).finding("well  live sign-in: our pool has the prefix acme-live")


@pytest.mark.parametrize(
    "value", ["sesame", "[]", "{}", '{"clientSecret": ""}', '{"clientSecret": 1}']
)
def test_a_secret_that_cloudformation_could_not_read(
    doctor: Doctor, account: Account, value: str
) -> None:
    assert "acme/live does not exist" in doctor(**PROVIDER).finding("problem  live sign-in")
    account.other_secrets["acme/live"] = value
    run = doctor(**PROVIDER)
    assert "is not of its shape: the deployment fails" in run.finding("problem  live sign-in")
    assert "sesame" not in run.output


def test_a_secret_of_the_right_shape_is_never_shown(doctor: Doctor, account: Account) -> None:
    account.other_secrets["acme/live"] = '{"clientSecret": "sesame"}'
    run = doctor(**PROVIDER)
    assert run.finding("well  live sign-in: acme/live exists, and has the right shape")
    assert "sesame" not in run.output


def test_an_adopted_api_that_asks_our_authorizer(doctor: Doctor, account: Account) -> None:
    assert "no API of AppSync Events is a1b2c3" in doctor(**ADOPTED).finding("problem  live events")
    account.event_apis[EVENT_API] = OPEN_TO_NOBODY
    assert "create-channel-namespace --api-id a1b2c3 --name live" in doctor(**ADOPTED).finding(
        "problem  live events: a1b2c3 has no namespace live"
    )
    account.namespaces["live"] = {}
    run = doctor(**ADOPTED)
    assert run.code == 0
    assert run.finding("well  live events: a1b2c3 asks our authorizer who may follow a call")


def test_an_adopted_api_at_another_host(doctor: Doctor, account: Account) -> None:
    account.event_apis[EVENT_API], account.namespaces["live"] = OPEN_TO_NOBODY, {}
    run = doctor(**ADOPTED | {"live__event_api_http_host": "other.example.com"})
    host = f"{EVENT_API}.appsync-api.{REGION}.amazonaws.com"
    finding = run.finding(f"problem  live events: a1b2c3 is at {host}, not at other.example.com")
    assert finding.endswith(f'write live.event_api_http_host = "{host}"')


@pytest.mark.parametrize(
    ("config", "namespace", "said"),
    [
        ({"connectionAuthModes": BY_KEY}, {}, "whoever connects is asked for API_KEY"),
        (
            {"defaultSubscribeAuthModes": BY_LAMBDA + BY_KEY},
            {},
            "whoever subscribes is asked for API_KEY, AWS_LAMBDA, not for AWS_LAMBDA alone",
        ),
        ({}, {"subscribeAuthModes": BY_KEY}, "whoever subscribes is asked for API_KEY"),
        ({"defaultPublishAuthModes": BY_LAMBDA}, {}, "whoever publishes is asked for AWS_LAMBDA"),
        ({}, {"publishAuthModes": BY_KEY}, "whoever publishes is asked for API_KEY"),
        (
            {
                "authProviders": [
                    {"authType": "AWS_LAMBDA", "lambdaAuthorizerConfig": {"authorizerUri": "x"}}
                ]
            },
            {},
            "the authorizer's answer is kept for 300 seconds",
        ),
    ],
)
def test_an_adopted_api_that_lets_others_in(
    doctor: Doctor,
    account: Account,
    config: dict[str, Any],
    namespace: dict[str, Any],
    said: str,
) -> None:
    account.event_apis[EVENT_API] = OPEN_TO_NOBODY | config
    account.namespaces["live"] = namespace
    run = doctor(**ADOPTED)
    assert run.code == 1
    assert run.finding(f"problem  live events: {said}")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, f"problem  on_utterance: {FUNCTION} does not exist: nothing would be stored"),
        ({"State": "Failed", "StateReason": "no image"}, "cannot run (no image)"),
        ({"State": "Active", "LastUpdateStatus": "Failed"}, "cannot run (no reason given)"),
        ({"State": "Pending"}, f"warning  on_utterance: {FUNCTION} is Pending"),
        ({"State": "Active"}, f"well  on_utterance: {FUNCTION} is Active"),
    ],
)
def test_the_function_that_decides_what_is_stored(
    doctor: Doctor, account: Account, found: dict[str, Any] | None, said: str
) -> None:
    if found:
        account.configurations[FUNCTION] = found
    run = doctor(on_utterance__function_arn=FUNCTION)
    assert run.finding(said)
    assert run.code == (1 if "problem" in run.finding(said) else 0)
