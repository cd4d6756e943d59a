"""Whatever happens while a call is erased, the logs hold no utterance, no number, no name and no
secret: as ``tests/unit/test_logs_hold_no_personal_data.py`` shows of the other functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from erase_conversation import handler as erase_conversation
from erase_conversation.due import NotErased
from erase_conversation.requests import BadRequest
from shared.asapp.feeds import STATE, UTTERANCES
from shared.calls.customers import BadKey
from tests.unit.conftest import CUSTOMER_NUMBER, Vendor
from tests.unit.erasure.stores import AGAIN, CUSTOMERS_KEY, LATER, Call, Stores
from tests.unit.test_logs_hold_no_personal_data import (
    AGENT,
    EVERYTHING,
    PRIVATE,
    WORDS,
    Ear,
    ear,
    front,
    s3_refuses,
    service,
)
from tests.unit.transcripts.test_store_transcript import AwsService, client, refusing

__all__ = ["ear", "front", "service"]

SECONDS = 900.0


def private(number: int) -> Call:
    """A call in which everything private is said and named."""
    call = Call(number, utterances=2)
    call.customer, call.agent = CUSTOMER_NUMBER, AGENT
    call.texts = [f"{WORDS} {number}", EVERYTHING]
    return call


@pytest.fixture
def stores(
    service: AwsService, aws: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stores]:
    """The function's environment variables, its cache empty, and one call of a customer."""
    queue = client("sqs", aws).create_queue(QueueName=f"dead-{table_name}")["QueueUrl"]
    secret = f"customers-{table_name}"
    client("secretsmanager", aws).create_secret(
        Name=secret, SecretString=json.dumps({"key": CUSTOMERS_KEY})
    )
    s3 = client("s3", aws)
    made = Stores(table_name, client("dynamodb", aws), s3, client("sqs", aws), {"Dead": queue})
    for bucket in (made.bucket, made.receipts):
        s3.create_bucket(Bucket=bucket)
    environment = {
        "AWS_ENDPOINT_URL_S3": aws,
        "TRANSCRIPT_TABLE": table_name,
        "TRANSCRIPT_RETENTION_DAYS": "30",
        "CONVERSATION_ID_SOURCE": "InitialContactId",
        "QUEUES": json.dumps({"Dead": queue}),
        "RECEIPTS_BUCKET": made.receipts,
        "CUSTOMERS_KEY_SECRET": secret,
        "STOP_FUNCTION": "arn:aws:lambda:us-east-1:111111111111:function:stop",
        "EXPORT_BUCKET": made.bucket,
        "EXPORT_KEEP_DAYS": "365",
        "LOGS_DAYS": "30",
        "AUDIO_HOURS": "24",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(erase_conversation, "SYSTEM_CLOCK", made.clock)
    erase_conversation.erasure.cache_clear()
    call = private(1)
    made.start(call)
    made.look(call)
    made.post(*map(call.message, range(2)))
    yield made
    erase_conversation.erasure.cache_clear()


def ask(ear: Ear, event: object) -> Any:
    return ear.run(erase_conversation.handler, event, seconds=SECONDS)


def named(answer: object) -> list[str]:
    return [kind for kind, value in PRIVATE.items() if value in json.dumps(answer, default=str)]


def test_an_erasure_in_the_ordinary_course(stores: Stores, ear: Ear) -> None:
    call = private(1)
    call.began_ms = stores.clock.now_ms() - 3_600_000
    broken = [line[:-9] + b"\n" for line in call.lines(UTTERANCES)]
    day = stores.day_of(call)
    for feed in (UTTERANCES, STATE):
        stores.put_file(feed, day, f"{WORDS}.json", b"".join([*call.lines(feed), *broken]))
    for body in (call.message(1), f"{EVERYTHING} {call.id}", EVERYTHING):
        stores.sqs.send_message(QueueUrl=stores.queues["Dead"], MessageBody=body)
    for event in ({"dryRun": True}, {}, {"progress": True}):
        assert named(ask(ear, {"customer": CUSTOMER_NUMBER} | event)) == []
    for seconds in (61.0, AGAIN, LATER):
        stores.clock.advance(seconds)
        assert named(ask(ear, {})) == []
    assert len(stores.objects(stores.receipts)) == 2
    assert not stores.objects(stores.bucket)[f"{STATE}/dt={day}/{WORDS}.json"]
    assert {"a call is erased", "an erasure is done"} <= ear.messages
    assert ear.leaks() == set()


def test_an_event_that_asks_for_nothing_there_is(stores: Stores, ear: Ear) -> None:
    assert ask(ear, {"contact": EVERYTHING}) == {"state": "refused", "reason": "unknown"}
    assert ask(ear, {"customer": EVERYTHING}) == {"state": "refused", "reason": "unknown"}
    wrong: list[dict[str, Any]] = [
        {"contact": "c-1", "running": EVERYTHING},
        {"contact": "c-1", "day": EVERYTHING},
        {"exported": EVERYTHING},
        {"customer": [EVERYTHING]},
        {EVERYTHING: EVERYTHING},
    ]
    assert [ask(ear, event) for event in wrong] == [BadRequest] * len(wrong)
    assert ear.leaks() == set()


def test_a_call_that_cannot_be_stopped_and_one_that_is_held(
    stores: Stores, vendor: Vendor, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.behaviours = [lambda request: request.reply(500, {"message": EVERYTHING})]
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", vendor.url)
    stores.change("c-1", state="streaming", changedAt=stores.clock.now_ms())
    event = {"contact": "c-1", "running": "stop"}
    assert ask(ear, event) is NotErased
    told = {"status": "unavailable", "reason": EVERYTHING}
    vendor.behaviours = [lambda request: request.reply(200, told)]
    stores.clock.advance(61)
    assert ask(ear, {}) == {"done": 1}
    assert "a call is not stopped; it is tried again" in ear.messages
    stores.change("c-1", heldBy=EVERYTHING)
    stores.clock.advance(61)
    assert ask(ear, {}) == {"done": 1}
    assert "a call is held, and not erased" in ear.messages
    assert ear.leaks() == set()


def test_whatever_aws_does(
    stores: Stores, service: AwsService, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUES", "{}")  # a look into a queue takes a second
    operations = ("GetSecretValue", "Query", "GetItem", "PutItem", "UpdateItem", "BatchWriteItem")
    for number, operation in enumerate(operations, 2):
        stores.start(private(number))
        service.faults = {operation: [refusing("ValidationException", message=EVERYTHING)]}
        answers = [
            ask(ear, event | more)
            for event in ({"customer": CUSTOMER_NUMBER}, {"contact": f"c-{number}"})
            for more in ({"dryRun": True}, {})
        ]
        stores.clock.advance(AGAIN)
        assert {NotErased, BadKey} & {*map(kind, [*answers, ask(ear, {})])}, operation
    assert ear.leaks() == set()


def kind(answer: object) -> object:
    return answer if isinstance(answer, type) else None


def test_whatever_s3_and_sqs_do(
    stores: Stores,
    service: AwsService,
    vendor: Vendor,
    ear: Ear,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.faults["ReceiveMessage"] = [refusing("AccessDenied", message=EVERYTHING)]
    assert ask(ear, {"contact": "c-1"}) is NotErased
    service.faults.clear()
    vendor.behaviours = [s3_refuses]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", vendor.url)
    monkeypatch.setenv("QUEUES", "{}")
    erase_conversation.erasure.cache_clear()
    stores.clock.advance(LATER)
    assert ask(ear, {}) is NotErased
    assert ask(ear, {"contact": "c-1", "dryRun": True}) is NotErased
    assert "an erasure did not go on" in ear.messages
    assert ear.leaks() == set()


def test_whatever_an_item_has(stores: Stores, ear: Ear) -> None:
    stores.change("c-1", legs=EVERYTHING)
    assert ask(ear, {"contact": "c-1"}) is json.JSONDecodeError
    assert ear.leaks() == set()
