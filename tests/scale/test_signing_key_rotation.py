"""The signing key of the customer's own issuer is changed while ASAPP posts 20 utterances a second.

The function looks for new keys once in a few real seconds, and each of them is waited for.
"""

from __future__ import annotations

import uuid

from sandbox.stacks.authorization_server import SigningKey
from shared.tokens.signing_keys import SECONDS_BETWEEN_FETCHES
from tests.sandbox.stacks.ways.conftest import door, own_issuer, ways
from tests.sandbox.stacks.ways.posting import (
    OwnIssuer,
    Steady,
    Way,
    none_is_lost,
)

__all__ = ["door", "own_issuer", "ways"]


def test_a_new_signing_key_of_the_issuer_loses_nothing(
    ways: dict[str, Way], own_issuer: OwnIssuer
) -> None:
    server = own_issuer.server
    with Steady(ways["own issuer"]) as steady:
        steady.seconds(1)
        new = SigningKey.made(uuid.uuid4().hex, "ES256")
        server.keys = [server.signs, new]  # an issuer publishes a key before it signs with it
        steady.seconds(SECONDS_BETWEEN_FETCHES)
        server.signs = new
        steady.switch(oauth2=own_issuer.oauth2())  # the kept token ends: it gets another one
        steady.seconds(2)
    none_is_lost("signing key", steady, SECONDS_BETWEEN_FETCHES + 3)
