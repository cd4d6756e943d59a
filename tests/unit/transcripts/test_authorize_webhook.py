"""Who holds a version of the secret that counts is let in, at once, and nobody else."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from authorize_webhook import handler as authorize_webhook
from authorize_webhook.webhook_secret import CURRENT, PREVIOUS, WebhookSecret
from shared.aws.api import AwsError
from shared.runtime import Clock, Deadline
from tests.running_server import running
from tests.unit.conftest import Context, hang
from tests.unit.held_clock import FrozenClock, HeldClock
from tests.unit.transcripts.test_store_transcript import (
    AwsBehaviour,
    AwsService,
    client,
    pass_on,
    refusing,
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

    def drop_previous(self) -> None:
        """What ``make revoke-webhook-secret`` does after a rotation."""
        versions = self._client.describe_secret(SecretId=self.name)["VersionIdsToStages"]
        (previous,) = (id for id, stages in versions.items() if PREVIOUS in stages)
        self._client.update_secret_version_stage(
            SecretId=self.name, VersionStage=PREVIOUS, RemoveFromVersionId=previous
        )


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
    authorize_webhook._demands.cache_clear()
    with used_by_the_functions(front):
        yield front
    authorize_webhook._demands.cache_clear()


pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def clock(service: AwsService) -> Iterator[HeldClock]:
    """Secrets Manager's and the test's."""
    service.clock = HeldClock()
    yield service.clock
    service.clock = None


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


def effect(request: dict[str, Any], clock: Clock, seconds: float = 60.0) -> str:
    answer = authorize_webhook.handler(request, Context(seconds), clock)
    (statement,) = answer["policyDocument"]["Statement"]
    return str(statement["Effect"])


@pytest.mark.parametrize(("value", "expected"), [(FIRST, "Allow"), ("wrong", "Deny")])
def test_the_policy_is_one_statement_on_the_method_that_was_called(
    value: str, expected: str
) -> None:
    assert authorize_webhook.handler(with_header(value), Context(60)) == {
        "principalId": "asapp",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": expected, "Resource": METHOD_ARN}
            ],
        },
    }


@pytest.mark.parametrize("name", [HEADER, HEADER.lower(), HEADER.upper(), "x-WEBHOOK-secret"])
def test_the_headers_name_is_taken_in_any_case(name: str, clock: HeldClock) -> None:
    assert effect(with_header(FIRST, name), clock) == "Allow"


def test_the_url_parameters_name_is_taken_exactly(
    clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_IN", "query")
    monkeypatch.setenv("SECRET_NAME", "token")
    assert effect(event(queryStringParameters={"a": "b", "token": FIRST}), clock) == "Allow"
    assert effect(event(queryStringParameters={"Token": FIRST}), clock) == "Deny"


def test_the_secret_at_the_other_place_does_not_count(
    clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert effect(event(queryStringParameters={HEADER: FIRST}), clock) == "Deny"
    monkeypatch.setenv("SECRET_IN", "query")
    authorize_webhook._demands.cache_clear()
    assert effect(with_header(FIRST), clock) == "Deny"


@pytest.mark.parametrize(
    "value",
    ["", " ", "wrong", FIRST[:-1], FIRST + "x", FIRST.upper(), f" {FIRST}", "None", None, [FIRST]],
)
def test_a_wrong_secret_is_refused(value: object, clock: HeldClock) -> None:
    assert effect(with_header(value), clock) == "Deny"


@pytest.mark.parametrize("headers", [None, {}, {"Host": "example.com"}])
def test_no_secret_is_refused_without_a_reading(
    headers: object, clock: HeldClock, service: AwsService
) -> None:
    assert effect(event(headers=headers), clock) == "Deny"
    assert service.sent == []


@pytest.mark.parametrize("value", ["pass wört", "\U0001f600", "\x00", "half \ud83d", "x" * 10_000])
def test_a_value_of_any_characters_is_an_answer(value: str, clock: HeldClock) -> None:
    assert effect(with_header(value), clock) == "Deny"


def test_a_secret_of_any_characters_is_let_in(secret: Secret, clock: HeldClock) -> None:
    secret.rotate("pass wört")
    assert effect(with_header("pass wört"), clock) == "Allow"


# How often the secret is read


def stages(service: AwsService) -> list[str]:
    """The versions that were read, in order."""
    return [body["VersionStage"] for body in service.bodies("GetSecretValue")]


def test_the_previous_version_is_read_only_for_what_is_not_the_current_one(
    clock: HeldClock, service: AwsService
) -> None:
    assert effect(with_header(FIRST), clock) == "Allow"
    assert stages(service) == [CURRENT]
    assert effect(with_header("wrong"), clock) == "Deny"
    assert stages(service) == [CURRENT, PREVIOUS]


def test_however_many_wrong_secrets_come_a_version_is_read_once_in_five_seconds(
    clock: HeldClock, service: AwsService
) -> None:
    for number in range(20):  # one each quarter of a second
        assert effect(with_header(f"wrong {number}"), clock) == "Deny"
        assert stages(service) == [CURRENT, PREVIOUS]
        clock.advance(0.25)
    assert effect(with_header("wrong"), clock) == "Deny"
    assert stages(service) == [CURRENT, PREVIOUS] * 2


def test_however_many_unknown_secrets_come_what_cannot_be_read_is_asked_for_once_in_five_seconds(
    clock: HeldClock, service: AwsService
) -> None:
    service.faults["GetSecretValue"] = [refusing("AccessDeniedException")]
    for number in range(20):
        with pytest.raises(AwsError, match="AccessDeniedException"):
            effect(with_header(f"unknown {number}"), clock)
        clock.advance(0.25)
    assert stages(service) == [CURRENT]
    with pytest.raises(AwsError):
        effect(with_header("unknown"), clock)
    assert stages(service) == [CURRENT] * 2


# Rotation


def test_a_rotation_is_accepted_seconds_later_and_the_version_before_still_is(
    secret: Secret, clock: HeldClock
) -> None:
    assert effect(with_header(FIRST), clock) == "Allow"
    assert effect(with_header(SECOND), clock) == "Deny"
    secret.rotate(SECOND)
    clock.advance(5)
    assert effect(with_header(SECOND), clock) == "Allow"
    assert effect(with_header(FIRST), clock) == "Allow"
    assert effect(with_header(THIRD), clock) == "Deny"


def test_a_version_that_was_just_rotated_out_is_let_in_although_the_previous_was_just_read(
    secret: Secret, clock: HeldClock
) -> None:
    """A refusal would stay with API Gateway for minutes."""
    assert effect(with_header(FIRST), clock) == "Allow"
    clock.advance(4)
    assert effect(with_header("wrong"), clock) == "Deny"
    secret.rotate(SECOND)
    clock.advance(1)
    assert effect(with_header(FIRST), clock) == "Allow"


def test_a_version_that_was_rotated_out_twice_is_refused(secret: Secret, clock: HeldClock) -> None:
    assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    secret.rotate(THIRD)
    clock.advance(5)
    assert effect(with_header(FIRST), clock) == "Deny"
    assert effect(with_header(SECOND), clock) == "Allow"
    assert effect(with_header(THIRD), clock) == "Allow"


@pytest.mark.parametrize("known", [FIRST, SECOND])
def test_a_version_that_was_revoked_is_refused_seconds_later(
    secret: Secret, clock: HeldClock, known: str
) -> None:
    """:param known: What a running function has let in last."""
    assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    clock.advance(5)
    assert effect(with_header(known), clock) == "Allow"
    secret.drop_previous()
    clock.advance(5)
    assert effect(with_header(FIRST), clock) == "Deny"
    assert effect(with_header(SECOND), clock) == "Allow"


def test_a_previous_version_that_was_moved_is_read_once_and_the_one_before_it_refused(
    clock: HeldClock,
) -> None:
    versions, read = {CURRENT: SECOND, PREVIOUS: FIRST}, []

    def value(stage: str, deadline: Deadline) -> str:
        read.append(stage)
        return versions[stage]

    secret = WebhookSecret(value)
    assert secret.admits(FIRST, Deadline(9.5, clock))
    versions[PREVIOUS] = THIRD
    clock.advance(5)
    assert not secret.admits(FIRST, Deadline(9.5, clock))
    assert secret.admits(THIRD, Deadline(9.5, clock))
    assert read == [CURRENT, PREVIOUS] * 2


def test_a_process_that_was_frozen_meanwhile_reads_the_secret_again(secret: Secret) -> None:
    """Or it would refuse the new value, which API Gateway keeps, and let a revoked one in."""
    clock = FrozenClock()
    assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    secret.rotate(THIRD)
    clock.frozen_ms += 300_000
    assert effect(with_header(THIRD), clock) == "Allow"
    assert effect(with_header(FIRST), clock) == "Deny"


def test_if_the_clock_was_set_back_the_secret_is_read_again(secret: Secret) -> None:
    clock = FrozenClock()
    assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    clock.frozen_ms -= 60_000
    assert effect(with_header(SECOND), clock) == "Allow"


@pytest.mark.parametrize("stored", ["abc\n", "abc\r\n", " abc\t"])
def test_white_space_at_the_ends_of_the_secret_does_not_count(
    stored: str, clock: HeldClock
) -> None:
    secret = WebhookSecret(lambda stage, _: {CURRENT: stored, PREVIOUS: " \n"}[stage])
    assert secret.admits("abc", Deadline(9.5, clock))
    assert not secret.admits("abcd", Deadline(9.5, clock))
    assert not secret.admits("", Deadline(9.5, clock))


# Secrets Manager fails


UNREADABLE = {
    "denied": refusing("AccessDeniedException"),
    "gone": refusing("ResourceNotFoundException"),
    "silent": hang,
}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_while_the_secret_cannot_be_read_the_versions_known_so_far_count(
    fault: AwsBehaviour, secret: Secret, clock: HeldClock, service: AwsService
) -> None:
    secret.rotate(SECOND)
    assert effect(with_header(FIRST), clock) == "Allow"
    service.faults["GetSecretValue"] = [fault]
    for _ in range(3):
        clock.advance(5)
        assert effect(with_header(FIRST), clock) == "Allow"
        assert effect(with_header(SECOND), clock) == "Allow"


@pytest.mark.parametrize("known_before", [True, False])
@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_a_value_that_cannot_be_judged_is_an_error_and_not_a_refusal(
    fault: AwsBehaviour, known_before: bool, secret: Secret, clock: HeldClock, service: AwsService
) -> None:
    """API Gateway keeps a refusal for minutes, and an error not at all: the secret may have been
    rotated, and ASAPP does not repeat what is refused."""
    if known_before:
        assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    clock.advance(5)
    service.faults["GetSecretValue"] = [fault]
    for _ in range(2):
        with pytest.raises(AwsError, match=r"^secretsmanager\.GetSecretValue: \w+$"):
            effect(with_header(SECOND), clock)
    service.faults.clear()
    clock.advance(5)
    assert effect(with_header(SECOND), clock) == "Allow"
    assert effect(with_header(FIRST), clock) == "Allow"


def only(stage: str, fault: AwsBehaviour) -> AwsBehaviour:
    """The fault for one version, and moto's answer for the other."""
    return lambda request: (fault if request.body["VersionStage"] == stage else pass_on)(request)


