"""Ways of the webhook that do not fit together in a settings file, and what their author reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.settings.environments import problems, read

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
A_CERTIFICATE = 'write "arn:<partition>:acm:<region>:<account>:certificate/<uuid>"'
A_DOMAIN = 'write a domain name in lower case, like "transcripts.acme.com"'
A_FILE = 'write a path, like "infra/environments/prod-client-authorities.pem"'
A_PREFIX = (
    'write up to 63 lower-case letters, digits and "-", without aws, amazon or cognito, like '
    '"acme-prod-transcripts"'
)
AN_ADDRESS = 'write an address that begins "https://"'
WAYS = 'write an array of 1 or more different items, each "secret", "oauth2" or "mtls"'
NOT_USED = 'is not used; remove it, or write "{}" in webhook.auth'
POOL: dict[str, Any] = {"webhook.auth": ["oauth2"], "webhook_oauth2.domain_prefix": "acme"}
ISSUER: dict[str, Any] = {
    "webhook.auth": ["oauth2"],
    "webhook_oauth2.issuer": "https://acme.okta.com",
    "webhook_oauth2.keys_url": "https://acme.okta.com/keys",
    "webhook_oauth2.client_id": "asapp",
}
MTLS: dict[str, Any] = {
    "webhook.auth": ["mtls"],
    "webhook_mtls.domain": "mtls.acme.com",
    "webhook_mtls.certificate_arn": CERTIFICATE,
    "webhook_mtls.authorities_file": "authorities.pem",
}
DOMAIN: dict[str, Any] = {"webhook.domain": "acme.com", "webhook.certificate_arn": CERTIFICATE}


def case(changes: Mapping[str, object], *lines: str) -> Any:
    return pytest.param(changes, [f"prod.toml: {line}" for line in lines], id=lines[0][:60])


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        case({"webhook.auth": []}, f"webhook.auth: [] is not accepted; {WAYS}"),
        case(
            {"webhook.auth": ["basic"]},
            'webhook.auth: "basic" is not accepted; write "secret", "oauth2" or "mtls"',
        ),
        case(
            {"webhook.auth": ["secret", "secret"]},
            f'webhook.auth: ["secret", "secret"] is not accepted; {WAYS}',
        ),
        case({"webhook.tls": "1.1"}, 'webhook.tls: "1.1" is not accepted; write "1.2" or "1.3"'),
        # domain
        case(
            {"webhook.domain": "acme.com"},
            f"webhook.certificate_arn: is missing; {A_CERTIFICATE}",
        ),
        case({"webhook.certificate_arn": CERTIFICATE}, f"webhook.domain: is missing; {A_DOMAIN}"),
        case(
            {"webhook.base_path": "asapp"},
            "webhook.base_path: is for a domain; write domain, or remove it",
        ),
        case(
            {"webhook.hosted_zone_id": "Z0123456789"},
            "webhook.hosted_zone_id: is for a domain; write domain, or remove it",
        ),
        case(
            DOMAIN | {"webhook.certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "webhook.certificate_arn: "
            f'"{CERTIFICATE.replace("us-east-1", "eu-west-1")}" is not in this region; write an '
            'ARN of "us-east-1"',
        ),
        # tokens
        case(
            {"webhook.auth": ["oauth2"]},
            f"webhook_oauth2.domain_prefix: is missing; {A_PREFIX}",
        ),
        case(
            ISSUER | {"webhook_oauth2.domain_prefix": "acme"},
            "webhook_oauth2.issuer: cannot be set together with domain_prefix; remove it, or "
            "remove domain_prefix",
        ),
        case(
            ISSUER | {"webhook_oauth2.keys_url": None},
            f"webhook_oauth2.keys_url: is missing; {AN_ADDRESS}",
        ),
        case(
            ISSUER
            | {
                "webhook_oauth2.issuer": "http://acme.okta.com",
                "webhook_oauth2.keys_url": "http://acme.okta.com/keys",
            },
            'webhook_oauth2.issuer: "http://acme.okta.com" is not encrypted; write '
            '"https://acme.okta.com"',
            'webhook_oauth2.keys_url: "http://acme.okta.com/keys" is not encrypted; write '
            '"https://acme.okta.com/keys"',
        ),
        case(
            ISSUER | {"webhook_oauth2.client_id": None},
            "webhook_oauth2.issuer: has other clients, whose tokens would be let in; write "
            "audience, scope or client_id",
        ),
        *(
            case(
                POOL | {f"webhook_oauth2.{name}": value},
                f"webhook_oauth2.{name}: is for your own issuer; write issuer, or remove it",
            )
            for name, value in (
                ("keys_url", "https://acme.okta.com/keys"),
                ("audience", "transcripts"),
                ("scope", "transcripts.write"),
                ("client_id", "asapp"),
            )
        ),
        case(
            ISSUER | {"webhook_oauth2.clients": ["asapp", "asapp-next"]},
            "webhook_oauth2.clients: are for the stack's pool, not for an issuer; remove it",
        ),
        *(
            case({key: value}, f"{key}: {NOT_USED.format('oauth2')}")
            for key, value in (
                ("webhook_oauth2.domain_prefix", "acme"),
                ("webhook_oauth2.issuer", "https://acme.okta.com"),
                ("webhook_oauth2.clients", ["other"]),
                ("webhook_oauth2.header", "x-token"),
            )
        ),
        # client certificates
        case(
            {"webhook.auth": ["mtls"]},
            f"webhook_mtls.domain: is missing; {A_DOMAIN}",
            f"webhook_mtls.certificate_arn: is missing; {A_CERTIFICATE}",
            f"webhook_mtls.authorities_file: is missing; {A_FILE}",
        ),
        case(
            MTLS | DOMAIN | {"webhook.auth": ["secret", "mtls"], "webhook.domain": "mtls.acme.com"},
            "webhook_mtls.domain: asks every caller for a certificate; write another name than "
            "webhook.domain",
        ),
        case(
            MTLS | {"webhook.tls": "1.3"},
            'webhook.tls: cannot be demanded of "mtls"; write "1.2"',
        ),
        case(
            MTLS | DOMAIN,
            'webhook.domain: is not for "mtls"; write it in [webhook_mtls]',
            'webhook.certificate_arn: is not for "mtls"; write it in [webhook_mtls]',
        ),
        case(
            MTLS | {"webhook_mtls.authorities_file": "/etc/authorities.pem"},
            f'webhook_mtls.authorities_file: "/etc/authorities.pem" is not accepted; {A_FILE}',
        ),
        case(
            MTLS | {"webhook_mtls.authorities_file": "client.key"},
            f'webhook_mtls.authorities_file: "client.key" is not accepted; {A_FILE}',
        ),
        case(
            MTLS | {"webhook_mtls.subject": "webhook.asapp.com"},
            'webhook_mtls.subject: "webhook.asapp.com" is not accepted; write a part, like '
            '"CN=webhook.asapp.com"',
        ),
        *(
            case({key: value}, f"{key}: {NOT_USED.format('mtls')}")
            for key, value in (
                ("webhook_mtls.domain", "mtls.acme.com"),
                ("webhook_mtls.subject", "CN=webhook.asapp.com"),
                ("webhook_mtls.secret", True),
            )
        ),
        # the secret
        case(
            POOL | {"webhook.secret_in": "query", "webhook.secret_name": "token"},
            'webhook.secret_in: is not used; remove it, or write "secret" in auth',
            'webhook.secret_name: is not used; remove it, or write "secret" in auth',
        ),
    ],
)
def test_ways_that_do_not_fit_together_are_named(
    changes: dict[str, object], lines: list[str]
) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    "changes",
    [
        POOL,
        POOL | {"webhook_oauth2.clients": ["asapp", "asapp-next"]},
        ISSUER,
        MTLS,
        MTLS | {"webhook_mtls.secret": True, "webhook.secret_name": "x-other"},
        MTLS | DOMAIN | {"webhook.auth": ["secret", "mtls"], "webhook.tls": "1.3"},
        POOL | DOMAIN | {"webhook.auth": ["secret", "oauth2"]},
    ],
)
def test_each_way_and_two_of_them_at_once_are_accepted(changes: dict[str, object]) -> None:
    assert read(changes).webhook.auth == tuple(changes["webhook.auth"])  # type: ignore[arg-type]


def test_a_wrong_issuer_is_reported_once() -> None:
    (line,) = problems(ISSUER | {"webhook_oauth2.issuer": "acme.okta.com"})
    assert line == (
        f'prod.toml: webhook_oauth2.issuer: "acme.okta.com" is not accepted; {AN_ADDRESS}'
    )
