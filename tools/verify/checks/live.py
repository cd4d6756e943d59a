"""The live page: who gets in, that events are published, and what a browser is given."""

from __future__ import annotations

import json
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.live.channels import CALLS, SUPERVISORS, channel_of
from tools.doctor.findings import Finding, Findings, problem, well
from tools.verify.account import Account
from tools.verify.checks.calls import invoked
from tools.verify.checks.page import page
from tools.verify.conversation import TEXT, Conversation, ask
from tools.verify.listener import MARKED
from tools.verify.live_events import Events, NoAnswer, Refused, connected, page_config

Json = dict[str, Any]
HOW_TO_MEASURE = (
    "LIVE_TOKEN is a supervisor's identity token: sign in at the page, then in the browser's "
    'console: JSON.parse(sessionStorage["live.tokens"]).idToken'
)


def live(account: Account) -> Findings:
    if "live" not in account.stacks:
        if account.settings.live.mode == "off":
            yield Finding("skipped", "live.mode is off")
        else:
            yield problem("the live stack is not deployed", f"`make deploy ENV={account.name}`")
        return
    config = page_config(account)
    forged = _forged(account, config)
    yield from _read_api_refuses(config, forged)
    yield from _events_refuse(account, config, forged)
    yield from _publishes(account)
    yield from page(account, config)
    if not account.live_token:
        yield Finding("skipped", "the delay on the live channel was not measured", HOW_TO_MEASURE)


class Followed:
    """The marked conversation, as a supervisor's page follows it.

    :ivar heard: By the numbers of this run's utterances, when they came on the channel, by the
        monotonic clock.
    """

    def __init__(
        self, account: Account, config: Json, events: Events, conversation: Conversation
    ) -> None:
        self._token, self._url = account.live_token, f"{config['readUrl']}/conversations/{MARKED}"
        self._conversation = conversation
        self.heard: dict[int, float] = {}
        threading.Thread(target=self._listen, args=[events], daemon=True).start()

    def _listen(self, events: Events) -> None:
        for event in events.come():
            for number in self._conversation.numbers_in(event.get("text", "")):
                self.heard.setdefault(number, time.monotonic())

    def read(self) -> set[int]:
        """The numbers of those that the read API has."""
        answer = ask(self._url, headers={"Authorization": f"Bearer {self._token}"})
        return self._conversation.numbers_in(answer.body)


@contextmanager
def followed(account: Account, conversation: Conversation) -> Iterator[Followed | None]:
    """Follow the marked conversation until the end of ``with``; None if there is no live stack or
    no token.

    :raises Refused, NoAnswer: If the token does not open the channel.
    """
    if "live" not in account.stacks or not account.live_token:
        yield None
        return
    config = page_config(account)
    with connected(account, config, account.live_token) as events:
        events.subscribe(channel_of(MARKED) or "")
        yield Followed(account, config, events, conversation)


def _forged(account: Account, config: Json) -> str:
    """A token that is right in everything but its signature."""
    pool = account.stacks["live"].outputs["UserPoolId"]
    issuer = f"https://cognito-idp.{account.settings.region}.amazonaws.com/{pool}"
    published = ask(account.reached(f"{issuer}/.well-known/jwks.json")).content
    keys = published.get("keys") or [{}]
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": config["signIn"]["clientId"],
        "token_use": "id",
        "sub": str(uuid.uuid4()),
        "cognito:username": MARKED,
        "cognito:groups": [SUPERVISORS],
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
    }
    header = {"alg": "RS256", "kid": keys[0].get("kid", "")}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), bytes(256)]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _read_api_refuses(config: Json, forged: str) -> Findings:
    for path in ("/calls", f"/conversations/{MARKED}"):
        for what, headers in (
            ("without a token", {}),
            ("a forged token", {"Authorization": f"Bearer {forged}"}),
        ):
            answer = ask(f"{config['readUrl']}{path}", headers=headers)
            if answer.status != 401:
                yield problem(
                    f"read API, {path}: {what} gets {answer.status or answer.body}, not 401",
                    "see its authorizer: `make drift` compares it",
                )
            elif "message" not in answer.content:  # API Gateway's own answers have one
                yield problem(
                    f"read API, {path}: {what} gets as far as the function, which refuses it",
                    "the authorizer is gone: deploy again",
                )
            else:
                yield well(f"read API, {path}: {what} gets 401")


def _events_refuse(account: Account, config: Json, forged: str) -> Findings:
    see = "see the authorizer of the API of AppSync Events, AuthorizeLive"
    try:
        with connected(account, config, forged):
            yield problem("live channel: a forged token opens a connection", see)
    except Refused as refusal:
        yield well(f"live channel: a forged token opens no connection: {refusal}")
    except NoAnswer as reason:
        yield problem(f"live channel: no answer: {reason}", "see the API of AppSync Events")
        return
    if not account.live_token:
        return
    try:
        with connected(account, config, account.live_token) as events:
            for channel in (CALLS, channel_of(MARKED) or ""):
                try:
                    events.subscribe(channel, forged)
                    yield problem(f"live channel: a forged token subscribes to {channel}", see)
                except Refused as refusal:
                    yield well(
                        f"live channel: a forged token does not subscribe to {channel}: {refusal}"
                    )
    except (Refused, NoAnswer) as reason:
        yield problem(f"live channel: LIVE_TOKEN is of no use: {reason}", HOW_TO_MEASURE)


def _publishes(account: Account) -> Findings:
    """AppSync's answer, which nobody sees if the event bus invokes the function."""
    stack = account.stacks["live"]
    name = next(
        physical
        for _, properties, physical in stack.each("AWS::Lambda::Function")
        if properties["Handler"].startswith("publish_live.")
    )
    now = int(time.time() * 1000)
    detail = {
        "id": f"{MARKED}/utterance#{uuid.uuid4()}",
        "conversationId": MARKED,
        "role": "agent",
        "text": TEXT,
        "source": "webhook",
        "verified": False,
        "receivedAt": now,
        "storedAt": now,
        "startMs": 0,
        "endMs": 0,
        "streamId": MARKED,
    }
    event = {"source": "connect-autotranscribe", "detail-type": "Utterance", "detail": detail}
    error = invoked(account, name, event).get("error")
    if error is None:
        yield well("AppSync takes the marked utterance's event from PublishLive")
    else:
        yield problem(
            f"PublishLive cannot publish the marked utterance's event: {error}",
            f"aws logs tail {stack.outputs['PublishLiveLogs']}; a number is AppSync's answer",
        )
