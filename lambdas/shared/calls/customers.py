"""The customers of calls, as keyed hashes: by them the calls of a customer are found.

A phone number without a key could be found by hashing all numbers. The key is in Secrets Manager:
``{"key": "…", "old": ["…"]}``. What an old key has hashed is found until it has expired.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from shared.aws.api import AwsError, secret_string
from shared.runtime import Deadline

_MOST_AGE_MS = 60_000


class BadKey(Exception):
    """The secret with the key cannot be read, or is not of its shape."""


class CustomerDigests:
    """Reads the keys again if they are older than a minute: a function lives for hours, and would
    find nothing that another one has entered under a new key meanwhile.

    :param secret_id: The secret's name or ARN.
    """

    def __init__(self, secret_id: str) -> None:
        self._secret = secret_id
        self._keys: tuple[str, ...] = ()
        self._read_at_ms = 0

    def of(self, customer_id: str, deadline: Deadline) -> list[str]:
        """The digest by the current key first, then those by the old keys.

        :param customer_id: As ASAPP was told it.
        :raises BadKey: if there is no key.
        """
        now = deadline.clock.now_ms()  # not monotonic(): that may stand still while nothing runs
        if not self._keys or now > self._read_at_ms + _MOST_AGE_MS:
            self._keys, self._read_at_ms = self._read(deadline), now
        content = customer_id.encode()
        return [hmac.digest(key.encode(), content, "sha256").hex() for key in self._keys]

    def _read(self, deadline: Deadline) -> tuple[str, ...]:
        try:
            value = json.loads(secret_string(self._secret, "AWSCURRENT", deadline) or "")
            keys = (value["key"], *value.get("old", ()))
        except AwsError as error:
            raise BadKey(f"the key of customers: {error.code}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            keys = ()
        if not keys or not all(isinstance(key, str) and len(key) >= 32 for key in keys):
            raise BadKey('the key of customers is not of the shape {"key": "…", "old": ["…"]}')
        return keys


def customers_of(conversation: Mapping[str, Any]) -> set[str]:
    """Who the customer of a call is, as its flows and ASAPP were told. A contact's own id, which
    stands for a customer that the flow did not name, is nobody's.

    :param conversation: Its item, as :func:`shared.table.values` gives it.
    """
    legs = json.loads(conversation.get("legs", "[]"))
    contacts = {leg["contact_id"] for leg in legs} | {conversation.get("toldContactId", "")}
    named = {leg.get("customer_id", "") for leg in legs} | {conversation.get("customerId", "")}
    return named - contacts - {""}
