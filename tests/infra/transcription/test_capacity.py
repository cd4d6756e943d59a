"""What a backlog, or another function of the account, cannot take from calls."""

from __future__ import annotations

import pytest

from tests.infra.conftest import Json, Transcription


def reserved(made: Transcription) -> dict[str, int]:
    """By the folder of each function that has a reservation."""
    found = {}
    for function in made.all("AWS::Lambda::Function"):
        properties: Json = function["Properties"]
        if "ReservedConcurrentExecutions" in properties:
            name = properties["Handler"].split(".")[0]
            found[name] = properties["ReservedConcurrentExecutions"]
    return found


@pytest.fixture(scope="module")
def reserving() -> Transcription:
    return Transcription(capacity={"expected_calls": 200, "reserve": True})


def test_start_stop_and_authorizer_have_room_of_their_own_and_no_other_function(
    reserving: Transcription,
) -> None:
    assert reserved(reserving) == {
        "start_streaming": 24,
        "stop_streaming": 24,
        "authorize_webhook": 10,
    }


def test_a_new_account_can_be_deployed_to_because_nothing_is_reserved_by_default() -> None:
    made = Transcription()
    assert reserved(made) == {}
    assert limit_of_the_queue(made) == {"MaximumConcurrency": 5}


def test_a_backlog_of_the_queue_cannot_take_the_accounts_room(reserving: Transcription) -> None:
    assert limit_of_the_queue(reserving) == {"MaximumConcurrency": 20}


def test_the_webhooks_throttle_and_the_tables_writes_follow_from_the_calls() -> None:
    many = Transcription(capacity={"expected_calls": 5_000})
    assert throttle(many) == (5_000, 10_000)
    assert warm(many) == {"WriteUnitsPerSecond": 12_500}
    few = Transcription()
    assert throttle(few) == (1_000, 2_000)
    assert warm(few) is None


def throttle(made: Transcription) -> tuple[int, int]:
    """Of the webhook's stage, the only one that is not of the transcript API."""
    api = made.identifier(made.made.transcript_webhook.apis[0].rest_api)
    (stage,) = (
        each["Properties"]
        for each in made.all("AWS::ApiGateway::Stage")
        if each["Properties"]["RestApiId"] == {"Ref": api}
    )
    (setting,) = stage["MethodSettings"]
    return setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]


def warm(made: Transcription) -> Json | None:
    (table,) = made.all("AWS::DynamoDB::Table")
    found: Json | None = table["Properties"].get("WarmThroughput")
    return found


def limit_of_the_queue(made: Transcription) -> Json:
    queue = made.arn(made.made.transcript_webhook.queue)
    (mapping,) = (
        each["Properties"]
        for each in made.all("AWS::Lambda::EventSourceMapping")
        if each["Properties"]["EventSourceArn"] == queue
    )
    return dict(mapping["ScalingConfig"])
