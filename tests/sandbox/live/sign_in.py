"""Signs a user of the live page in, as a browser does."""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import parse_qs, urlsplit

import httpx

from sandbox.live.live_calls import LiveCalls, User
from tests.sandbox.live.appsync import base64url

_SECONDS = 60.0


def signed_in(live: LiveCalls, user: User) -> str:
    """The identity token, by the authorisation code with PKCE, as the page gets it."""
    sign_in = live.config["signIn"]
    verifier = secrets.token_urlsafe(40)
    asked = {
        "client_id": sign_in["clientId"],
        "response_type": "code",
        "scope": " ".join(sign_in["scopes"]),
        "redirect_uri": sign_in["redirectUri"],
        "state": "a-state",
        "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    form = httpx.get(f"{sign_in['url']}/oauth2/authorize", params=asked, timeout=_SECONDS).text
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    given = fields | {"username": user.name, "password": user.password}
    answer = httpx.post(f"{sign_in['url']}/login", data=given, timeout=_SECONDS)
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}/" == live.page_url
    query = parse_qs(back.query)
    assert query["state"] == ["a-state"]
    wanted = {"grant_type": "authorization_code", "code": query["code"][0]}
    wanted |= {name: asked[name] for name in ("client_id", "redirect_uri")}
    url = f"{sign_in['url']}/oauth2/token"
    token = httpx.post(url, data=wanted | {"code_verifier": verifier}, timeout=_SECONDS).json()
    identity: str = token["id_token"]
    return identity
