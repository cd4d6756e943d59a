"""Who holds a version of the secret that counts is let in, at once, and nobody else."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from authorize_webhook import handler as authorize_webhook
from authorize_webhook.handler import authorize
from shared.aws import AwsError

from .conftest import Context, hang
from .test_store_transcript import (
    AwsBehaviour,
    AwsService,
    client,
    refusing,
    running,
    used_by_the_functions,
)

METHOD_ARN = "arn:aws:execute-api:us-east-1:111111111111:a1b2c3/live/POST/transcripts"
FIRST, SECOND, THIRD = "first-of-the-secrets", "second-of-the-secrets", "third-of-the-secrets"
HEADER = "X-Webhook-Secret"


@pytest.fixture(scope="module")
def front(aws: str) -> Iterator[AwsService]:
    with running(AwsService(aws)) as server:
        yield server


class Secret:
    """The webhook's secret in Secrets Manager, whose first version is ``FIRST``."""

    def __init__(self, endpoint: str) -> None:
        self.name = f"webhook-{uuid.uuid4().hex[:8]}"
        self._client = client("secretsmanager", endpoint)
        self._client.create_secret(Name=self.name, SecretString=FIRST)

    def rotate(self, value: str) -> None:
        self._client.put_secret_value(SecretId=self.name, SecretString=value)


@pytest.fixture
def secret(aws: str) -> Secret:
    return Secret(aws)


@pytest.fixture
def service(
    front: AwsService, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AwsService]:
    monkeypatch.setenv("WEBHOOK_SECRET", secret.name)
    monkeypatch.setenv("SECRET_IN", "header")
    monkeypatch.setenv("SECRET_NAME", HEADER)
    authorize_webhook._kept.cache_clear()
    with used_by_the_functions(front):
        yield front
    authorize_webhook._kept.cache_clear()


pytestmark = pytest.mark.usefixtures("service")


def event(**changes: Any) -> dict[str, Any]:
    """The event of API Gateway's request authorizer."""
    request = {
        "type": "REQUEST",
        "methodArn": METHOD_ARN,
        "resource": "/transcripts",
        "path": "/transcripts",
        "httpMethod": "POST",
        "headers": {"Host": "example.com", "Content-Type": "application/json"},
        "queryStringParameters": {},
        "pathParameters": {},
        "stageVariables": {},
    }
    return request | changes


def with_header(value: object, name: str = HEADER) -> dict[str, Any]:
    return event(headers={"Host": "example.com", name: value})


def answer(request: dict[str, Any], seconds: float = 5.0) -> dict[str, Any]:
    return authorize_webhook.handler(request, Context(seconds))


def effect(request: dict[str, Any], seconds: float = 5.0) -> str:
    ((statement),) = answer(request, seconds)["policyDocument"]["Statement"]
    return str(statement["Effect"])


@pytest.mark.parametrize(("value", "expected"), [(FIRST, "Allow"), ("wrong", "Deny")])
def test_the_policy_is_one_statement_on_the_method_that_was_called(
    value: str, expected: str
) -> None:
    assert answer(with_header(value)) == {
        "principalId": "asapp",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": expected, "Resource": METHOD_ARN}
            ],
        },
    }


@pytest.mark.parametrize("name", [HEADER, HEADER.lower(), HEADER.upper(), "x-WEBHOOK-secret"])
def test_the_headers_name_is_taken_in_any_case(name: str) -> None:
    assert effect(with_header(FIRST, name)) == "Allow"


def test_the_url_parameters_name_is_taken_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_IN", "query")
    monkeypatch.setenv("SECRET_NAME", "token")
    assert effect(event(queryStringParameters={"a": "b", "token": FIRST})) == "Allow"
    assert effect(event(queryStringParameters={"Token": FIRST})) == "Deny"


def test_the_secret_at_the_other_place_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert effect(event(queryStringParameters={HEADER: FIRST})) == "Deny"
    monkeypatch.setenv("SECRET_IN", "query")
    assert effect(with_header(FIRST)) == "Deny"


@pytest.mark.parametrize(
    "value",
    ["", " ", "wrong", FIRST[:-1], FIRST + "x", FIRST.upper(), f" {FIRST}", "None", None, [FIRST]],
)
def test_a_wrong_secret_is_refused(value: object) -> None:
    assert effect(with_header(value)) == "Deny"


