"""Each way to prove who calls, at the deployed webhook: what gets in, and what does not."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.asapp.conversations import Utterance, load_all
from sandbox.asapp.double import ClientCertificate, OAuth2
from sandbox.stacks.authorization_server import SigningKey
from sandbox.stacks.running import Sandbox
from tests.sandbox.certificates import ASAPP, DOMAIN, OTHER_DOMAIN, Certificates
from tests.sandbox.stacks.ways.posting import (
    POSTS_AT_ONCE,
    WORD,
    OwnIssuer,
    Way,
    arrived,
    asapp_before,
    posted,
    say,
    statuses,
)


@pytest.mark.parametrize("name", ["secret", "oauth2", "mtls", "own issuer"])
def test_a_whole_conversation_comes_in_and_nothing_is_lost(name: str, ways: dict[str, Way]) -> None:
    way, conversation = ways[name], load_all()[0]
    with asapp_before(way, posts_at_once=POSTS_AT_ONCE) as asapp:
        guid, posts = say(asapp, conversation.utterances)
    assert statuses(posts) == [200] * len(conversation.utterances)
    found = arrived(way, guid, len(posts))
    stored = sorted(item["message"].encode() for item in found)
    assert stored == sorted(post.body for post in posts)


@pytest.mark.parametrize("name", ["oauth2", "own issuer"])
@pytest.mark.parametrize(
    ("change", "tokens"),
    [({"send_by": "body"}, 1), ({"keep": False}, 3), ({"template": "{access_token}"}, 1)],
    ids=["secret in the body", "a token for each message", "without Bearer"],
)
def test_however_asapps_client_is_set_its_tokens_are_good(
    name: str, change: Mapping[str, Any], tokens: int, ways: dict[str, Way]
) -> None:
    way = ways[name]
    changed = OAuth2(**{**vars(way.proof["oauth2"]), **change})
    said = [Utterance("agent", n, n + 1, f"word {n}") for n in range(3)]
    with asapp_before(way.but(oauth2=changed)) as asapp:
        _, posts = say(asapp, said)
        assert (statuses(posts), asapp.tokens_fetched) == ([200] * 3, tokens)


def test_no_scope_and_no_audience_is_asked_for(ways: dict[str, Way], own_issuer: OwnIssuer) -> None:
    before = len(own_issuer.server.asked)
    with asapp_before(ways["own issuer"]) as asapp:
        say(asapp, WORD)
    assert own_issuer.server.asked[before:] == [{"grant_type": "client_credentials"}]


@pytest.mark.parametrize("name", ["oauth2", "own issuer"])
def test_a_client_with_a_wrong_secret_gets_no_token_and_posts_nothing(
    name: str, ways: dict[str, Way]
) -> None:
    wrong = OAuth2(**{**vars(ways[name].proof["oauth2"]), "client_secret": "guessed"})
    assert posted(ways[name].but(oauth2=wrong)) is None


def test_a_token_of_the_user_pool_must_be_whole_fresh_and_for_this_api(
    sandbox: Sandbox, ways: dict[str, Way]
) -> None:
    good, key = token_of(ways["oauth2"].proof["oauth2"]), pool_key(sandbox)
    claims, now = claims_of(good), int(time.time())
    answers = {
        name: by_token(ways["oauth2"], token)
        for name, token in {
            "the pool's": good,
            "signed as the pool signs": key.signed(claims),
            "none": "",
            "not a token": "guessed",
            "tampered": tampered(good),
            "expired": key.signed(claims | {"iat": now - 7200, "exp": now - 3600}),
            "of another pool": key.signed(claims | {"iss": claims["iss"] + "x"}),
            "for another scope": key.signed(claims | {"scope": "transcripts/read"}),
            "of an unknown key": SigningKey.made("other").signed(claims),
            "of another key with its id": SigningKey.made(key.id).signed(claims),
        }.items()
    }
    assert answers == {
        "the pool's": 200,
        "signed as the pool signs": 200,
        **dict.fromkeys([*answers][2:], 401),
    }


def test_a_token_of_the_own_issuer_must_be_whole_fresh_and_asapps(
    ways: dict[str, Way], own_issuer: OwnIssuer
) -> None:
    server, now = own_issuer.server, int(time.time())
    good = server.token()
    answers = {
        name: by_token(ways["own issuer"], token)
        for name, token in {
            "the issuer's": good,
            "a minute late": server.token(exp=now - 30),
            "none": "",
            "not a token": "guessed",
            "tampered": tampered(good),
            "expired": server.token(exp=now - 3600),
            "of another issuer": server.token(iss="http://127.0.0.1"),
            "of another client": server.token(client_id="billing"),
            "of another key with its id": SigningKey.made(server.signs.id).signed(claims_of(good)),
        }.items()
    }
    assert answers == {
        "the issuer's": 200,
        "a minute late": 200,
        "none": 401,
        **dict.fromkeys([*answers][3:], 403),
    }


def test_only_a_client_certificate_of_the_truststore_gets_through_the_handshake(
    ways: dict[str, Way], certificates: Certificates
) -> None:
    presented: dict[str, ClientCertificate | None] = {
        "of the first authority": certificates.client("first"),
        "of the second authority": certificates.client("second"),
        "none": None,
        "of another authority": certificates.client("evil"),
        "expired": certificates.expired("first"),
        "of a server": certificates.of_a_server("first"),
    }
    answers = {name: posted(ways["mtls"].but(certificate=each)) for name, each in presented.items()}
    assert answers == {
        "of the first authority": 200,
        "of the second authority": 200,
        **dict.fromkeys([*answers][2:], None),
    }


def test_no_caller_gets_to_the_domain_under_another_name(ways: dict[str, Way]) -> None:
    way = ways["mtls"]
    elsewhere = {"elsewhere.sandbox.test": way.proof["addresses"][DOMAIN]}
    url = way.url.replace(DOMAIN, "elsewhere.sandbox.test")
    assert posted(Way(url, way.items, {**way.proof, "addresses": elsewhere})) is None


def test_a_certificate_of_a_public_authority_must_have_asapps_subject_and_the_secret(
    own_issuer: OwnIssuer, certificates: Certificates
) -> None:
    """The deployed function, as API Gateway invokes it: the emulator does not tell it of the
    certificate."""
    ours, theirs = (certificates.client("public", name) for name in (ASAPP, "billing.example.com"))

    def answer(certificate: ClientCertificate | None, secret: str) -> str:
        identity = {"clientCert": {"subjectDN": subject(certificate)}} if certificate else {}
        event = {
            "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/v1/POST/transcripts",
            "headers": {"X-Webhook-Secret": secret},
            "requestContext": {"identity": identity},
        }
        client = own_issuer.emulator.client("lambda", tries=1)
        name = own_issuer.outputs["CertificateFunction"]
        payload = client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read()
        effect: str = json.loads(payload)["policyDocument"]["Statement"][0]["Effect"]
        return effect

    assert answer(ours, own_issuer.secret) == "Allow"
    assert answer(theirs, own_issuer.secret) == "Deny"
    assert answer(None, own_issuer.secret) == "Deny"
    assert answer(ours, "guessed") == "Deny"
    assert answer(ours, "") == "Deny"


def test_a_certificate_whose_subject_nobody_vouches_for_gets_in_nowhere(
    own_issuer: OwnIssuer, certificates: Certificates
) -> None:
    """Also if the caller says in headers what API Gateway would say of the certificate."""
    forged = {"x-amzn-mtls-clientcert-subject": f"CN={ASAPP}", "subjectDN": f"CN={ASAPP}"}
    way = Way(
        own_issuer.outputs["CertificateWebhook"],
        own_issuer.items,
        {
            "certificate": certificates.client("public", "billing.example.com"),
            "authorities": certificates.servers,
            "addresses": {OTHER_DOMAIN: own_issuer.door.address},
            "headers": {"x-webhook-secret": own_issuer.secret, **forged},
        },
    )
    assert posted(way) == 403


def by_token(way: Way, token: str) -> int | None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return posted(Way(way.url, way.items, {"headers": headers}))


def token_of(client: OAuth2) -> str:
    answer = httpx.post(
        client.token_url,
        data={"grant_type": "client_credentials"},
        auth=(client.client_id, client.client_secret),
        trust_env=False,
    )
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decoded(token.split(".")[1]))
    return claims


def tampered(token: str) -> str:
    """With other claims and the old signature."""
    header, _, signature = token.split(".")
    claims = claims_of(token) | {"exp": int(time.time()) + 86400}
    return f"{header}.{_encoded(json.dumps(claims).encode())}.{signature}"


def pool_key(sandbox: Sandbox) -> SigningKey:
    """The key with which the emulator signs the pool's access tokens."""
    oauth2 = sandbox.deployment.oauth2()
    token = token_of(oauth2)
    pool = claims_of(token)["iss"].rpartition("/")[2]
    file = sandbox.folder / "tmp" / "state" / "cognito-pool-keys" / f"{pool}-access.pem"
    private = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return SigningKey(json.loads(_decoded(token.split(".")[0]))["kid"], private)


def subject(certificate: ClientCertificate) -> str:
    """As API Gateway writes it."""
    loaded = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
    return loaded.subject.rfc4514_string()


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
