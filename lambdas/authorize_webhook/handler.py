"""The request authorizer of the webhook. API Gateway caches its answer.

ASAPP never retries, so a rotation of the secret must lose nothing: the current and the previous
version are both good.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from authorize_webhook.webhook_secret import WebhookSecret
from shared.aws.api import secret_string
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext

logger = logging.getLogger(__name__)

_SECONDS_TO_ANSWER = 0.5


def handler(
    event: dict[str, Any], context: LambdaContext, clock: Clock = SYSTEM_CLOCK
) -> dict[str, Any]:
    """:returns: A policy that allows or denies the one method that was called.
    :raises AwsError: if the secret cannot be read and the given one is not known; API Gateway
        answers 500.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_ANSWER
    given = presented(event, os.environ["SECRET_IN"], os.environ["SECRET_NAME"])
    allowed = _secret().admits(given, Deadline(seconds, clock))
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


def presented(event: Mapping[str, Any], where: str, name: str) -> str:
    """The secret that the request carries, ``""`` for none.

    :param where: ``header`` (any case) or ``query``.
    """
    values = event.get("headers" if where == "header" else "queryStringParameters") or {}
    for key, value in values.items():
        if key == name or (where == "header" and key.lower() == name.lower()):
            return value if isinstance(value, str) else ""
    return ""


@cache
def _secret() -> WebhookSecret:
    return WebhookSecret(partial(secret_string, os.environ["WEBHOOK_SECRET"]))
