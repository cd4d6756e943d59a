"""The live page's events as a browser gets them: AppSync Events over a WebSocket."""

from __future__ import annotations

import json
import os
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tools.doctor.findings import NotSeen, problem
from tools.verify.account import Account

Json = dict[str, Any]
CONFIG = "config.json"
_SECONDS = 15


class Refused(Exception):
    """The server lets nobody in with this token; the message is its answer."""


class NoAnswer(Exception):
    """Nobody says yes or no; the message is the reason."""


def page_config(account: Account) -> Json:
    """The page's ``config.json`` as it was deployed. The emulator has addresses of its own.

    :raises NotSeen: If a version before this output has deployed the stack.
    """
    outputs = account.stacks["live"].outputs
    if "PageConfig" not in outputs:
        raise NotSeen(
            problem("the stack of the live page has no output PageConfig", "deploy again")
        )
    config: Json = json.loads(outputs["PageConfig"])
    if account.is_emulator:
        events, sign_in = config["events"], config["signIn"]
        config["readUrl"] = account.reached(f"{config['readUrl']}/").rstrip("/")
        events["realtimeUrl"] = events["realtimeUrl"].replace("wss://", "ws://", 1)
        sign_in["url"] = account.reached(sign_in["url"])
    return config


class Events:
    """A connection that was let in. Made by :func:`connected`."""

    def __init__(self, socket: ClientConnection, host: str, token: str) -> None:
        self._socket, self._host, self._token = socket, host, token
        socket.send(json.dumps({"type": "connection_init"}))
        self._until("connection_ack")

    def subscribe(self, channel: str, token: str = "") -> None:
        """
        :param token: Default: that of the connection.
        :raises Refused: If the channel is not for who has this token.
        """
        asked = {"type": "subscribe", "id": str(uuid.uuid4()), "channel": channel}
        authorization = _authorization(self._host, token or self._token)
        self._socket.send(json.dumps(asked | {"authorization": authorization}))
        self._until("subscribe_success")

    def come(self) -> Iterator[Json]:
        """The events of all subscriptions as they come, until the connection is closed."""
        try:
            for message in map(json.loads, self._socket):
                if message["type"] == "data":
                    event = message["event"]
                    yield from map(json.loads, event if isinstance(event, list) else [event])
        except ConnectionClosed:
            return

    def _until(self, wanted: str) -> None:
        """
        :raises Refused: If an error or the end comes before it.
        :raises NoAnswer: If nothing comes.
        """
        try:
            while (message := json.loads(self._socket.recv(_SECONDS)))["type"] != wanted:
                if message["type"].endswith("error"):
                    kinds = [str(each.get("errorType")) for each in message.get("errors", [])]
                    raise Refused(", ".join(kinds) or message["type"])
        except ConnectionClosed as closed:
            raise Refused(f"closed with {closed.rcvd.code if closed.rcvd else 'no code'}") from None
        except TimeoutError:
            raise NoAnswer(f"no {wanted} within {_SECONDS} s") from None


@contextmanager
def connected(account: Account, config: Json, token: str) -> Iterator[Events]:
    """A connection until the end of ``with``.

    :param config: The page's.
    :raises Refused: If the token is not good.
    :raises NoAnswer: If there is no way there.
    """
    host, url = config["events"]["httpHost"], config["events"]["realtimeUrl"]
    header = json.dumps(_authorization(host, token)).encode()
    encoded = urlsafe_b64encode(header).rstrip(b"=").decode()
    protocols = [Subprotocol("aws-appsync-event-ws"), Subprotocol(f"header-{encoded}")]
    connecting = connect(
        url, subprotocols=protocols, open_timeout=_SECONDS, close_timeout=1, **_where(account)
    )
    with ExitStack() as until_the_end:
        try:
            socket = until_the_end.enter_context(connecting)
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            raise (Refused if status in (401, 403) else NoAnswer)(str(status)) from None
        except (InvalidHandshake, OSError) as failure:
            raise NoAnswer(f"{type(failure).__name__} at {urlsplit(url).netloc}") from None
        yield Events(socket, host, token)


def _authorization(host: str, token: str) -> Json:
    return {"host": host, "Authorization": f"Bearer {token}"}


def _where(account: Account) -> Json:
    """The emulator's names need not resolve; it knows the API by the header ``Host``."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not (endpoint and account.is_emulator):
        return {}
    parts = urlsplit(endpoint)
    return {"address": (parts.hostname, parts.port), "proxy": None}
