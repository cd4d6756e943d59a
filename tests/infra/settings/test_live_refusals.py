"""Settings of ``[live]`` that do not fit together."""

from __future__ import annotations

import pytest

from .environments import INSTANCE, problems, read

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
METADATA = "https://login.acme.com/metadata.xml"
A_CLAIM = "write what the token has, up to 256 characters without spaces"
A_SECRET = (
    'write a name in Secrets Manager, like "connect-autotranscribe/asapp": not an ARN, and never '
    "the secret"
)
OIDC = {
    "live.oidc_issuer": "https://acme.okta.com",
    "live.oidc_client_id": "0oa1b2c3",
    "live.oidc_client_secret_name": "acme/live",
    "live.user_name_attribute": "connect_user",
}
PAGE = "https://live.acme.com/"
MANAGED = {"live.mode": "manage", "live.domain_prefix": "acme-live"}
NAMED = MANAGED | {"live.page_url": PAGE, "live.page_certificate_arn": CERTIFICATE}
API = {
    "live.event_api_id": "a1b2c3",
    "live.event_api_http_host": "a1.appsync-api.us-east-1.amazonaws.com",
    "live.event_api_realtime_host": "a1.appsync-realtime-api.us-east-1.amazonaws.com",
}
A_PAGE = 'write the address of the page with a slash at its end, like "https://live.acme.com/"'
A_PREFIX = (
    'write up to 63 lower-case letters, digits and "-", without aws, amazon or cognito, like '
    '"acme-live"'
)
A_CERTIFICATE = (
    "live.page_certificate_arn: is not one that CloudFront takes; write one of this account in "
    "us-east-1"
)
OFF = 'is not used in mode "off"; remove it, or write another mode'
CHINA = {
    "region": "cn-north-1",
    "connect.instance_arn": INSTANCE.replace("aws:connect:us-east-1", "aws-cn:connect:cn-north-1"),
    "asapp.trusted_role_arns": ["arn:aws-cn:iam::999999999999:role/asapp"],
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"live.mode": "manage"},
            [f'live.domain_prefix: is missing for mode "manage"; {A_PREFIX}'],
        ),
        ({"live.domain_prefix": "acme"}, [f"live.domain_prefix: {OFF}"]),
        ({"live.page_url": PAGE}, [f"live.page_url: {OFF}"]),
        ({"live.page_certificate_arn": CERTIFICATE}, [f"live.page_certificate_arn: {OFF}"]),
        (
            MANAGED | {"live.page_certificate_arn": CERTIFICATE},
            [f"live.page_url: is missing; {A_PAGE}"],
        ),
        (
            NAMED | {"live.page_certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            [A_CERTIFICATE],
        ),
        (
            NAMED | {"live.page_certificate_arn": CERTIFICATE.replace("123456789012", "9" * 12)},
            [A_CERTIFICATE],
        ),
        (
            NAMED | {"live.page_url": f"{PAGE}calls/"},
            ['live.page_url: has more than a host; for a certificate write only "https://<host>/"'],
        ),
        (MANAGED | CHINA, [f'live.page_url: is yours to host in "aws-cn"; {A_PAGE}']),
        (
            MANAGED | {"live.page_url": "http://localhost/"},
            ['live.page_url: is not encrypted; write an address that begins "https://"'],
        ),
        (
            MANAGED | OIDC | {"live.saml_metadata_url": METADATA},
            ["live.saml_metadata_url: cannot be set together with oidc_issuer; remove one of them"],
        ),
        (
            MANAGED | OIDC | {"live.oidc_client_secret_name": None},
            [f"live.oidc_client_secret_name: is missing; {A_SECRET}"],
        ),
        (
            MANAGED | OIDC | {"live.user_name_attribute": None},
            [f"live.user_name_attribute: is missing; {A_CLAIM}"],
        ),
        (
            MANAGED | {"live.saml_metadata_url": METADATA},
            [f"live.user_name_attribute: is missing; {A_CLAIM}"],
        ),
        (
            MANAGED | {"live.user_name_attribute": "connect_user"},
            ['live.saml_metadata_url: is missing; write an address that begins "https://"'],
        ),
        (
            MANAGED | OIDC | {"live.oidc_client_secret_name": "a" * 40},
            [
                "live.oidc_client_secret_name: the value (not shown, because it may be a secret) "
                f"is not accepted; {A_SECRET}"
            ],
        ),
        (
            MANAGED | {"live.event_api_id": "a1"},
            ['live.event_api_id: is not used in mode "manage"; remove it, or write another mode'],
        ),
        (
            MANAGED | API | {"live.mode": "adopt", "live.event_api_id": None},
            [
                'live.event_api_id: is missing for mode "adopt"; write the API\'s id, like '
                '"a1b2c3d4"'
            ],
        ),
    ],
)
def test_what_does_not_fit_together_is_named(
    changes: dict[str, object], expected: list[str]
) -> None:
    assert problems(changes) == [f"prod.toml: {each}" for each in expected]


@pytest.mark.parametrize(
    ("changes", "hosts"),
    [
        ({}, False),
        (MANAGED, True),
        (MANAGED | API | {"live.mode": "adopt"}, True),
        (NAMED, True),
        (MANAGED | {"live.page_url": PAGE}, False),
        (MANAGED | CHINA | {"live.page_url": PAGE}, False),
    ],
)
def test_the_stack_hosts_the_page_unless_its_address_is_given_without_a_certificate(
    changes: dict[str, object], hosts: bool
) -> None:
    assert read(changes).live.hosts_page is hosts
