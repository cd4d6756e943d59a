"""Let ASAPP's webhook in: API Gateway's request authorizer, whose answer it keeps for a while.

ASAPP never retries, so a rotation of the secret must lose nothing: the current and the previous
version are both good, from the moment of the rotation.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from shared.aws import AwsError
from shared.runtime import Deadline, LambdaContext
from shared.secrets import secret_string

logger = logging.getLogger(__name__)

Versions = tuple[str, ...]


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:returns: A policy that allows or denies the one method that was called.
    :raises AwsError: where the value is not a known version and the secret cannot be read anew; API
        Gateway answers 500.
    """
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - 0.5)
    given = presented(event, os.environ["SECRET_IN"], os.environ["SECRET_NAME"])
    allowed = authorize(given, _kept(), lambda: read_versions(deadline))
    if not allowed:
        logger.warning("webhook refused: the secret is not ours")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if allowed else "Deny",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": "asapp",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }


def authorize(given: str, kept: list[Versions], read: Callable[[], Versions]) -> bool:
    """Whether ``given`` is one of the secret's versions.

    They are read every time, because API Gateway keeps the answer for minutes and seldom asks.

    :param kept: The versions read last, empty at first; renewed in place.
    :param read: Reads the versions.
    :raises AwsError: where they cannot be read and ``given`` was not among the last: a refusal
        would be a guess, and API Gateway keeps a refusal, but not an error.
    """
    try:
        kept[:] = [read()]
    except AwsError:
        if not (kept and _is_one_of(given, kept[0])):
            raise
        logger.warning("the webhook's secret cannot be read; the versions known so far count")
    return _is_one_of(given, kept[0])


def presented(event: Mapping[str, Any], where: str, name: str) -> str:
    """The secret that the request carries, ``""`` for none.

    :param where: ``header`` (any case) or ``query``.
    """
    values = event.get("headers" if where == "header" else "queryStringParameters") or {}
    for key, value in values.items():
        if key == name or (where == "header" and key.lower() == name.lower()):
            return value if isinstance(value, str) else ""
    return ""


def read_versions(deadline: Deadline) -> Versions:
    secret_id = os.environ["WEBHOOK_SECRET"]
    stages = ("AWSCURRENT", "AWSPREVIOUS")
    return tuple(filter(None, (secret_string(secret_id, stage, deadline) for stage in stages)))


def _is_one_of(given: str, versions: Versions) -> bool:
    """In constant time: neither the position nor the version of a difference shows."""
    value = given.encode(errors="surrogatepass")
    matches = [hmac.compare_digest(value, version.encode()) for version in versions]
    return bool(given) and any(matches)


@cache
def _kept() -> list[Versions]:
    return []
