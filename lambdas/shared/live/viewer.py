"""Who looks, and at what they may look: for each subscription and for each reading."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from shared.live.channels import SUPERVISORS
from shared.runtime import Deadline
from shared.tokens.access_token import AccessTokens, Demands
from shared.tokens.signing_keys import SigningKeys, fetched
from shared.transcripts.call import agents_of


@dataclass(frozen=True, slots=True)
class Viewer:
    """
    :param subject: The user's id in the pool: it says nothing about the person.
    :param name: Their user name in Amazon Connect, ``""`` if the pool does not know it.
    """

    subject: str
    name: str
    is_supervisor: bool

    def may_see(self, conversation: Mapping[str, Any]) -> bool:
        """:param conversation: The item of the call; empty if nothing is known of it."""
        return self.is_supervisor or bool(self.name and self.name in agents_of(conversation))


class Viewers:
    """:param tokens: Admits identity tokens that the pool has issued for the page."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def of(self, given: str, deadline: Deadline) -> Viewer | None:
        """Who has this token; None if it is not good.

        :param given: With or without ``Bearer`` before it.
        :raises NoKeys: if the pool's keys cannot be fetched.
        """
        claims = self._tokens.claims(given, deadline)
        if claims is None or claims.get("token_use") != "id":
            return None
        subject, groups = claims.get("sub"), claims.get("cognito:groups")
        if not isinstance(subject, str) or not subject:
            return None
        return Viewer(subject, _name(claims), isinstance(groups, list) and SUPERVISORS in groups)


def _name(claims: Mapping[str, Any]) -> str:
    """An identity provider gives the name as an attribute; the pool's own name of such a user
    begins with the provider's."""
    name = claims.get("preferred_username" if "identities" in claims else "cognito:username")
    return name if isinstance(name, str) else ""


@cache
def viewers() -> Viewers:
    """By the environment: ``SIGN_IN_ISSUER``, ``SIGN_IN_KEYS_URL`` and ``SIGN_IN_CLIENT_ID``."""
    keys = SigningKeys(partial(fetched, os.environ["SIGN_IN_KEYS_URL"]))
    demands = Demands(os.environ["SIGN_IN_ISSUER"], audience=os.environ["SIGN_IN_CLIENT_ID"])
    return Viewers(AccessTokens(keys, demands))
