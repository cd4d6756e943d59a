"""ASAPP's double before a webhook: whole conversations, and many POSTs a second."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from sandbox.asapp.conversations import Utterance
from sandbox.asapp.double import AsappDouble, OAuth2, Post
from sandbox.stacks.authorization_server import AuthorizationServer
from sandbox.stacks.client_certificates import ClientCertificates
from sandbox.stacks.deployment import cdk, served
from sandbox.stacks.emulator import Emulator
from sandbox.stacks.running import Sandbox
from shared import table
from shared.transcripts.stored_utterances import in_order
from tests.sandbox.stacks.ways.own_issuer_app import STACK, write_assembly

POSTS_A_SECOND = 20
POSTS_AT_ONCE = 4
WORD = [Utterance("customer", 0, 10, "Hello?")]
_SECONDS_TO_ARRIVE = 120


@dataclass(frozen=True)
class Way:
    """A webhook, and what opens it.

    :param items: Reads a conversation from the table behind it.
    :param proof: Arguments of `AsappDouble.webhook`.
    """

    url: str
    items: Callable[[str], list[dict[str, Any]]]
    proof: Mapping[str, Any]

    def but(self, **changes: Any) -> Way:
        """With another proof."""
        return replace(self, proof={**self.proof, **changes})

    def stored(self, guid: str) -> Sequence[Mapping[str, Any]]:
        return in_order(self.items(guid))


@dataclass
class OwnIssuer:
    """The small app, deployed. :ivar door: Before its domain for client certificates."""

    emulator: Emulator
    server: AuthorizationServer
    outputs: Mapping[str, str]
    door: ClientCertificates = field(init=False)

    @property
    def token_webhook(self) -> str:
        return served(self.emulator, self.outputs["TokenWebhook"])

    @property
    def secret(self) -> str:
        client = self.emulator.client("secretsmanager")
        return str(client.get_secret_value(SecretId=self.outputs["Secret"])["SecretString"])

    def oauth2(self) -> OAuth2:
        return OAuth2(self.server.token_url, "asapp", self.server.clients["asapp"])

    def items(self, guid: str) -> list[dict[str, Any]]:
        pages = (
            self.emulator.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.outputs["TableName"],
                KeyConditionExpression="conversationId = :id",
                ExpressionAttributeValues={":id": {"S": guid}},
            )
        )
        return [table.values(item) for page in pages for item in page["Items"]]


def deploy_own_issuer(
    sandbox: Sandbox, server: AuthorizationServer, authorities: Path
) -> OwnIssuer:
    emulator = sandbox.deployment.emulator
    folder = sandbox.folder / STACK
    folder.mkdir()
    assembly = write_assembly(folder / "cdk.out", server, authorities).folder
    with cdk(emulator, folder, "deploy", "--app", assembly, STACK, "--require-approval", "never"):
        pass
    (stack,) = emulator.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return OwnIssuer(emulator, server, outputs)


def warm_up(app: OwnIssuer) -> None:
    """Let the emulator start a process for each authorizer that will run at a time. On a busy
    machine the first call of each takes too long, and the emulator answers it as AWS does."""
    until = time.monotonic() + _SECONDS_TO_ARRIVE
    headers = {"Authorization": f"Bearer {app.server.token()}"}

    def post() -> bool:
        answer = httpx.post(app.token_webhook, content=b"{}", headers=headers, timeout=60)
        return answer.status_code == 500

    def invoke() -> bool:
        name, client = app.outputs["CertificateFunction"], app.emulator.client("lambda", tries=1)
        event = {"methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/v1/POST/transcripts"}
        return "FunctionError" in client.invoke(FunctionName=name, Payload=json.dumps(event))

    def repeat(fails: Callable[[], bool]) -> None:
        while fails() and time.monotonic() < until:
            pass

    with ThreadPoolExecutor(POSTS_AT_ONCE) as pool:
        list(pool.map(repeat, [*[post] * POSTS_AT_ONCE, invoke]))


@contextmanager
def asapp_before(way: Way, **options: Any) -> Iterator[AsappDouble]:
    """ASAPP's double, which posts to this webhook."""
    with AsappDouble(**options) as asapp:
        asapp.webhook(way.url, **way.proof)
        yield asapp


