"""Ways of the webhook and files of authorities that cannot be: refused before any is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connect_autotranscribe import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
    TranscriptWebhook,
    WebhookDomain,
)
from connect_autotranscribe.transcripts.webhook_auth import WebhookAuth
from connect_settings.truststore import expiries_of
from tests.infra.conftest import new_stack
from tests.infra.transcripts.webhook_stack import AUTHORITIES, OF_CLIENTS, certificate

POOL = ClientCredentials(domain_prefix="acme")
ISSUER = "https://acme.okta.com/oauth2/default"
A_HEADER = 'write a header, like "Authorization"'
A_PREFIX = (
    'write up to 63 lower-case letters, digits and "-", without aws, amazon or cognito, like '
    '"acme-prod-transcripts"'
)
AN_ADDRESS = 'write an address that begins "https://"'


def domain(stack: Stack) -> WebhookDomain:
    own = certificate(stack, "own")
    return WebhookDomain(
        stack, "Domain", name=OF_CLIENTS, certificate=own, client_authorities=AUTHORITIES
    )


def by_certificate(**given: Any) -> Callable[[Stack], WebhookAuth]:
    return lambda stack: ClientCertificate(domain=domain(stack).domain_name, **given)


def of_issuer(**changes: Any) -> IssuedTokens:
    given = {"issuer": ISSUER, "keys_url": f"{ISSUER}/v1/keys", "client_id": "asapp"}
    return IssuedTokens(**given | changes)


def refused(auth: list[WebhookAuth | Callable[[Stack], WebhookAuth]], *lines: str) -> Any:
    return pytest.param(auth, [f"Stack/Webhook: {line}" for line in lines], id=lines[0][:70])


@pytest.mark.parametrize(
    ("auth", "lines"),
    [
        refused([], "auth: is empty, so nobody could post; write [SharedSecret()]"),
        refused(
            [SharedSecret(), SharedSecret(secret_name="x-other")],
            "auth: has one way twice; write each once, and only one of the two for OAuth 2.0",
        ),
        refused(
            [POOL, of_issuer()],
            "auth: has one way twice; write each once, and only one of the two for OAuth 2.0",
        ),
        refused(
            [SharedSecret(secret_in="body")],  # type: ignore[arg-type]
            'SharedSecret.secret_in: "body" is not accepted; write "header" or "query"',
        ),
        refused(
            [SharedSecret(secret_name="x secret: hunter2")],
            "SharedSecret.secret_name: the value (not shown, because it may be a secret) is not "
            'accepted; write a name, like "x-webhook-secret", never the secret',
        ),
        refused(
            [ClientCredentials(domain_prefix="acme-aws")],
            f'ClientCredentials.domain_prefix: "acme-aws" is not accepted; {A_PREFIX}',
        ),
        refused(
            [ClientCredentials(domain_prefix="acme", clients=["ASAPP"])],
            'ClientCredentials.clients: "ASAPP" is not accepted; write a name in lower case, like '
            '"asapp"',
        ),
        refused(
            [ClientCredentials(domain_prefix="acme", clients=[])],
            "ClientCredentials.clients: [] is not accepted; write an array of 1 or more different "
            'items, each a name in lower case, like "asapp"',
        ),
        refused(
            [ClientCredentials(domain_prefix="acme", header="x token")],
            f'ClientCredentials.header: "x token" is not accepted; {A_HEADER}',
        ),
        refused(
            [of_issuer(client_id=None)],
            "IssuedTokens: any client of the issuer would be let in; write an audience, a scope "
            "or a client_id",
        ),
        refused(
            [of_issuer(issuer="acme.okta.com", keys_url="acme.okta.com/keys")],
            f'IssuedTokens.issuer: "acme.okta.com" is not accepted; {AN_ADDRESS}',
            f'IssuedTokens.keys_url: "acme.okta.com/keys" is not accepted; {AN_ADDRESS}',
        ),
        refused(
            [of_issuer(issuer="http://acme.okta.com", keys_url="http://acme.okta.com/keys")],
            'IssuedTokens.issuer: "http://acme.okta.com" is not encrypted; write '
            '"https://acme.okta.com"',
            'IssuedTokens.keys_url: "http://acme.okta.com/keys" is not encrypted; write '
            '"https://acme.okta.com/keys"',
        ),
        refused(
            [of_issuer(scope="a b")],
            'IssuedTokens.scope: "a b" is not accepted; write what the token has, up to 256 '
            "characters without spaces",
        ),
        refused(
            [by_certificate(subject="webhook.asapp.com")],
            'ClientCertificate.subject: "webhook.asapp.com" is not accepted; write a part, like '
            '"CN=webhook.asapp.com"',
        ),
        refused(
            [by_certificate(base_path="/asapp")],
            'ClientCertificate.base_path: "/asapp" is not accepted; write a path without slashes '
            'around it, like "asapp"',
        ),
        refused(
            [by_certificate(secret=SharedSecret(secret_in="body"))],  # type: ignore[arg-type]
            'ClientCertificate.secret.secret_in: "body" is not accepted; write "header" or "query"',
        ),
    ],
)
def test_a_way_that_cannot_be_is_refused_with_what_to_write(
    auth: list[Any], lines: list[str]
) -> None:
    stack = new_stack()
    arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/theirs"
    table = dynamodb.Table.from_table_arn(stack, "Table", arn)
    ways = [each(stack) if callable(each) else each for each in auth]
    with pytest.raises(ValueError, match=r"\S") as error:
        TranscriptWebhook(stack, "Webhook", table=table, auth=ways)
    assert str(error.value).split("\n") == lines


# The file of authorities


def key() -> str:
    kind = "PRIVATE KEY"
    return f"-----BEGIN EC {kind}-----\nMHcCAQEEIA==\n-----END EC {kind}-----\n"


CONTENTS: dict[str, tuple[str | None, str]] = {
    "none": (None, "there is no file FILE; write the path of one, in PEM"),
    "empty": ("", "FILE has no certificates, or one that cannot be read; write them in PEM"),
    "garbled": (
        AUTHORITIES.read_text().replace("MII", "MIJ", 1),
        "FILE has no certificates, or one that cannot be read; write them in PEM",
    ),
    "key": (
        AUTHORITIES.read_text() + key(),
        "FILE has a private key, and would be uploaded; write certificates alone",
    ),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_a_file_of_authorities_that_api_gateway_could_not_use_is_refused(
    case: str, tmp_path: Path
) -> None:
    content, message = CONTENTS[case]
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    stack = new_stack()
    with pytest.raises(ValueError, match=r"\S") as error:
        WebhookDomain(
            stack,
            "Domain",
            name=OF_CLIENTS,
            certificate=certificate(stack, "own"),
            client_authorities=file,
        )
    expected = message.replace("FILE", str(file))
    assert str(error.value) == f"Stack/Domain: client_authorities: {expected}"
    assert len(stack.node.find_child("Domain").node.children) == 0, "nothing is made before"


def test_the_certificate_of_a_client_is_none_of_an_authority(tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(AUTHORITIES.read_text() + of_a_client())
    stack = new_stack()
    with pytest.raises(ValueError, match="has a certificate of no authority; write those of"):
        WebhookDomain(
            stack,
            "Domain",
            name=OF_CLIENTS,
            certificate=certificate(stack, "own"),
            client_authorities=file,
        )


def test_the_first_expiry_counts_and_today_does_not(tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(authority(2131) + authority(2129) + authority(2140))
    begins = {
        year: int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2129, 2131, 2140)
    }
    assert expiries_of(file) == {f"commonName=Ends {year}": at for year, at in begins.items()}
    stack = new_stack()
    made = WebhookDomain(
        stack,
        "Domain",
        name=OF_CLIENTS,
        certificate=certificate(stack, "own"),
        client_authorities=file,
    )
    assert made.authority_expires_soon
    soon = begins[2129] - 30 * 24 * 60 * 60
    assert made.authority_expires_soon.expression == f"IF(EPOCH(days) > {soon}, 1, 0)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"client_authorities": AUTHORITIES, "tls": "1.3"},
            'tls: "1.3" is not possible with client_authorities; write "1.2"',
        ),
        ({"tls": "1.1"}, 'tls: "1.1" is not accepted; write "1.2" or "1.3"'),
        (
            {"name": "Transcripts.acme.com"},
            'name: "Transcripts.acme.com" is not accepted; write a domain name in lower case, '
            'like "transcripts.acme.com"',
        ),
    ],
)
def test_a_domain_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    stack = new_stack()
    arguments = {"name": OF_CLIENTS, "certificate": certificate(stack, "own")}
    with pytest.raises(ValueError, match=r"\S") as error:
        WebhookDomain(stack, "Domain", **arguments | given)
    assert str(error.value) == f"Stack/Domain: {message}"


def test_an_ownership_certificate_without_client_certificates_is_refused() -> None:
    stack = new_stack()
    with pytest.raises(ValueError, match="ownership_certificate: is not used") as error:
        WebhookDomain(
            stack,
            "Domain",
            name=OF_CLIENTS,
            certificate=certificate(stack, "own"),
            ownership_certificate=certificate(stack, "owner"),
        )
    assert str(error.value).endswith("give client_authorities with it")


def authority(year: int) -> str:
    """An authority's certificate that ends with the given year's beginning."""
    return _certificate(year, is_authority=True)


def of_a_client() -> str:
    return _certificate(2040, is_authority=False)


def _certificate(year: int, *, is_authority: bool) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Ends {year}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(year)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(year, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
