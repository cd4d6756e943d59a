"""Calls to AWS services with a JSON protocol, signed by hand.

``docs/decisions/0003-no-boto3-where-somebody-waits.md`` says why. The signature is of
Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
A test compares it with botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import random
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from shared.http import NoAnswer, Origin
from shared.runtime import Deadline

_SECONDS_A_TRY = 2.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_SHORTEST_TRY_SECONDS = 0.01
_CONTENT_TYPE = {"dynamodb": "application/x-amz-json-1.0"}
_RETRIED = frozenset(
    (
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "InternalServerError",
        "InternalServiceError",
        "ServiceUnavailable",
    )
)
_PASSING_REASONS = frozenset(
    ("None", "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict")
)
"""Why DynamoDB cancelled a transaction that may succeed later. ``None`` is of another write."""


class AwsError(Exception):
    """AWS refused the call, or could not be reached in time.

    :param code: The service's error code, or ``NoAnswer``.
    :param details: Its body, for instance with a failed condition's ``Item``.
    """

    def __init__(self, call: str, code: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{call}: {code}")
        self.code = code
        self.details = details or {}


def call(service: str, target: str, body: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Make one call, and repeat it until time is over if it may pass: nobody repeats a lost start.

    :param service: ``dynamodb``, ``secretsmanager`` or ``ssm``.
    :param target: The ``X-Amz-Target``, for instance ``DynamoDB_20120810.GetItem``.
    :raises AwsError: with the service's code; never with the body that was sent.
    """
    content = json.dumps(body).encode()
    content_type = _CONTENT_TYPE.get(service, "application/x-amz-json-1.1")
    origin = _origin(_endpoint(service))
    error = AwsError(target, "NoAnswer")
    for attempt in itertools.count():
        if attempt:
            pause = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
            deadline.pause(pause * random.uniform(0.5, 1))  # noqa: S311
        if deadline.remaining() < _SHORTEST_TRY_SECONDS:
            break
        now = time.gmtime(deadline.clock.now_ms() / 1000)
        headers = signed_headers(
            service, origin.host, target, content_type, content, now, os.environ
        )
        try:
            response = origin.request(
                "POST", "/", headers, deadline.at_most(_SECONDS_A_TRY), content
            )
        except NoAnswer:
            continue
        answer = _json(response.body)
        if response.status == 200:
            return answer
        code = str(answer.get("__type", f"HTTP{response.status}")).rpartition("#")[2]
        error = AwsError(target, code, answer)
        if response.status < 500 and not _may_pass(code, answer):
            break
    raise error


def secret_string(secret_id: str, stage: str, deadline: Deadline) -> str | None:
    """A version of a secret, None if the secret has no such version.

    :param stage: ``AWSCURRENT`` or ``AWSPREVIOUS``.
    :raises AwsError: if it cannot be read.
    """
    request = {"SecretId": secret_id, "VersionStage": stage}
    try:
        answer = call("secretsmanager", "secretsmanager.GetSecretValue", request, deadline)
    except AwsError as error:
        if stage == "AWSPREVIOUS" and error.code == "ResourceNotFoundException":
            return None
        raise
    value = answer.get("SecretString")
    return value if isinstance(value, str) else None


def _may_pass(code: str, answer: Mapping[str, Any]) -> bool:
    if code != "TransactionCanceledException":
        return code in _RETRIED
    reasons = answer.get("CancellationReasons")
    codes = [reason.get("Code") for reason in reasons] if isinstance(reasons, list) else []
    return bool(codes) and _PASSING_REASONS.issuperset(codes)


def signed_headers(
    service: str,
    host: str,
    target: str,
    content_type: str,
    content: bytes,
    now: time.struct_time,
    environment: Mapping[str, str],
    path: str = "/",
) -> dict[str, str]:
    """The headers of a POST, with the ``Authorization`` that AWS checks.

    :param target: ``""`` for a service without.
    """
    region = environment["AWS_REGION"]
    stamp = time.strftime("%Y%m%dT%H%M%SZ", now)
    headers = {
        "content-type": content_type,
        "host": host,
        "x-amz-date": stamp,
    }
    if target:
        headers["x-amz-target"] = target
    if token := environment.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = sorted(headers)
    canonical = "\n".join(
        [
            "POST",
            path,
            "",
            *(f"{name}:{headers[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(content).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = ("AWS4" + environment["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.digest(
        key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256"
    ).hex()
    credential = f"{environment['AWS_ACCESS_KEY_ID']}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return headers


@cache
def _origin(url: str) -> Origin:
    return Origin(url)


def _endpoint(service: str) -> str:
    region = os.environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.{suffix}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
