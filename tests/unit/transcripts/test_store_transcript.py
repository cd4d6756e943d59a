"""What the webhook received is stored in few calls, and no message holds back another one."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from shared.aws import api as aws_calls
from shared.table import values
from shared.transcripts.utterance import Utterance
from store_transcript import handler as store_transcript
from store_transcript.batch import Message, store
from store_transcript.dead_letters import DeadLetters
from store_transcript.utterance_table import UtteranceTable
from tests.log_metrics import counted
from tests.running_server import running
from tests.unit.conftest import Vendor, VendorHandler, reset
from tests.unit.held_clock import HeldClock

RECEIVED_AT_MS = 1_700_000_000_123


class AwsHandler(VendorHandler):
    """Holds a request to what AWS documents as its limits, then passes it on or fails as told."""

    disable_nagle_algorithm = True
    body: dict[str, Any]

    def do_POST(self) -> None:
        service = cast(AwsService, self.server)
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        with service.lock:
            service.sent.append((operation, self.body))
            faults = service.faults.get(operation, [pass_on])
            behave = faults.pop(0) if len(faults) > 1 else faults[0]
        check = LIMITS.get(operation)
        if refusal := check(self.body) if check else "":
            self.reply(400, {"__type": "ValidationException", "message": refusal})
        else:
            behave(self)


AwsBehaviour = Callable[[AwsHandler], None]


class AwsService(Vendor):
    """AWS's endpoint, in front of moto's.

    :param faults: By operation, what becomes of its next requests; the last of them stays.
    """

    def __init__(self, behind: str) -> None:
        super().__init__()
        self.RequestHandlerClass = AwsHandler
        self.behind = urlsplit(behind).netloc
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[AwsBehaviour]] = {}

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        return [body for name, body in self.sent if name == operation]


def pass_on(request: AwsHandler) -> None:
    request.reply(*behind(request, request.body))


def behind(request: AwsHandler, body: dict[str, Any]) -> tuple[int, str, str]:
    """The status, body and content type of moto's answer."""
    connection = http.client.HTTPConnection(cast(AwsService, request.server).behind)
    names = ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")
    headers = {name: request.headers[name] for name in names}
    connection.request("POST", "/", json.dumps(body), headers)
    with contextlib.closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read().decode(), str(answer.headers["Content-Type"])


def refusing(code: str, status: int = 400, message: str = "words of AWS") -> AwsBehaviour:
    body = {"__type": f"com.amazonaws.some.service#{code}", "message": message}
    return lambda request: request.reply(status, body)


def leaving(count: int) -> AwsBehaviour:
    """A table with no capacity for the last ``count`` items of a batch."""

    def behave(request: AwsHandler) -> None:
        ((name, writes),) = request.body["RequestItems"].items()
        if writes[:-count]:
            behind(request, {"RequestItems": {name: writes[:-count]}})
        request.reply(200, {"UnprocessedItems": {name: writes[-count:]}})

    return behave


def _bytes(text: str) -> int:
    return len(text.encode())


def _batch_write_item(body: dict[str, Any]) -> str:
    (writes,) = body["RequestItems"].values()
    items = [write["PutRequest"]["Item"] for write in writes if "PutRequest" in write]
    named = items + [write["DeleteRequest"]["Key"] for write in writes if "DeleteRequest" in write]
    keys = [(item["conversationId"]["S"], item["item"]["S"]) for item in named]
    if not 1 <= len(writes) <= 25:
        return "Too many items requested for the BatchWriteItem call"
    if len(set(keys)) < len(writes):
        return "Provided list of item keys contains duplicates"
    if any(_bytes(partition) > 2048 or _bytes(sort) > 1024 for partition, sort in keys):
        return "Size of hashkey or rangekey has exceeded the maximum size limit"
    for item in items:
        if sum(_bytes(name) + _bytes(*value.values()) for name, value in item.items()) > 400 * 1024:
            return "Item size has exceeded the maximum allowed size"
    return ""


def _put_events(body: dict[str, Any]) -> str:
    entries = body["Entries"]
    fields = ("Source", "DetailType", "Detail")
    size = sum(_bytes(entry[field]) for entry in entries for field in fields)
    if not 1 <= len(entries) <= 10:
        return "Member must have length less than or equal to 10"
    return "Total size of the entries in the request is over the limit" * (size > 256 * 1024)


LIMITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "BatchWriteItem": _batch_write_item,
    "PutEvents": _put_events,
}


@contextlib.contextmanager
def used_by_the_functions(server: AwsService) -> Iterator[AwsService]:
    """In good health, and with nothing sent to it yet."""
    server.faults.clear()
    server.sent.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        aws_calls._origin.cache_clear()
        yield server
    aws_calls._origin.cache_clear()


