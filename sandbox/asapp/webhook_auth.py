"""How ASAPP proves at the webhook who it is, other than by a secret in each POST.

It looks neither at what a token says nor at the webhook's answer: ASAPP's pages mention neither.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

SECONDS_FOR_A_TOKEN = 30.0


class NoToken(Exception):
    """The authorization server gave none."""


@dataclass(frozen=True)
class OAuth2:
    """The fields of ASAPP's OAuth 2.0 client (client credentials). It has none for a scope or an
    audience.

    :param send_by: Whether id and secret travel in the header (Basic) or in the request's body.
    :param template: The header's value, around the token.
    :param keep: Whether a token is kept until it expires, or each message gets one of its own.
        ASAPP does not say.
    """

    token_url: str
    client_id: str
    client_secret: str
    send_by: Literal["basic", "body"] = "basic"
    header: str = "Authorization"
    template: str = "Bearer {access_token}"
    keep: bool = True


@dataclass(frozen=True)
class ClientCertificate:
    """Files in PEM: what ASAPP presents in the handshake."""

    certificate: Path
    key: Path


def tls_context(certificate: ClientCertificate | None, authorities: Path | None) -> ssl.SSLContext:
    """
    :param authorities: Those that ASAPP trusts (*custom CA*). Default: the public ones.
    """
    if authorities:
        context = ssl.create_default_context(cafile=authorities)
    else:
        context = httpx.create_ssl_context(trust_env=False)
    if certificate:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


class Tokens:
    """Fetches access tokens from one authorization server.

    :param now: Unix seconds.
    """

    def __init__(self, oauth2: OAuth2, now: Callable[[], float]) -> None:
        self.fetched = 0
        self._oauth2 = oauth2
        self._now = now
        self._token, self._good_until = "", float("-inf")
        self._turn = asyncio.Lock()

    async def header(self) -> dict[str, str]:
        """The header of a POST.

        :raises NoToken: if the server gives none.
        """
        async with self._turn:
            if not self._oauth2.keep or self._now() >= self._good_until:
                await self._fetch()
            value = self._oauth2.template.replace("{access_token}", self._token)
            return {self._oauth2.header: value}

    async def _fetch(self) -> None:
        ours, asked_at = self._oauth2, self._now()
        form, basic = {"grant_type": "client_credentials"}, httpx.Auth()
        if ours.send_by == "basic":
            basic = httpx.BasicAuth(ours.client_id, ours.client_secret)
        else:
            form |= {"client_id": ours.client_id, "client_secret": ours.client_secret}
        try:
            async with httpx.AsyncClient(timeout=SECONDS_FOR_A_TOKEN, trust_env=False) as client:
                answer = await client.post(ours.token_url, data=form, auth=basic)
            answer.raise_for_status()
            got = answer.json()
            self._token = got["access_token"]
            self._good_until = asked_at + float(got["expires_in"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
            raise NoToken(str(problem)) from problem
        self.fetched += 1
