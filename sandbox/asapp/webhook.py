"""How ASAPP's transcripts reach the webhook: one POST for each utterance, and no retry.

The network between them may duplicate, reorder, delay and drop messages: see ``Delivery``.
"""

import asyncio
import json
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from sandbox.asapp.conversations import Role, Utterance
from sandbox.asapp.webhook_auth import ClientCertificate, NoToken, OAuth2, Tokens, tls_context

TIMEOUT_SECONDS = 60.0  # ASAPP's own is unknown; longer than any answer of API Gateway


@dataclass(frozen=True)
class Delivery:
    """What the network does to messages. Rates are from 0 to 1; all times are scripted time.

    What happens to an utterance depends only on the seed and on its batch. The same seed gives the
    same result, at any pace and with any number of calls at the same time.

    :param duplicate: The chance that the same bytes are sent again within two seconds.
    :param reorder: The chance that the next one, two or three of the same batch overtake it.
    :param delay_ms: The least and the greatest delay from the end of an utterance to its POST.
    :param drop: The chance that an utterance is never sent.
    :param late: The chance that it comes five to twenty seconds later than the others.
    """

    duplicate: float = 0.0
    reorder: float = 0.0
    delay_ms: tuple[int, int] = (0, 0)
    drop: float = 0.0
    seed: int = 0
    late: float = 0.0

    def plan(self, spoken: Sequence[Utterance]) -> list[list[float]]:
        """For each utterance, when its POSTs are due (scripted ms); an empty list is a drop."""
        chances = [
            random.Random(f"{self.seed}/{u.role}/{u.start_ms}/{u.text}")  # noqa: S311
            for u in spoken
        ]
        due = [u.end_ms + c.uniform(*self.delay_ms) for u, c in zip(spoken, chances, strict=True)]
        plan = []
        for index, chance in enumerate(chances):
            # Always draw every number, so that changing one rate does not change the rest.
            drop, reorder, duplicate = (chance.random() for _ in range(3))
            overtaking = due[index + 1 : index + 1 + chance.randint(1, 3)]
            later = chance.uniform(1, 2000)
            late, much_later = chance.random(), chance.uniform(5_000, 20_000)
            first = due[index]
            if overtaking and reorder < self.reorder:
                first = max(first, *overtaking) + 1
            if late < self.late:
                first += much_later
            times = [first, first + later] if duplicate < self.duplicate else [first]
            plan.append([] if drop < self.drop else times)
        return plan


@dataclass
class Sent:
    """One POST: when it was sent (Unix seconds), and the HTTP status of its answer.

    The status is None until the answer comes, and stays None if no answer comes.

    :ivar due: When it should have been sent. On a busy machine it is sent later.
    """

    at: float
    due: float
    status: int | None = None


@dataclass
class Post:
    """One transcribed utterance, and each POST of it.

    :ivar sender: The customerId or agentId of the start request.
    :ivar start_ms: Milliseconds from the start of the stream's audio, as in the message, like
        ``end_ms``.
    :ivar audio_began_at: Unix seconds of the start of the stream's audio.
    :ivar conversation_id: ASAPP's own id of the call.
    :ivar message_id: The utterance's id in ASAPP's own record, a ULID. It is not in the webhook's
        message.
    :ivar recorded: The text in ASAPP's own record.
    :ivar dropped: The POST was lost on its way; only ASAPP's own record has the utterance.
    """

    guid: str
    stream_id: str
    role: Role
    sender: str
    start_ms: int
    end_ms: int
    text: str
    audio_began_at: float
    conversation_id: str
    message_id: str
    recorded: str
    body: bytes = b""
    dropped: bool = False
    sent: list[Sent] = field(default_factory=list)

    @property
    def started_at(self) -> float:
        """Unix seconds, by scripted time."""
        return self.audio_began_at + self.start_ms / 1000

    @property
    def ended_at(self) -> float:
        """Unix seconds, by scripted time."""
        return self.audio_began_at + self.end_ms / 1000


def message(post: Post, *, detailed_token: bool) -> bytes:
    """The webhook message of an utterance, as ASAPP documents it."""
    utterance: dict[str, Any] = {"text": post.text}
    if detailed_token:
        utterance["token"] = _tokens(post)
    body = {
        "type": "transcript",
        "externalConversationId": post.guid,
        "streamId": post.stream_id,
        "sender": {"externalId": post.sender, "role": post.role},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": post.start_ms,
            "end": post.end_ms,
            "utterance": [utterance],
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _tokens(post: Post) -> list[dict[str, Any]]:
    """The words, evenly spread in time. ASAPP documents the fields; we assume a list."""
    words = post.text.split()
    step = (post.end_ms - post.start_ms) / max(len(words), 1)
    times = [round(post.start_ms + step * index) for index in range(len(words) + 1)]
    return [
        {"content": word, "start": times[index], "end": times[index + 1]}
        for index, word in enumerate(words)
    ]


class Webhook:
    """Sends posts to one address. Without an address it sends nothing, as for an ASAPP account
    whose transcripts are only read by GET.

    :param at_once: How many POSTs may be under way.
    :param now: Unix seconds, for the expiry of tokens.
    """

    def __init__(self, at_once: int, now: Callable[[], float]) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._now = now
        self._target: _Target | None = None
        self._former: list[_Target] = []

    def aim(
        self,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        *,
        oauth2: OAuth2 | None = None,
        certificate: ClientCertificate | None = None,
        authorities: Path | None = None,
        addresses: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if self._target:
            self._former.append(self._target)
        target = httpx.URL(url).copy_merge_params(params)
        host = target.netloc.decode()
        self._target = _Target(
            url=target.copy_with(netloc=addresses.get(target.host, host).encode()),
            headers={"content-type": "application/json", "host": host, **headers},
            server=target.host,
            tokens=Tokens(oauth2, self._now) if oauth2 else None,
            tls=tls_context(certificate, authorities),
        )

    @property
    def tokens_fetched(self) -> int:
        targets = [*self._former, self._target]
        return sum(each.tokens.fetched for each in targets if each and each.tokens)

    async def send(self, post: Post, due: float) -> None:
        """POST it once, and do not repeat it after any answer.

        :param due: Unix seconds.
        """
        target = self._target
        if target is None:
            return
        async with self._slots:
            sent = Sent(time.time(), due)
            post.sent.append(sent)
            sent.status = await target.post(post.body)

    async def close(self) -> None:
        """Close the connections. Call it when no POST is under way."""
        for target in (*self._former, self._target):
            if target:
                await target.close()


@dataclass
class _Target:
    """Where posts go, and what proves there who sends them.

    :param server: The name that the server's certificate must have.
    """

    url: httpx.URL
    headers: Mapping[str, str]
    server: str
    tokens: Tokens | None
    tls: ssl.SSLContext
    # A client for each POST under way: with one shared pool, a POST takes twice as long.
    _idle: list[httpx.AsyncClient] = field(default_factory=list)

    async def post(self, body: bytes) -> int | None:
        """:returns: The answer's status, or None if there is no answer or no token."""
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            proof = await self.tokens.header() if self.tokens else {}
            answer = await client.post(
                self.url,
                content=body,
                headers={**self.headers, **proof},
                extensions={"sni_hostname": self.server},
            )
        except (httpx.HTTPError, NoToken):
            return None
        finally:
            self._idle.append(client)
        return answer.status_code

    async def close(self) -> None:
        for client in self._idle:
            await client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        # No proxy, even if this machine's environment names one.
        return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, verify=self.tls, trust_env=False)