def say(asapp: AsappDouble, utterances: Sequence[Utterance]) -> tuple[str, list[Post]]:
    """A call of these words. Returns when every POST has its answer or none."""
    guid = begin(asapp)
    return guid, asapp.speak(guid, utterances).result(timeout=300)


def begin(asapp: AsappDouble) -> str:
    """Start the transcription of a call, without a flow."""
    guid = str(uuid.uuid4())
    body = {
        "namespace": "amazonconnect",
        "guid": guid,
        "customerId": "+15550100142",
        "agentId": "ada",
        "amazonConnectParams": {
            "streamArn": "arn:aws:kinesisvideo:us-east-1:000000000000:stream/"
            "sandbox-connect-sandbox-contact-1117e864-690f-4e1e-9dcf-6fbfcc288e41/1654194145007",
            "startSelectorType": "NOW",
        },
    }
    headers = {"asapp-api-id": asapp.api_id, "asapp-api-secret": asapp.api_secret}
    url = f"{asapp.url}/mg-autotranscribe/v1/start-streaming"
    httpx.post(url, json=body, headers=headers, trust_env=False).raise_for_status()
    return guid


def statuses(posts: Sequence[Post]) -> list[int | None]:
    return [sent.status for post in posts for sent in post.sent]


def posted(way: Way) -> int | None:
    """The answer to one POST, None if the webhook gave none. What was refused is not stored."""
    with asapp_before(way) as asapp:
        guid, posts = say(asapp, WORD)
    (status,) = statuses(posts)
    if status != 200:
        assert way.stored(guid) == []
    return status


def arrived(way: Way, guid: str, count: int) -> Sequence[Mapping[str, Any]]:
    """What the table has of a conversation, when it has this many utterances or time is over."""
    until = time.monotonic() + _SECONDS_TO_ARRIVE
    while len(found := way.stored(guid)) < count and time.monotonic() < until:
        time.sleep(0.2)
    return found


class Steady:
    """20 POSTs a second from ``with`` to its end, then everything that was posted is compared."""

    def __init__(self, way: Way) -> None:
        self.way = way

    def __enter__(self) -> Steady:
        self._double = AsappDouble(pace=1.0)
        self.asapp = self._double.__enter__()
        self.asapp.webhook(self.way.url, **self.way.proof)
        self._guid, self._posts = begin(self.asapp), list[Post]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._double.__exit__(*_)

    def _talk(self) -> None:
        """A second at a time, each right after the other."""
        second = 0
        under_way = []
        while not self._stop.is_set():
            under_way.append(self.asapp.speak(self._guid, _a_second(second)))
            second += 1
            self._stop.wait(1)
        for future in under_way:
            self._posts += future.result(timeout=120)

    def seconds(self, count: float) -> None:
        """Let it post on."""
        time.sleep(count)

    def switch(self, **proof: Any) -> None:
        """ASAPP now proves otherwise who it is."""
        self.way = self.way.but(**proof)
        self.asapp.webhook(self.way.url, **self.way.proof)

    def lost(self) -> tuple[int, list[str]]:
        """How many were posted, and the words that were refused or are not in the table."""
        stored = sum(map(_is_good, self._posts))
        found = arrived(self.way, self._guid, stored)
        texts = {item["text"] for item in found}
        refused = [f"{post.text} {statuses([post])}" for post in self._posts if not _is_good(post)]
        good = [post.text for post in self._posts if _is_good(post)]
        absent = [text for text in good if text not in texts]
        return len(self._posts), refused + absent


def _is_good(post: Post) -> bool:
    return statuses([post]) == [200]


def _a_second(number: int) -> list[Utterance]:
    step = 1000 // POSTS_A_SECOND
    begins = [number * 1000 + n * step for n in range(POSTS_A_SECOND)]
    return [Utterance("customer", at, at + step - 10, f"word {at}") for at in begins]


def none_is_lost(name: str, steady: Steady, seconds: float) -> None:
    """After ``with``. ``pytest -s`` shows the figures."""
    count, lost = steady.lost()
    print(json.dumps({"rotation": name, "posts": count, "lost": len(lost)}))
    assert lost == []
    assert count >= POSTS_A_SECOND * seconds * 0.8
