"""Signed tokens of an issuer: JSON Web Tokens (RFC 7519, RFC 8725)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

from shared.runtime import Deadline
from shared.tokens.signing_keys import SigningKeys, decoded

LEEWAY_SECONDS = 60
"""How far the issuer's clock may be from ours."""
_MOST_CHARACTERS = 16_384
_CLIENT_ID_CLAIMS = ("client_id", "azp", "appid", "cid")
"""RFC 9068's; Entra's in its two versions; Okta's."""
_SCOPE_CLAIMS = ("scope", "scp", "roles")
"""RFC 9068's; Okta's; Entra's for a client without a user."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a token must say. What is None is not looked at.

    :param issuer: Exactly its ``iss``.
    :param audience: One of its ``aud``.
    :param scope: One of its scopes.
    :param client_id: The client to which the issuer gave it.
    """

    issuer: str
    audience: str | None = None
    scope: str | None = None
    client_id: str | None = None

    def are_met(self, claims: Mapping[str, Any], now: float) -> bool:
        """:param now: Unix seconds."""
        expires, not_before = claims.get("exp"), claims.get("nbf", 0)
        if not _is_time(expires) or not _is_time(not_before):
            return False
        demanded = (
            (self.audience, _words(claims.get("aud"), split=False)),
            (self.scope, {w for name in _SCOPE_CLAIMS for w in _words(claims.get(name))}),
            (
                self.client_id,
                {w for name in _CLIENT_ID_CLAIMS for w in _words(claims.get(name), split=False)},
            ),
        )
        return (
            claims.get("iss") == self.issuer
            and not_before - LEEWAY_SECONDS <= now < expires + LEEWAY_SECONDS
            and all(wanted is None or wanted in found for wanted, found in demanded)
        )


class AccessTokens:
    """Admits who has a token that the issuer signed and that meets the demands."""

    def __init__(self, keys: SigningKeys, demands: Demands) -> None:
        self._keys = keys
        self._demands = demands

    def admits(self, given: str, deadline: Deadline) -> bool:
        """:param given: The token, with or without ``Bearer`` before it.
        :raises NoKeys: if the issuer does not answer and the token's key is not known.
        """
        return self.claims(given, deadline) is not None

    def claims(self, given: str, deadline: Deadline) -> Mapping[str, Any] | None:
        """What the token says if it is admitted, else None. It raises as :meth:`admits` does."""
        scheme, _, token = given.partition(" ")
        claims = self._signed(token if scheme.lower() == "bearer" else given, deadline)
        if claims is None or not self._demands.are_met(claims, deadline.clock.now_ms() / 1000):
            return None
        return claims

    def _signed(self, token: str, deadline: Deadline) -> Mapping[str, Any] | None:
        """The claims, if the signature is good.

        The key decides the algorithm. What the token names must be the same: neither ``none`` nor
        an HMAC with a public key as its secret is an algorithm of any key.
        """
        parts = token.split(".") if len(token) <= _MOST_CHARACTERS else []
        if len(parts) != 3:
            return None
        try:
            header, claims = (json.loads(decoded(part)) for part in parts[:2])
            signature = decoded(parts[2])
        except (ValueError, RecursionError):
            return None
        if not isinstance(header, dict) or not isinstance(claims, dict) or "crit" in header:
            return None
        key_id = header.get("kid")
        key = self._keys.get(key_id, deadline) if isinstance(key_id, str) else None
        if key is None or header.get("alg") != key.algorithm:
            return None
        signed = f"{parts[0]}.{parts[1]}".encode()
        return claims if key.verifies(signature, signed) else None


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _words(value: object, split: bool = True) -> list[str]:
    """A claim that is a text or a list of texts."""
    if isinstance(value, str):
        return value.split() if split else [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
