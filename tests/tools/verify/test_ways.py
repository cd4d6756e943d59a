"""Ways into the webhook that need what only their owner has: a token of the customer's own
authorization server, a client certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.tools.doctor.fake_aws import CERTIFICATE
from tools.doctor.findings import Finding
from tools.verify.__main__ import main
from tools.verify.account import Account
from tools.verify.checks.ways import ways_of
from tools.verify.checks.webhook import Posted, refuses, takes
from tools.verify.conversation import Conversation

from .conftest import Aws, stack_of
from .serving import Served, serving

TOKEN = "a-token-of-the-issuer"
OWN_ISSUER: dict[str, Any] = {
    "webhook__auth": ["oauth2"],
    "webhook_oauth2__issuer": "https://login.acme.example",
    "webhook_oauth2__keys_url": "https://login.acme.example/keys",
    "webhook_oauth2__client_id": "asapp",
    "webhook_oauth2__header": "X-Token",
}
MTLS: dict[str, Any] = {
    "webhook__auth": ["mtls"],
    "webhook_mtls__domain": "transcripts.acme.example",
    "webhook_mtls__certificate_arn": CERTIFICATE,
    "webhook_mtls__authorities_file": "tests/authorities.pem",
}
Deployed = Callable[..., Account]


@contextmanager
def webhook(answers: Callable[[str | None], int]) -> Iterator[str]:
    """Its URL. :param answers: The status, by the header with the token."""
    with serving(lambda _: Served(405), lambda headers: answers(headers.get("X-Token"))) as url:
        yield f"{url}/transcripts/oauth2"


def as_deployed(token: str | None) -> int:
    return 401 if not token else 200 if token == f"Bearer {TOKEN}" else 403


def findings(account: Account, output: str, url: str) -> tuple[list[Finding], list[Posted]]:
    vars(account)["stacks"] = {"transcription": stack_of({}, {}, {output: url})}
    conversation, posted = Conversation(account), list[Posted]()
    (way,) = ways_of(account)
    found = [*refuses(account, way, conversation), *takes(account, way, conversation, 0, posted)]
    return found, posted


def said(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.severity, each.what) for each in found]


REFUSED = [
    ("well", "access token: no credential gets 401"),
    ("well", "access token: a wrong credential gets 403"),
]


def test_a_given_token_of_the_own_issuer_opens_the_webhook_in_its_header(
    aws: Aws, deployed: Deployed
) -> None:
    account = replace(deployed(**OWN_ISSUER), webhook_token=TOKEN)
    with webhook(as_deployed) as url:
        found, posted = findings(account, "WebhookOAuth2Url", url)
    assert said(found) == [*REFUSED, ("well", "access token: the right credential gets in")]
    assert [each.way for each in posted] == ["access token"]


def test_without_a_token_refusals_are_tried_and_it_says_how_to_give_one(
    aws: Aws, deployed: Deployed
) -> None:
    with webhook(as_deployed) as url:
        found, posted = findings(deployed(**OWN_ISSUER), "WebhookOAuth2Url", url)
    assert said(found[:2]) == REFUSED
    (skipped,) = found[2:]
    assert skipped.severity == "skipped"
    assert "only refusals were tried" in skipped.what
    assert "set WEBHOOK_TOKEN" in skipped.remedy
    assert posted == []


def test_a_token_that_is_refused_is_a_problem_and_is_not_told(aws: Aws, deployed: Deployed) -> None:
    account = replace(deployed(**OWN_ISSUER), webhook_token=f"{TOKEN}-of-yesterday")
    with webhook(as_deployed) as url:
        found, posted = findings(account, "WebhookOAuth2Url", url)
    assert said(found[2:]) == [("problem", "access token: the right credential gets 403")]
    assert posted == []
    assert TOKEN not in f"{found}{account}"


def test_a_credential_that_is_no_header_is_a_problem_and_is_not_told(
    aws: Aws, deployed: Deployed
) -> None:
    account = replace(deployed(**OWN_ISSUER), webhook_token=f"{TOKEN}\nX: y")
    with webhook(as_deployed) as url:
        found, _ = findings(account, "WebhookOAuth2Url", url)
    what = "a header has characters that HTTP does not allow"
    assert said(found[2:]) == [
        ("problem", f"access token: the right credential gets no answer ({what})")
    ]
    assert TOKEN not in str(found)


@pytest.mark.parametrize("name", ["LIVE_TOKEN", "WEBHOOK_TOKEN"])
@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"{TOKEN}\nX: y", f"“{TOKEN}”"])
def test_a_variable_that_has_more_than_a_token_is_refused_and_not_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["dev"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{name} is no token")
    assert TOKEN not in printed.err + printed.out


def test_a_webhook_that_takes_any_token_is_a_problem(aws: Aws, deployed: Deployed) -> None:
    with webhook(lambda token: 200 if token else 401) as url:
        found, _ = findings(deployed(**OWN_ISSUER), "WebhookOAuth2Url", url)
    assert [it for it in said(found) if it[0] == "problem"] == [
        ("problem", "access token: a wrong credential gets 200, not 401 or 403")
    ]


def test_a_domain_that_nobody_serves_is_no_refusal(aws: Aws, deployed: Deployed) -> None:
    found, _ = findings(
        deployed(**MTLS), "WebhookCertificateUrl", "https://127.0.0.1:1/transcripts"
    )
    problem, skipped = found
    assert problem.severity == "problem"
    assert problem.what.startswith("client certificate: no certificate gets no answer (")
    assert "refused" in problem.what
    assert (skipped.severity, "CERTIFICATE=" in skipped.remedy) == ("skipped", True)


def test_a_domain_that_demands_no_certificate_is_a_problem(aws: Aws, deployed: Deployed) -> None:
    with webhook(lambda _: 200) as url:
        found, _ = findings(deployed(**MTLS), "WebhookCertificateUrl", url)
    assert said(found[:1]) == [
        ("problem", "client certificate: no certificate gets 200, not 401 or 403")
    ]
