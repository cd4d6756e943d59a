"""Secrets from AWS Secrets Manager, kept in memory only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from shared import aws
from shared.asapp_requests import BadCredentials, Credentials
from shared.runtime import Deadline

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")


def secret_string(secret_id: str, stage: str, deadline: Deadline) -> str | None:
    """A version of a secret, or None where the secret has no such version.

    :param stage: ``AWSCURRENT`` or ``AWSPREVIOUS``.
    :raises shared.aws.AwsError: where it cannot be read.
    """
    request = {"SecretId": secret_id, "VersionStage": stage}
    try:
        answer = aws.call("secretsmanager", "secretsmanager.GetSecretValue", request, deadline)
    except aws.AwsError as error:
        if stage == "AWSPREVIOUS" and error.code == "ResourceNotFoundException":
            return None
        raise
    value = answer.get("SecretString")
    return value if isinstance(value, str) else None


@dataclass(slots=True)
class AsappCredentials:
    """Reads ``{"apiId": "…", "apiSecret": "…"}`` once, and anew when asked.

    :param secret_id: The secret's name or ARN.
    """

    secret_id: str
    _kept: Credentials | None = None

    def __call__(self, fresh: bool, deadline: Deadline) -> Credentials:
        """:raises BadCredentials: where the secret cannot be read or is not of this shape."""
        if self._kept is None or fresh:
            try:
                value = json.loads(secret_string(self.secret_id, "AWSCURRENT", deadline) or "")
                api_id, api_secret = value["apiId"], value["apiSecret"]
                if not (_HEADER_VALUE.fullmatch(api_id) and _HEADER_VALUE.fullmatch(api_secret)):
                    raise ValueError
            except aws.AwsError as error:
                raise BadCredentials(f"{self.secret_id}: {error.code}") from None
            except (ValueError, KeyError, TypeError):
                raise BadCredentials(
                    f'{self.secret_id} is not of the shape {{"apiId": "…", "apiSecret": "…"}}'
                ) from None
            self._kept = Credentials(api_id, api_secret)
        return self._kept