@pytest.mark.parametrize("headers", [None, {}, {"Host": "example.com"}])
def test_no_secret_is_refused(headers: object) -> None:
    assert effect(event(headers=headers)) == "Deny"


@pytest.mark.parametrize("value", ["pass wört", "\U0001f600", "\x00", "half \ud83d", "x" * 10_000])
def test_a_value_of_any_characters_is_an_answer(value: str) -> None:
    assert effect(with_header(value)) == "Deny"


def test_a_secret_of_any_characters_is_let_in(secret: Secret) -> None:
    secret.rotate("pass wört")
    assert effect(with_header("pass wört")) == "Allow"


def test_an_answer_costs_one_reading_of_each_version(service: AwsService) -> None:
    assert [effect(with_header(value)) for value in (FIRST, FIRST, "wrong")] == [
        "Allow",
        "Allow",
        "Deny",
    ]
    assert len(service.sent) == 6


def test_a_rotation_is_accepted_at_once_and_the_version_before_still_is(secret: Secret) -> None:
    assert effect(with_header(FIRST)) == "Allow"
    assert effect(with_header(SECOND)) == "Deny"
    secret.rotate(SECOND)
    assert effect(with_header(SECOND)) == "Allow"
    assert effect(with_header(FIRST)) == "Allow"
    assert effect(with_header(THIRD)) == "Deny"


def test_a_version_that_was_rotated_out_twice_is_refused(secret: Secret) -> None:
    assert effect(with_header(FIRST)) == "Allow"
    secret.rotate(SECOND)
    secret.rotate(THIRD)
    assert effect(with_header(FIRST)) == "Deny"
    assert effect(with_header(SECOND)) == "Allow"
    assert effect(with_header(THIRD)) == "Allow"


UNREADABLE = {
    "denied": refusing("AccessDeniedException"),
    "gone": refusing("ResourceNotFoundException"),
    "silent": hang,
}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_while_the_secret_cannot_be_read_the_versions_known_so_far_count(
    fault: AwsBehaviour, secret: Secret, service: AwsService
) -> None:
    secret.rotate(SECOND)
    effect(with_header(FIRST))
    service.faults["GetSecretValue"] = [fault]
    assert effect(with_header(FIRST), seconds=1.0) == "Allow"
    assert effect(with_header(SECOND), seconds=1.0) == "Allow"


@pytest.mark.parametrize("known_before", [True, False])
@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_a_value_that_cannot_be_judged_is_an_error_and_not_a_refusal(
    fault: AwsBehaviour, known_before: bool, secret: Secret, service: AwsService
) -> None:
    """API Gateway keeps a refusal for minutes, and an error not at all: the secret may have been
    rotated, and ASAPP does not repeat what is refused."""
    if known_before:
        effect(with_header(FIRST))
    secret.rotate(SECOND)
    service.faults["GetSecretValue"] = [fault]
    with pytest.raises(AwsError, match=r"^secretsmanager\.GetSecretValue: \w+$"):
        effect(with_header(SECOND), seconds=0.65)
    service.faults.clear()
    assert effect(with_header(SECOND)) == "Allow"
    assert effect(with_header(FIRST)) == "Allow"


def test_a_silent_secrets_manager_ends_within_the_functions_time(service: AwsService) -> None:
    service.faults["GetSecretValue"] = [hang]
    context = Context(0.7)
    with pytest.raises(AwsError, match="NoAnswer"):
        authorize_webhook.handler(with_header(FIRST), context)
    assert 0 < context.get_remaining_time_in_millis() < 550


def test_an_empty_version_lets_nobody_in() -> None:
    assert authorize("", [], lambda: ("",)) is False
    assert authorize("", [("",)], lambda: ()) is False
    assert authorize("x", [], lambda: ()) is False


def test_no_secret_and_no_value_that_was_presented_is_logged(
    secret: Secret, service: AwsService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secret.rotate(SECOND)
    for value in (FIRST, SECOND, "presented-and-wrong"):
        effect(with_header(value))
    service.faults["GetSecretValue"] = [refusing("AccessDeniedException")]
    with pytest.raises(AwsError):
        effect(with_header("presented-and-wrong"))
    assert effect(with_header(FIRST)) == "Allow"
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == [
        "webhook refused: the secret is not ours",
        "the webhook's secret cannot be read; the versions known so far count",
    ]
    logged = "".join(str(vars(record)) for record in caplog.records)
    for value in (FIRST, SECOND, "presented-and-wrong"):
        assert value not in logged
