"""The ways in which ASAPP can prove at the webhook who it is, and what proves it here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from tools.doctor.findings import Finding, problem
from tools.verify.account import Account
from tools.verify.conversation import Answer, ask


@dataclass(frozen=True)
class Way:
    """
    :param proof: Headers and query of a credential; None if there is nothing but a certificate.
    :param credential: Gets a good one.
    :param by_certificate: Whether a client certificate is demanded.
    """

    name: str
    url: str
    proof: Callable[[str], tuple[dict[str, str], dict[str, str]]] | None
    credential: Callable[[], str]
    by_certificate: bool = False

    def post(
        self,
        account: Account,
        body: bytes,
        credential: str = "",
        certificate: tuple[str, str] | None = None,
    ) -> Answer:
        headers, query = self.proof(credential) if self.proof and credential else ({}, {})
        url = account.reached(self.url) + (f"?{urlencode(query)}" if query else "")
        headers["Content-Type"] = "application/json"
        return ask(url, headers=headers, body=body, certificate=certificate)


class NoCredential(Exception):
    """There is none; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def ways_of(account: Account) -> Iterator[Way]:
    """Those that were deployed."""
    settings, outputs = account.settings, account.transcription.outputs
    if url := outputs.get("WebhookUrl"):
        yield Way("secret", url, _secret_proof(account), lambda: _secret(account))
    if url := outputs.get("WebhookOAuth2Url"):
        header = settings.webhook_oauth2.header

        def proof(token: str) -> tuple[dict[str, str], dict[str, str]]:
            return {header: f"Bearer {token}"}, {}

        gets = _pools_token if "WebhookTokenUrl" in outputs else _given_token
        yield Way("access token", url, proof, lambda: gets(account))
    if url := outputs.get("WebhookCertificateUrl"):
        with_secret = settings.webhook_mtls.secret

        def behind_certificate() -> str:
            if not account.certificate:
                what = "client certificate: only refusals were tried, as its owner alone has it"
                raise NoCredential(
                    Finding("skipped", what, "CERTIFICATE=client.pem KEY=client.key")
                )
            return _secret(account) if with_secret else ""

        secret = _secret_proof(account) if with_secret else None
        yield Way("client certificate", url, secret, behind_certificate, by_certificate=True)


def _secret_proof(account: Account) -> Callable[[str], tuple[dict[str, str], dict[str, str]]]:
    name, place = account.settings.webhook.secret_name, account.settings.webhook.secret_in
    return lambda value: ({name: value}, {}) if place == "header" else ({}, {name: value})


def _secret(account: Account) -> str:
    """As the authorizer reads it: without white space at its ends."""
    return _value(account, account.transcription.outputs["WebhookSecretArn"]).strip()


def _value(account: Account, arn: str) -> str:
    answer = account.aws.read("secretsmanager", "get_secret_value", SecretId=arn) or {}
    return str(answer["SecretString"])


def _given_token(account: Account) -> str:
    """Of the customer's own authorization server: nobody else can sign one."""
    if not account.webhook_token:
        what = "access token: only refusals were tried, as your own authorization server signs them"
        remedy = "set WEBHOOK_TOKEN to a token that it gives to ASAPP's client: docs/webhook.md"
        raise NoCredential(Finding("skipped", what, remedy))
    return account.webhook_token


def _pools_token(account: Account) -> str:
    """An access token of the user pool's first client."""
    outputs = account.transcription.outputs
    (first, *_) = account.settings.webhook_oauth2.clients
    name = "Webhook" + "".join(part.capitalize() for part in first.split("-"))
    pair = f"{outputs[f'{name}ClientId']}:{_value(account, outputs[f'{name}ClientSecretArn'])}"
    basic = base64.b64encode(pair.encode()).decode()
    headers = {
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    url = account.reached(outputs["WebhookTokenUrl"])
    answer = ask(url, headers=headers, body=b"grant_type=client_credentials")
    if "access_token" not in answer.content:
        what = f"access token: {outputs['WebhookTokenUrl']} gives none ({answer.status})"
        raise NoCredential(problem(what, "see the client at the pool"))
    return str(answer.content["access_token"])
