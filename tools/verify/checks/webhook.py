"""The webhook: who gets in, and that an utterance of the marked conversation comes everywhere."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.verify.account import Account
from tools.verify.conversation import Conversation, ask
from tools.verify.listener import MARKED, Listener

_REFUSED = (401, 403)
_BETWEEN_SECONDS = 0.2
_NOT_CHECKED = "not checked: "


@dataclass(frozen=True)
class Way:
    """One way to prove at the webhook who it is.

    :param proof: Headers and query of a credential.
    """

    name: str
    url: str
    proof: Callable[[str], tuple[dict[str, str], dict[str, str]]]
    credential: Callable[[], str]
    certificate: tuple[str, str] | None = None


class _None(Exception):
    """There is no credential; says why."""


def webhook(account: Account) -> Findings:
    outputs = account.transcription.outputs
    conversation, listener = Conversation(account), Listener(account)
    listener.begin()
    posted = 0
    for way in _ways(account):
        yield from _refuses(account, way, conversation.message(0, f"refused-{uuid.uuid4()}"))
        try:
            credential = way.credential()
        except _None as reason:
            yield Finding("problem", f"{way.name}: {reason}", "see the client at the pool")
            continue
        began = time.monotonic()
        status = _post(account, way, credential, conversation.message(posted))
        if status == 403 and account.settings.webhook.allowed_cidrs:
            yield warning(
                f"{way.name}: the right credential gets 403: see webhook.allowed_cidrs",
                "run it from an address that may post; nothing behind the webhook was shown",
            )
            continue
        if status != 200:
            yield problem(
                f"{way.name}: the right credential gets {_said(status)}",
                f"aws logs tail {outputs.get('WebhookAccessLogs', 'of the webhook')}",
            )
            continue
        posted += 1
        yield well(f"{way.name}: the right credential gets in")
        yield from _comes_everywhere(account, way.name, conversation, listener, posted, began)
    yield from _not_checked(account)
    if posted:
        yield from _is_erased(account, conversation)


def _ways(account: Account) -> Iterator[Way]:
    settings, outputs = account.settings, account.transcription.outputs
    if url := outputs.get("WebhookUrl"):
        yield Way("secret", url, _secret_proof(account), lambda: _secret(account))
    if (url := outputs.get("WebhookOAuth2Url")) and "WebhookTokenUrl" in outputs:
        header = settings.webhook_oauth2.header

        def token(value: str) -> tuple[dict[str, str], dict[str, str]]:
            return {header: f"Bearer {value}" if value else ""}, {}

        yield Way("access token", url, token, lambda: _token(account))
    if (url := outputs.get("WebhookCertificateUrl")) and account.certificate:
        with_secret = settings.webhook_mtls.secret
        yield Way(
            "client certificate",
            url,
            _secret_proof(account) if with_secret else lambda _: ({}, {}),
            (lambda: _secret(account)) if with_secret else (lambda: "none"),
            account.certificate,
        )


def _secret_proof(account: Account) -> Callable[[str], tuple[dict[str, str], dict[str, str]]]:
    name, place = account.settings.webhook.secret_name, account.settings.webhook.secret_in
    return lambda value: ({name: value}, {}) if place == "header" else ({}, {name: value})


def _not_checked(account: Account) -> Findings:
    outputs = account.transcription.outputs
    if "WebhookOAuth2Url" in outputs and "WebhookTokenUrl" not in outputs:
        what = f"{_NOT_CHECKED}access tokens of your own authorization server"
        yield Finding("skipped", what, "post with a token of its own client: docs/webhook.md")
    if "WebhookCertificateUrl" in outputs and not account.certificate:
        what = f"{_NOT_CHECKED}the client certificate, which only its owner has"
        yield Finding("skipped", what, "CERTIFICATE=client.pem KEY=client.key")


def _refuses(account: Account, way: Way, body: bytes) -> Findings:
    """Without a credential, and with one that nobody has.

    :param body: Of the marked conversation, so that it is erased if it gets in.
    """
    if way.certificate:
        without = replace(way, certificate=None)
        cases = [("no certificate", _post(account, without, "", body))]
    else:
        guessed = uuid.uuid4().hex
        cases = [
            ("no credential", _post(account, way, "", body)),
            ("a wrong credential", _post(account, way, guessed, body)),
        ]
    for what, status in cases:
        refused = status in _REFUSED or (way.certificate is not None and status == 0)
        if refused:
            yield well(f"{way.name}: {what} gets {_said(status)}")
        else:
            log = "see the authorizer at the API's method POST: `make drift` compares it"
            yield problem(f"{way.name}: {what} gets {_said(status)}, not 401 or 403", log)


def _said(status: int) -> str:
    return str(status) if status else "no answer"


def _post(account: Account, way: Way, credential: str, body: bytes) -> int:
    headers, query = way.proof(credential) if credential else ({}, {})
    url = account.reached(way.url) + (f"?{urlencode(query)}" if query else "")
    headers["Content-Type"] = "application/json"
    return ask(url, headers=headers, body=body, certificate=way.certificate).status


def _secret(account: Account) -> str:
    arn = account.transcription.outputs["WebhookSecretArn"]
    return _value(account, arn)


def _value(account: Account, arn: str) -> str:
    answer = account.aws.read("secretsmanager", "get_secret_value", SecretId=arn) or {}
    return str(answer["SecretString"])


def _token(account: Account) -> str:
    """An access token of the first client."""
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
    try:
        return str(json.loads(answer.body)["access_token"])
    except (ValueError, KeyError, TypeError):
        raise _None(f"{outputs['WebhookTokenUrl']} gives no token ({answer.status})") from None


def _comes_everywhere(
    account: Account,
    way: str,
    conversation: Conversation,
    listener: Listener,
    number: int,
    began: float,
) -> Findings:
    """The utterance in the table, on the bus and in the transcript API, with the time until it was
    seen there."""
    expected = {"streamId": conversation.stream_id, "startMs": number - 1}

    def is_on_bus() -> bool:
        return any([expected.items() <= each.items() for each in listener.heard()])

    places: dict[str, tuple[Callable[[], bool], str]] = {
        "in the table": (
            lambda: len(conversation.utterances()) >= number,
            "see WebhookQueueUrl, its consumer StoreTranscript and that one's dead letters",
        ),
        "on the event bus": (
            is_on_bus,
            "see PublishUtterance: the mapping of the table's stream, and its log",
        ),
        "in the transcript API": (
            lambda: conversation.transcript().body.count(conversation.stream_id) >= number,
            "see the log of ReadTranscript; who runs this needs execute-api:Invoke",
        ),
    }
    missing = dict(places)
    while missing and time.monotonic() - began < account.patience:
        for place, (is_there, _) in list(missing.items()):
            if is_there():
                del missing[place]
                yield well(f"{way}: {place} after {time.monotonic() - began:.1f} s")
        if missing:
            time.sleep(_BETWEEN_SECONDS)
    for place, (_, remedy) in missing.items():
        what = f"{way}: not {place} within {account.patience:.0f} s"
        yield problem(what, f"{remedy}; then run it again, which deletes what comes late")


def _is_erased(account: Account, conversation: Conversation) -> Findings:
    number = conversation.erase()
    left, answer = len(conversation.items()), conversation.transcript()
    if left or answer.status != 404:
        what = f"{left} items of {MARKED} are left; the transcript API answers {answer.status}"
        yield problem(what, "run it again")
    else:
        yield well(f"erased: {number} items deleted, and the transcript API knows it no more")
