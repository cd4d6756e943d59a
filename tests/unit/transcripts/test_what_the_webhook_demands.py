"""The environment says what a caller of the webhook must present; who lacks it is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from authorize_webhook import handler as authorize_webhook
from authorize_webhook.client_certificate import is_from
from shared.tokens import signing_keys
from shared.tokens.signing_keys import NoKeys
from tests.running_server import running
from tests.unit.conftest import Context
from tests.unit.transcripts.test_access_token import GOOD, ISSUER, RS, RSA, Issuer, rsa_entry, token

SUBJECT = "CN=webhook.asapp.com"


@pytest.fixture
def asked() -> list[str]:
    """The requests that the issuer got."""
    return []


@pytest.fixture
def issuer(asked: list[str]) -> Iterator[str]:
    """Where a real server has the issuer's keys."""

    class KeySet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            body = Issuer(rsa_entry(RSA, "rsa")).body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), KeySet)) as server:
        yield f"http://127.0.0.1:{server.server_port}/keys?version=2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("WEBHOOK_SECRET", "TOKEN_HEADER", "CERTIFICATE_SUBJECT"):
        monkeypatch.delenv(name, raising=False)
    authorize_webhook._demands.cache_clear()
    signing_keys.issuer.cache_clear()
    yield monkeypatch
    authorize_webhook._demands.cache_clear()
    signing_keys.issuer.cache_clear()


def effect(headers: dict[str, str], subject: object = None) -> str:
    event: dict[str, Any] = {
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-east-1:111111111111:a1b2c3/v1/POST/transcripts",
        "headers": headers,
        "queryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
    }
    if subject is not None:
        event["requestContext"]["identity"]["clientCert"] = {"subjectDN": subject}
    (statement,) = authorize_webhook.handler(event, Context(10))["policyDocument"]["Statement"]
    return str(statement["Effect"])


def demand_a_token(environment: pytest.MonkeyPatch, keys_url: str) -> None:
    environment.setenv("TOKEN_HEADER", "Authorization")
    environment.setenv("TOKEN_ISSUER", ISSUER)
    environment.setenv("TOKEN_KEYS_URL", keys_url)
    environment.setenv("TOKEN_AUDIENCE", "webhook")


def test_a_token_is_checked_with_the_keys_that_the_issuer_publishes(
    environment: pytest.MonkeyPatch, issuer: str, asked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    demand_a_token(environment, issuer)
    good = token(GOOD, RS)
    with caplog.at_level(logging.WARNING):
        assert effect({"authorization": f"Bearer {good}"}) == "Allow"
        assert effect({"Authorization": good[:-9] + "AAAAAAAA" + good[-1]}) == "Deny"
        assert effect({"Authorization": token(GOOD | {"aud": "other"}, RS)}) == "Deny"
        assert effect({}) == "Deny"
    assert asked == ["/keys?version=2"]
    assert {record.getMessage() for record in caplog.records} == {
        "webhook refused: the access token is not good"
    }


def test_an_issuer_that_was_never_reached_refuses_nobody_for_good(
    environment: pytest.MonkeyPatch,
) -> None:
    """API Gateway answers 500 and asks again at the next POST."""
    demand_a_token(environment, "http://127.0.0.1:1/keys")
    with pytest.raises(NoKeys):
        effect({"Authorization": token(GOOD, RS)})


def test_a_client_certificate_counts_by_its_subject(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CERTIFICATE_SUBJECT", SUBJECT)
    assert effect({}, f"{SUBJECT},O=ASAPP\\, Inc.,C=US") == "Allow"
    assert effect({}, f"C=US, O=ASAPP, {SUBJECT}") == "Allow"
    assert effect({}, "CN=somebody.example.com,O=ASAPP") == "Deny"
    assert effect({}) == "Deny"


@pytest.mark.parametrize(
    "subject",
    [
        "CN=webhook.asapp.com.evil.example.com",
        "OCN=webhook.asapp.com",
        "O=x\\,CN=webhook.asapp.com",
        "O=x\\,CN=webhook.asapp.com\\,y,CN=evil.example.com",
        "CN=webhook.asapp.com\\,",
        "cn=webhook.asapp.com",
        "",
        None,
        5,
    ],
)
def test_a_subject_that_only_looks_like_it_is_refused(subject: object) -> None:
    assert not is_from(
        {"requestContext": {"identity": {"clientCert": {"subjectDN": subject}}}}, SUBJECT
    )


def test_whoever_lacks_one_of_two_demands_is_refused(
    environment: pytest.MonkeyPatch, issuer: str
) -> None:
    demand_a_token(environment, issuer)
    environment.setenv("CERTIFICATE_SUBJECT", SUBJECT)
    good = {"Authorization": token(GOOD, RS)}
    assert effect(good, SUBJECT) == "Allow"
    assert effect(good, "CN=somebody") == "Deny"
    assert effect({}, SUBJECT) == "Deny"


def test_if_nothing_is_demanded_nobody_is_let_in() -> None:
    with pytest.raises(KeyError):
        effect({})