@pytest.fixture(scope="module")
def front(aws: str) -> Iterator[AwsService]:
    with running(AwsService(aws)) as server:
        yield server


@pytest.fixture
def service(front: AwsService) -> Iterator[AwsService]:
    with used_by_the_functions(front):
        yield front


@cache
def client(name: str, endpoint: str) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(name, endpoint_url=endpoint, config=config)


@pytest.fixture
def dead_letter_queue(aws: str) -> str:
    made = client("sqs", aws).create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")
    return str(made["QueueUrl"])


@pytest.fixture
def utterances(table_name: str, service: AwsService) -> UtteranceTable:
    dynamodb = client("dynamodb", service.url)
    return UtteranceTable(dynamodb, table_name, retention_seconds=86_400, clock=HeldClock())


@pytest.fixture
def dead_letters(dead_letter_queue: str, service: AwsService) -> DeadLetters:
    return DeadLetters(client("sqs", service.url), dead_letter_queue)


@pytest.fixture
def deployed(
    table_name: str,
    dead_letter_queue: str,
    service: AwsService,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """The function's environment variables, and its caches empty."""
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", dead_letter_queue)
    caches = (
        store_transcript._utterances,
        store_transcript._dead_letters,
    )
    for made in caches:
        made.cache_clear()
    yield
    for made in caches:
        made.cache_clear()


def body_of(number: int, text: str = "words", **changes: object) -> str:
    role = "customer" if number % 2 else "agent"
    body = {
        "type": "transcript",
        "externalConversationId": "c-1",
        "streamId": f"stream-{role}",
        "sender": {"externalId": "TT9833237", "role": role},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": number * 1000,
            "end": number * 1000 + 900,
            "utterance": [{"text": text}],
        },
    }
    return json.dumps(body | changes)


def messages(*bodies: str) -> list[Message]:
    return [Message(f"m-{at}", body, RECEIVED_AT_MS) for at, body in enumerate(bodies)]


def good(count: int) -> list[str]:
    return [body_of(number) for number in range(count)]


def event(*bodies: str) -> dict[str, Any]:
    """The event of an SQS event source."""
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": "AQEB",
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(RECEIVED_AT_MS),
                    "SenderId": "AROAEXAMPLE:BackplaneAssumeRoleSession",
                    "ApproximateFirstReceiveTimestamp": str(RECEIVED_AT_MS + 5),
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:webhook",
                "awsRegion": "us-east-1",
            }
            for message in messages(*bodies)
        ]
    }


def stored(table_name: str) -> list[dict[str, Any]]:
    table = client("dynamodb", os.environ["AWS_ENDPOINT_URL"])
    return [values(item) for item in table.scan(TableName=table_name)["Items"]]


def count(table_name: str) -> int:
    table = client("dynamodb", os.environ["AWS_ENDPOINT_URL"])
    return int(table.scan(TableName=table_name, Select="COUNT")["Count"])


def set_aside(queue_url: str) -> list[tuple[str, str]]:
    """Each dead letter's body and reason."""
    sqs = client("sqs", os.environ["AWS_ENDPOINT_URL"])
    found: list[tuple[str, str]] = []
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        received = answer.get("Messages", [])
        found += [
            (message["Body"], message["MessageAttributes"]["reason"]["StringValue"])
            for message in received
        ]
        if not received:
            return found


