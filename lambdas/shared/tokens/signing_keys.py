"""The keys with which an issuer signs its access tokens (RFC 7517), fetched as rarely as can be."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from shared.http import NoAnswer, Origin, Response
from shared.runtime import Deadline
from shared.tokens.signatures import EcKey, RsaKey

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_FETCHES = 5.0
"""However many tokens with invented key ids come, the issuer is asked no more often than that."""
SECONDS_UNTIL_STALE = 600.0
"""A key that the issuer took back is good for no longer than that, unless the issuer is down."""
SECONDS_FOR_A_KNOWN_KEY = 1.0
_NEVER = float("-inf")

Key = RsaKey | EcKey


class NoKeys(Exception):
    """The issuer's keys cannot be fetched, and the one that is asked for is not known."""


class SigningKeys:
    """An issuer's keys by their id.

    :param fetch: GETs the key set; raises :class:`shared.http.NoAnswer`.
    """

    def __init__(self, fetch: Callable[[Deadline], Response]) -> None:
        self._fetch = fetch
        self._keys: Mapping[str, Key] = {}
        self._fetched_at = self._tried_at = _NEVER
        self._failed = False

    def get(self, key_id: str, deadline: Deadline) -> Key | None:
        """The key, or None if the issuer has none of this id.

        :raises NoKeys: if the issuer does not answer and the key is not known.
        """
        known = key_id in self._keys
        age = deadline.clock.age
        is_stale = age(self._fetched_at) > SECONDS_UNTIL_STALE
        if (is_stale or not known) and age(self._tried_at) >= SECONDS_BETWEEN_FETCHES:
            self._refresh(deadline.at_most(SECONDS_FOR_A_KNOWN_KEY) if known else deadline)
        if self._failed and key_id not in self._keys:
            raise NoKeys
        return self._keys.get(key_id)

    def _refresh(self, deadline: Deadline) -> None:
        """Fetch the keys. If that fails, the last ones stay good."""
        try:
            response = self._fetch(deadline)
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            keys = keys_of(json.loads(response.body))
            self._keys, self._fetched_at, self._failed = keys, deadline.clock.now_ms(), False
        except (NoAnswer, ValueError, RecursionError) as problem:
            self._failed = True
            logger.warning("the issuer's keys cannot be fetched: %s", problem)
        self._tried_at = deadline.clock.now_ms()


def fetched(url: str, deadline: Deadline) -> Response:
    """The answer to a GET of a key set."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    origin = issuer(f"{parts.scheme}://{parts.netloc}")
    return origin.request("GET", path, {"Accept": "application/json"}, deadline)


@cache
def issuer(origin: str) -> Origin:
    return Origin(origin)


def keys_of(key_set: Any) -> Mapping[str, Key]:
    """The keys of a JSON Web Key Set that can sign with RS256 or ES256, by id. Others are skipped.

    :raises ValueError: if it is not a key set, or has none that we can use.
    """
    listed = key_set.get("keys") if isinstance(key_set, dict) else None
    entries = [entry for entry in listed if isinstance(entry, dict)] if listed else []
    keys = {}
    for entry in entries:
        key_id, key = entry.get("kid"), _key_of(entry)
        if isinstance(key_id, str) and key:
            keys[key_id] = key
    if not keys:
        raise ValueError("it has no key for RS256 or ES256")
    return keys


def _key_of(entry: Mapping[str, Any]) -> Key | None:
    if entry.get("use", "sig") != "sig":
        return None
    key: Key
    try:
        match entry:
            case {"kty": "RSA", "n": str() as n, "e": str() as e}:
                key = RsaKey(_number(n), _number(e))
            case {"kty": "EC", "crv": "P-256", "x": str() as x, "y": str() as y}:
                key = EcKey(_number(x), _number(y))
            case _:
                return None
    except ValueError:
        return None
    return key if entry.get("alg", key.algorithm) == key.algorithm else None


def _number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")


def decoded(text: str) -> bytes:
    """Base64url without padding, as tokens and keys have it.

    :raises ValueError: for any other character, and for bits that no byte needs: one value has one
        spelling.
    """
    raw = text.encode("ascii")
    value = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    if urlsafe_b64encode(value).rstrip(b"=") != raw:
        raise ValueError("not base64url")
    return value