def test_a_previous_version_that_cannot_be_read_keeps_the_current_one_from_nobody(
    secret: Secret, clock: HeldClock, service: AwsService
) -> None:
    secret.rotate(SECOND)
    service.faults["GetSecretValue"] = [only(PREVIOUS, refusing("AccessDeniedException"))]
    assert effect(with_header(SECOND), clock) == "Allow"
    with pytest.raises(AwsError, match="AccessDeniedException"):
        effect(with_header(FIRST), clock)
    assert effect(with_header(SECOND), clock) == "Allow"


def test_a_version_that_was_just_rotated_out_is_let_in_although_the_previous_cannot_be_read(
    secret: Secret, clock: HeldClock, service: AwsService
) -> None:
    assert effect(with_header(FIRST), clock) == "Allow"
    secret.rotate(SECOND)
    clock.advance(5)
    service.faults["GetSecretValue"] = [only(PREVIOUS, refusing("AccessDeniedException"))]
    assert effect(with_header(FIRST), clock) == "Allow"
    assert effect(with_header(FIRST), clock) == "Allow"


@pytest.mark.parametrize("known", [FIRST, SECOND])
@pytest.mark.parametrize("silent", [CURRENT, PREVIOUS, ""], ids=["current", "previous", "both"])
def test_a_known_secret_waits_one_second_for_a_silent_secrets_manager(
    known: str, silent: str, secret: Secret, clock: HeldClock, service: AwsService
) -> None:
    secret.rotate(SECOND)
    assert effect(with_header(FIRST), clock, seconds=10) == "Allow"
    clock.advance(5)
    began = clock.seconds
    service.faults["GetSecretValue"] = [only(silent, hang) if silent else hang]
    assert effect(with_header(known), clock, seconds=10) == "Allow"
    waits = known == FIRST or silent != PREVIOUS
    assert clock.seconds - began == pytest.approx(1 if waits else 0)
    assert effect(with_header(known), clock, seconds=10) == "Allow"
    assert clock.seconds - began <= 1.001  # not again within five seconds