@pytest.mark.usefixtures("deployed")
def test_a_full_batch_costs_a_tenth_of_a_call_an_utterance(
    service: AwsService, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = store_transcript.handler(event(*good(10)), None)
    assert answer == {"batchItemFailures": []}
    assert counted("store_transcript", caplog.records) == {"UtterancesStored": 10}
    assert [operation for operation, _ in service.sent] == ["BatchWriteItem"]
    assert count(table_name) == 10


def test_an_utterance_is_stored_with_its_fields_and_as_it_came(
    utterances: UtteranceTable, dead_letters: DeadLetters, table_name: str
) -> None:
    body = body_of(1, "I need help", unknown={"a": [1.10, None]}).replace(", ", " ,\t")
    assert store(messages(body), utterances, dead_letters) == []
    (item,) = stored(table_name)
    stored_at, expires_at = int(item.pop("storedAt")), int(item.pop("expiresAt"))
    assert expires_at == stored_at // 1000 + 86_400
    assert stored_at > RECEIVED_AT_MS
    assert item == {
        "conversationId": "c-1",
        "item": Utterance.from_message(body).key,
        "streamId": "stream-customer",
        "role": "customer",
        "senderId": "TT9833237",
        "startMs": 1000,
        "endMs": 1900,
        "text": "I need help",
        "message": body,
        "source": "webhook",
        "receivedAt": RECEIVED_AT_MS,
    }


@pytest.mark.usefixtures("deployed")
def test_what_looks_unredacted_is_stored_and_counted_without_its_words(
    service: AwsService,
    table_name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    texts = ["my card is 4111 1111 1111 1111", "078-05-1120", "call 202-555-0123", "my PIN is ####"]
    bodies = [body_of(at, text) for at, text in enumerate(texts)]
    monkeypatch.setenv("REDACTION", "redacted")
    assert store_transcript.handler(event(*bodies), None) == {"batchItemFailures": []}
    assert counted("store_transcript", caplog.records) == {
        "UtterancesStored": 4,
        "NumbersNotRedacted": 2,
        "PhoneNumbersNotRedacted": 1,
    }
    told = [vars(each) for each in caplog.records if each.levelname == "WARNING"]
    assert [(each["conversationId"], each["looksLike"]) for each in told] == [
        ("c-1", "card number"),
        ("c-1", "social security number"),
        ("c-1", "phone number"),
    ]
    assert not any(figures in str(told) for figures in ("1111", "1120", "0123"))
    assert [operation for operation, _ in service.sent] == ["BatchWriteItem"]
    assert count(table_name) == 4


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("redaction", ["unredacted", "redacted_and_unredacted"])
def test_what_asapp_was_not_asked_to_redact_is_not_counted(
    redaction: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("REDACTION", redaction)
    store_transcript.handler(event(body_of(1, "my card is 4111 1111 1111 1111")), None)
    assert counted("store_transcript", caplog.records) == {"UtterancesStored": 1}


def test_what_was_not_stored_is_not_counted(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.faults["BatchWriteItem"] = [refusing("InternalServerError", 500)]
    given = messages(body_of(1, "my card is 4111 1111 1111 1111"))
    assert store(given, utterances, dead_letters, is_redacted=True) == ["m-0"]
    assert "NumbersNotRedacted" not in counted("store_transcript", caplog.records)


@pytest.mark.usefixtures("deployed")
def test_fractional_milliseconds_are_no_dead_letter(
    table_name: str, dead_letter_queue: str
) -> None:
    body = body_of(1, autotranscribeResponse=RESPONSE | {"start": 1200.25, "end": 1899.75})
    assert store_transcript.handler(event(body), None) == {"batchItemFailures": []}
    (item,) = stored(table_name)
    assert (item["startMs"], item["endMs"]) == (1200, 1900)
    assert set_aside(dead_letter_queue) == []


def test_duplicates_in_a_batch_land_on_themselves(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    table_name: str,
) -> None:
    twice = [body for body in good(25) for _ in range(2)]
    assert store(messages(*twice), utterances, dead_letters) == []
    assert len(service.bodies("BatchWriteItem")) == 1
    assert count(table_name) == 25


def test_duplicates_across_batches_land_on_themselves(
    utterances: UtteranceTable, dead_letters: DeadLetters, table_name: str
) -> None:
    for _ in range(2):
        assert store(messages(*good(3)), utterances, dead_letters) == []
    assert count(table_name) == 3


RESPONSE = {"start": 1, "end": 2, "utterance": [{"text": "words"}]}
POISON = {
    "is not JSON": "not JSON at all",
    "is a scalar": "7",
    "is an array": "[]",
    "is nested a hundred thousand deep": "[" * 100_000,
    "is of another type": body_of(0, type="summary"),
    "has no conversation": body_of(0, externalConversationId=None),
    "has half a surrogate pair in its id": body_of(0, streamId="\ud83d"),
    "has a number for its utterance": body_of(
        0, autotranscribeResponse=RESPONSE | {"utterance": 5}
    ),
    "has a time that is text": body_of(0, autotranscribeResponse=RESPONSE | {"start": "10"}),
    "is larger than an item can be": body_of(0, "x" * 220_000),
    "has a key that is longer than a key can be": body_of(0, streamId="\U0001f600" * 256),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_poison_message_holds_back_none_of_ninety_nine(
    poison: str,
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    table_name: str,
    dead_letter_queue: str,
) -> None:
    bodies = good(100)
    bodies[42] = poison
    assert store(messages(*bodies), utterances, dead_letters) == []
    assert count(table_name) == 99
    ((body, reason),) = set_aside(dead_letter_queue)
    assert body == poison
    assert reason


def test_an_oversized_item_costs_its_own_chunk_a_call_an_item_and_no_other(
    utterances: UtteranceTable, dead_letters: DeadLetters, service: AwsService
) -> None:
    bodies = [*good(30), body_of(30, "x" * 220_000), *(body_of(at) for at in range(31, 100))]
    assert store(messages(*bodies), utterances, dead_letters) == []
    assert len(service.bodies("BatchWriteItem")) == 4 + 25
    assert len(service.bodies("SendMessage")) == 1


def test_a_poison_message_that_came_twice_is_set_aside_twice(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    dead_letter_queue: str,
) -> None:
    huge = body_of(0, "x" * 220_000)
    assert store(messages(huge, huge, "{}", "{}"), utterances, dead_letters) == []
    assert sorted(set_aside(dead_letter_queue)) == [
        *[(huge, "the table refuses it (over 400 KB?)")] * 2,
        *[("{}", "type is missing")] * 2,
    ]


@pytest.mark.parametrize(
    "fault",
    [
        refusing("ProvisionedThroughputExceededException"),
        refusing("ThrottlingException"),
        refusing("ResourceNotFoundException"),
        refusing("AccessDeniedException"),
        refusing("InternalServerError", 500),
        reset,
    ],
    ids=["over capacity", "throttled", "missing", "denied", "broken", "gone"],
)
def test_what_a_table_in_trouble_does_not_take_stays_in_the_queue(
    fault: AwsBehaviour,
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    table_name: str,
    dead_letter_queue: str,
) -> None:
    service.faults["BatchWriteItem"] = [fault, pass_on]
    left = store(messages(*good(30)), utterances, dead_letters)
    assert left == [f"m-{at}" for at in range(25)]
    assert count(table_name) == 5
    assert set_aside(dead_letter_queue) == []


def test_a_table_in_trouble_all_along_loses_nothing(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    dead_letter_queue: str,
) -> None:
    service.faults["BatchWriteItem"] = [refusing("ThrottlingException")]
    bodies = good(30)
    bodies[3] = "poison"
    left = store(messages(*bodies), utterances, dead_letters)
    assert sorted(left) == sorted(f"m-{at}" for at in range(30) if at != 3)
    assert set_aside(dead_letter_queue) == [("poison", "not JSON")]


def test_items_that_the_table_had_no_capacity_for_are_tried_again(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    table_name: str,
) -> None:
    service.faults["BatchWriteItem"] = [leaving(10), leaving(2), pass_on]
    assert store(messages(*good(25)), utterances, dead_letters) == []
    sizes = [len(body["RequestItems"][table_name]) for body in service.bodies("BatchWriteItem")]
    assert sizes == [25, 10, 2]
    assert count(table_name) == 25


def test_items_that_the_table_never_has_capacity_for_stay_in_the_queue(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    dead_letter_queue: str,
) -> None:
    service.faults["BatchWriteItem"] = [leaving(2)]
    bodies = good(25)
    repeated = bodies[24]  # a duplicate of one that is left is left with it
    assert store(messages(*bodies, repeated), utterances, dead_letters) == [
        "m-23",
        "m-24",
        "m-25",
    ]
    assert len(service.bodies("BatchWriteItem")) == 4
    assert set_aside(dead_letter_queue) == []


def test_an_oversized_item_among_a_batch_that_is_then_throttled_loses_nothing(
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    dead_letter_queue: str,
) -> None:
    service.faults["BatchWriteItem"] = [pass_on, refusing("ThrottlingException"), pass_on]
    huge = body_of(3, "x" * 220_000)
    left = store(messages(*good(3), huge), utterances, dead_letters)
    assert left == ["m-0"]
    assert [body for body, _ in set_aside(dead_letter_queue)] == [huge]


@pytest.mark.parametrize(
    "fault", [refusing("AccessDenied", 403), refusing("InternalFailure", 500), reset]
)
def test_what_cannot_even_be_set_aside_stays_in_the_queue(
    fault: AwsBehaviour,
    utterances: UtteranceTable,
    dead_letters: DeadLetters,
    service: AwsService,
    table_name: str,
) -> None:
    service.faults["SendMessage"] = [fault, pass_on]
    bodies = [*good(5), "poison", *good(7)[5:], "more poison"]
    assert store(messages(*bodies), utterances, dead_letters) == ["m-5"]
    assert count(table_name) == 7


@pytest.mark.usefixtures("deployed")
def test_lambda_is_told_exactly_the_messages_that_stay(service: AwsService) -> None:
    service.faults["SendMessage"] = [refusing("AccessDenied", 403)]
    answer = store_transcript.handler(event(body_of(0), "poison", body_of(1)), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}


def test_an_empty_batch_is_no_call(
    utterances: UtteranceTable, dead_letters: DeadLetters, service: AwsService
) -> None:
    assert store([], utterances, dead_letters) == []
    assert service.sent == []
