"""The request authorizer of the webhook. API Gateway caches its answer.

Its environment says what a caller must present: a secret, an access token, a client certificate.
Whoever lacks one of them is refused. ASAPP never retries, so a rotation must lose nothing: the
current and the previous version of the secret are both good, and so are all keys of an issuer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from authorize_webhook.client_certificate import is_from
from authorize_webhook.webhook_secret import WebhookSecret
from shared.aws.api import secret_string
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext
from shared.tokens.access_token import AccessTokens, Demands
from shared.tokens.signing_keys import SigningKeys, fetched

logger = logging.getLogger(__name__)

_SECONDS_TO_ANSWER = 0.5


def handler(
    event: dict[str, Any], context: LambdaContext, clock: Clock = SYSTEM_CLOCK
) -> dict[str, Any]:
    """:returns: A policy that allows or denies the one method that was called.
    :raises AwsError: if the secret cannot be read and the given one is not known; API Gateway
        answers 500.
    :raises NoKeys: if the issuer does not answer and the token's key is not known; 500, too.
    """
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_ANSWER, clock)
    missing = [what for what, is_met in _demands().items() if not is_met(event, deadline)]
    if missing:
        logger.warning("webhook refused: %s", " and ".join(missing))
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Deny" if missing else "Allow",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": "asapp",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }


def presented(event: Mapping[str, Any], where: str, name: str) -> str:
    """What the request carries in a header or a parameter, ``""`` for nothing.

    :param where: ``header`` (any case) or ``query``.
    """
    values = event.get("headers" if where == "header" else "queryStringParameters") or {}
    for key, value in values.items():
        if key == name or (where == "header" and key.lower() == name.lower()):
            return value if isinstance(value, str) else ""
    return ""


@cache
def _demands() -> Mapping[str, Callable[[Mapping[str, Any], Deadline], bool]]:
    """Each demand by what is wrong if it is not met.

    :raises KeyError: if nothing is demanded: nobody is let in by mistake.
    """
    given = os.environ
    demands: dict[str, Callable[[Mapping[str, Any], Deadline], bool]] = {}
    if subject := given.get("CERTIFICATE_SUBJECT"):
        demands["the client certificate is not ASAPP's"] = lambda event, _: is_from(event, subject)
    if header := given.get("TOKEN_HEADER"):
        tokens = AccessTokens(
            SigningKeys(partial(fetched, given["TOKEN_KEYS_URL"])),
            Demands(
                given["TOKEN_ISSUER"],
                given.get("TOKEN_AUDIENCE"),
                given.get("TOKEN_SCOPE"),
                given.get("TOKEN_CLIENT_ID"),
            ),
        )
        demands["the access token is not good"] = lambda event, deadline: tokens.admits(
            presented(event, "header", header), deadline
        )
    if "WEBHOOK_SECRET" in given or not demands:
        where, name = given["SECRET_IN"], given["SECRET_NAME"]
        secret = WebhookSecret(partial(secret_string, given["WEBHOOK_SECRET"]))
        demands["the secret is not ours"] = lambda event, deadline: secret.admits(
            presented(event, where, name), deadline
        )
    return demands