def test_a_secret_that_is_not_known_waits_as_long_as_the_function_may(
    clock: HeldClock, service: AwsService
) -> None:
    """It may be the new one after a rotation: what is given up is lost."""
    service.faults["GetSecretValue"] = [hang]
    with pytest.raises(AwsError, match="NoAnswer"):
        effect(with_header(FIRST), clock, seconds=60)
    assert 30 < clock.seconds <= 59.5  # the context has the machine's clock


def test_a_known_secret_is_let_in_soon_while_secrets_manager_hangs(service: AwsService) -> None:
    """On a real socket and by the machine's clock, with ample limits."""
    clock = LaterClock()
    assert effect(with_header(FIRST), clock) == "Allow"
    clock.later_seconds += 5
    service.faults["GetSecretValue"] = [hang]
    began = time.monotonic()
    assert effect(with_header(FIRST), clock) == "Allow"
    assert 0.9 < time.monotonic() - began < 15


class LaterClock(Clock):
    """The machine's clock, put forward."""

    later_seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.later_seconds

    def now_ms(self) -> int:
        return super().now_ms() + int(self.later_seconds * 1000)


def test_a_silent_secrets_manager_ends_within_the_functions_time(service: AwsService) -> None:
    service.faults["GetSecretValue"] = [hang]
    began = time.monotonic()
    with pytest.raises(AwsError, match="NoAnswer"):
        effect(with_header(FIRST), Clock(), seconds=0.7)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("given", ["", "x"])
@pytest.mark.parametrize("version", ["", None])
def test_an_empty_version_lets_nobody_in(given: str, version: str | None, clock: HeldClock) -> None:
    assert (
        WebhookSecret(lambda stage, deadline: version).admits(given, Deadline(9.5, clock)) is False
    )


def test_no_secret_and_no_value_that_was_presented_is_logged(
    secret: Secret, clock: HeldClock, service: AwsService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secret.rotate(SECOND)
    for value in (FIRST, SECOND, "presented-and-wrong"):
        effect(with_header(value), clock)
    clock.advance(5)
    service.faults["GetSecretValue"] = [refusing("AccessDeniedException")]
    with pytest.raises(AwsError):
        effect(with_header("presented-and-wrong"), clock)
    assert effect(with_header(FIRST), clock) == "Allow"
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == [
        "webhook refused: the secret is not ours",
        "the webhook's secret cannot be read; the versions known so far count",
    ]
    logged = "".join(str(vars(record)) for record in caplog.records)
    for value in (FIRST, SECOND, "presented-and-wrong"):
        assert value not in logged
