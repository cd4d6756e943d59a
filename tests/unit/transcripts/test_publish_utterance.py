"""Each newly stored utterance becomes one event on the bus, in order, at least once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from publish_utterance import handler as publish_utterance
from publish_utterance.event_bus import CALLS_AT_A_TIME, Numbered
from publish_utterance.event_bus import publish as publish_at_once
from publish_utterance.handler import detail, entry
from shared import table
from shared.transcripts.utterance import Utterance
from tests.running_server import running
from tests.unit.conftest import reset
from tests.unit.transcripts.test_store_transcript import (
    AwsBehaviour,
    AwsHandler,
    AwsService,
    body_of,
    client,
    pass_on,
    refusing,
    used_by_the_functions,
)

BUS = "default"


@pytest.fixture(scope="module")
def front(aws: str) -> Iterator[AwsService]:
    with running(AwsService(aws)) as server:
        yield server


@pytest.fixture
def service(front: AwsService) -> Iterator[AwsService]:
    with used_by_the_functions(front):
        yield front


@pytest.fixture
def events(service: AwsService) -> Any:
    return client("events", service.url)


@pytest.fixture
def deployed(
    service: AwsService, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The function's environment variables, and its caches empty."""
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    caches = (
        publish_utterance._dynamodb,
        publish_utterance._events,
        publish_utterance._late,
        publish_utterance._streams,
    )
    for made in caches:
        made.cache_clear()
    yield
    for made in caches:
        made.cache_clear()


def opened(table_name: str, *streams: tuple[str, str]) -> None:
    """ASAPP has opened these; the table knows."""
    for conversation_id, stream_id in streams:
        item = {"conversationId": conversation_id, "item": f"stream#{stream_id}"}
        made = table.attributes(item | {"streamId": stream_id, "role": "customer"})
        boto3.client("dynamodb").put_item(TableName=table_name, Item=made)


def entry_of(item: dict[str, Any]) -> dict[str, str]:
    return entry(detail(table.values(item), {}, sender_id=False), BUS)


def image(body: str, stored_at_ms: int = 2) -> dict[str, Any]:
    """The item that the table's stream has for a message."""
    utterance = Utterance.from_message(body)
    return table.attributes(
        utterance.item(received_at_ms=1, stored_at_ms=stored_at_ms, expires_at_s=3)
    )


def numbered(*texts: str) -> list[Numbered]:
    """Of one conversation."""
    return [
        Numbered(f"4960{at:04d}", "c-1", entry_of(image(body_of(at, text))))
        for at, text in enumerate(texts)
    ]


def publish(records: list[Numbered], events: Any) -> str | None:
    """Of one conversation: there is at most one that is to be delivered again."""
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        left = publish_at_once(records, events, pool)
    assert len(left) <= 1
    return next(iter(left), None)


def record(number: str, item: dict[str, Any]) -> dict[str, Any]:
    """One record of a DynamoDB stream."""
    keys = {name: item[name] for name in ("conversationId", "item")}
    change = {"Keys": keys, "NewImage": item, "SequenceNumber": number, "SizeBytes": 500}
    return {
        "eventID": f"e-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change | {"StreamViewType": "NEW_IMAGE"},
    }


def published(service: AwsService) -> list[list[dict[str, Any]]]:
    """The details of the events, call by call."""
    calls = service.bodies("PutEvents")
    return [[json.loads(entry["Detail"]) for entry in call["Entries"]] for call in calls]


def texts(service: AwsService) -> list[list[str]]:
    return [[detail["text"] for detail in call] for call in published(service)]


def reads_of_streams(service: AwsService) -> list[dict[str, Any]]:
    return [body for body in service.bodies("BatchGetItem") if "stream#" in json.dumps(body)]


@pytest.mark.usefixtures("deployed")
def test_one_that_was_recovered_says_when_it_was_said(service: AwsService) -> None:
    recovered = {
        "conversationId": "c-1",
        "item": "utterance#messages#m-1",
        "role": "agent",
        "senderId": "ada",
        "startedAt": 1_793_541_787_250,
        "endedAt": 1_793_541_788_000,
        "text": "Hello.",
        "message": "{}",
        "messageId": "m-1",
        "source": "messages",
        "receivedAt": 5,
        "storedAt": 6,
        "expiresAt": 7,
    }
    item = table.attributes(recovered)
    publish_utterance.handler({"Records": [record("1", item)]}, None)
    ((detail,),) = published(service)
    hidden = ("item", "message", "messageId", "expiresAt", "senderId")
    expected = {name: value for name, value in recovered.items() if name not in hidden}
    assert detail == {"id": "c-1/utterance#messages#m-1", "verified": True} | expected


@pytest.mark.usefixtures("deployed")
def test_an_utterance_is_an_event_with_these_fields_and_no_others(
    service: AwsService, table_name: str
) -> None:
    opened(table_name, ("c-1", "stream-customer"))
    body = body_of(7, "I need help ¿sí?", unknown="field")
    answer = publish_utterance.handler({"Records": [record("1", image(body))]}, None)
    assert answer == {"batchItemFailures": []}
    ((call,),) = [sent["Entries"] for sent in service.bodies("PutEvents")]
    detail = json.loads(call.pop("Detail"))
    assert call == {
        "EventBusName": "default",
        "Source": "connect-autotranscribe",
        "DetailType": "Utterance",
    }
    assert detail.pop("id").startswith("c-1/utterance#stream-customer#0000007000#")
    assert detail == {
        "conversationId": "c-1",
        "streamId": "stream-customer",
        "role": "customer",
        "verified": True,
        "startMs": 7000,
        "endMs": 7900,
        "text": "I need help ¿sí?",
        "source": "webhook",
        "receivedAt": 1,
        "storedAt": 2,
    }


@pytest.mark.usefixtures("deployed")
def test_nothing_of_an_event_tells_the_callers_number(service: AwsService) -> None:
    """Nor does its id: a digest of all of the message is one of ten thousand million numbers, which
    who knows the rest of the message can try."""
    bodies = [
        body_of(1, sender={"externalId": number, "role": "customer"})
        for number in ("+15550100199", "+15550100200")
    ]
    for body in bodies:
        publish_utterance.handler({"Records": [record("1", image(body))]}, None)
    ((one,), (other,)) = published(service)
    assert one == other
    assert "+15550100199" not in json.dumps(one)


@pytest.mark.usefixtures("deployed")
def test_a_setting_brings_the_senders_id_back(
    service: AwsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_SENDER_ID", "true")
    publish_utterance.handler({"Records": [record("1", image(body_of(1)))]}, None)
    (((detail),),) = published(service)
    assert detail["senderId"] == "TT9833237"


@pytest.mark.usefixtures("deployed")
def test_an_event_says_whether_asapp_had_opened_the_stream_and_each_stream_is_read_once(
    service: AwsService, table_name: str
) -> None:
    opened(table_name, ("c-1", "stream-agent"), ("c-2", "stream-customer"))
    bodies = [body_of(at, externalConversationId=f"c-{at % 2 + 1}") for at in range(100)]
    event = {"Records": [record(f"1{at:03d}", image(body)) for at, body in enumerate(bodies)]}
    publish_utterance.handler(event, None)
    for (conversation_id, stream_id), verified in (
        (("c-1", "stream-agent"), True),
        (("c-2", "stream-customer"), True),
    ):
        said = [each for call in published(service) for each in call]
        found = [
            each["verified"]
            for each in said
            if (each["conversationId"], each["streamId"]) == (conversation_id, stream_id)
        ]
        assert found == [verified] * 50
    assert len(reads_of_streams(service)) == 1
    publish_utterance.handler(event, None)
    assert len(reads_of_streams(service)) == 1


@pytest.mark.usefixtures("deployed")
def test_a_stream_that_is_not_known_yet_is_looked_for_again(
    service: AwsService, table_name: str
) -> None:
    event = {"Records": [record("1", image(body_of(1)))]}
    publish_utterance.handler(event, None)
    opened(table_name, ("c-1", "stream-customer"))
    publish_utterance.handler(event, None)
    assert [each["verified"] for (each,) in published(service)] == [False, True]


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("is_full", [True, False])
def test_a_table_that_cannot_be_read_delays_no_utterance(
    is_full: bool, service: AwsService
) -> None:
    """Which of the calls ended long ago is then looked up again, with the next delivery."""

    def no_capacity(request: AwsHandler) -> None:
        request.reply(200, {"Responses": {}, "UnprocessedKeys": request.body["RequestItems"]})

    fault = no_capacity if is_full else refusing("AccessDeniedException")
    service.faults["BatchGetItem"] = [fault]
    event = {"Records": [record("1", image(body_of(1)))]}
    answer = publish_utterance.handler(event, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [each["verified"] for (each,) in published(service)] == [False]


@pytest.mark.usefixtures("deployed")
def test_an_event_names_what_was_impossible_in_the_message(service: AwsService) -> None:
    body = body_of(1, sender={"externalId": "x", "role": "agent:\n"})
    publish_utterance.handler({"Records": [record("1", image(body))]}, None)
    ((detail,),) = published(service)
    assert (detail["role"], detail["malformed"]) == ("unknown", ["role"])


def test_what_the_table_holds_is_what_an_event_needs(aws: str, table_name: str) -> None:
    boto3.client("dynamodb").put_item(TableName=table_name, Item=image(body_of(1)))
    (item,) = boto3.client("dynamodb").scan(TableName=table_name)["Items"]
    assert entry_of(item) == entry_of(image(body_of(1)))


def test_an_event_has_the_same_id_at_every_delivery_and_no_other_event_has_it() -> None:
    def event_id(item: dict[str, Any]) -> str:
        made: str = json.loads(entry_of(item)["Detail"])["id"]
        return made

    assert event_id(image(body_of(1))) == event_id(image(body_of(1), stored_at_ms=99))
    another_call = image(body_of(1, externalConversationId="c-2"))
    ids = {event_id(item) for item in (image(body_of(1)), image(body_of(2)), another_call)}
    assert len(ids) == 3


def test_ten_events_go_in_a_call_in_the_order_of_the_stream(
    service: AwsService, events: Any
) -> None:
    spoken = [f"word {at}" for at in range(25)]
    assert publish(numbered(*spoken), events) is None
    assert texts(service) == [spoken[:10], spoken[10:20], spoken[20:]]


def test_no_records_are_no_call(service: AwsService, events: Any) -> None:
    assert publish([], events) is None
    assert service.sent == []


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", '"'])
def test_a_call_is_never_larger_than_event_bridge_takes(
    letter: str, service: AwsService, events: Any
) -> None:
    # Our EventBridge refuses a call over 256 KB, as the real one does, counted in bytes.
    bytes_each = {"é": 2, "\U0001f600": 4, '"': 2}.get(letter, 1)
    spoken = [letter * (size * 1024 // bytes_each) for size in (100, 100, 100, 230, 1, 1, 200, 40)]
    assert publish(numbered(*spoken), events) is None
    calls = texts(service)
    assert [text for call in calls for text in call] == spoken
    assert [len(call) for call in calls] == [2, 1, 3, 1, 1]


def test_a_text_that_fits_into_no_event_is_omitted_and_the_event_says_so(
    service: AwsService, events: Any
) -> None:
    for huge in ("x" * 250 * 1024, "é" * 125 * 1024):
        service.sent.clear()
        assert publish(numbered("before", huge, "after"), events) is None
        ((before, omitted, after),) = published(service)
        assert (before["text"], after["text"]) == ("before", "after")
        assert "textOmitted" not in before
        assert omitted.pop("textOmitted") is True
        assert omitted["text"] == ""
        assert omitted.keys() == before.keys()
        assert omitted["id"].startswith("c-1/utterance#stream-customer#0000001000#")


def partly(*failed: int) -> AwsBehaviour:
    """An EventBridge that refuses these entries of a call and takes the others."""

    def behave(request: AwsHandler) -> None:
        refusal = {"ErrorCode": "ThrottlingException", "ErrorMessage": "words of AWS"}
        results = [
            refusal if at in failed else {"EventId": f"id-{at}"}
            for at in range(len(request.body["Entries"]))
        ]
        request.reply(200, {"FailedEntryCount": len(failed), "Entries": results})

    return behave


def test_after_a_partial_failure_the_first_that_failed_is_named(
    service: AwsService, events: Any
) -> None:
    service.faults["PutEvents"] = [pass_on, partly(3, 5), pass_on]
    records = numbered(*map(str, range(25)))
    assert publish(records, events) == records[13].number
    assert len(service.sent) == 2  # what follows is not published ahead of it


def of_conversations(*ids: str) -> list[Numbered]:
    return [
        Numbered(
            f"4960{at:04d}", id, entry_of(image(body_of(at, f"{at}", externalConversationId=id)))
        )
        for at, id in enumerate(ids)
    ]


def test_utterances_of_several_calls_are_published_at_a_time_and_each_call_in_its_order(
    service: AwsService, events: Any
) -> None:
    """Four PutEvents are under way before the first is answered."""
    together = threading.Barrier(CALLS_AT_A_TIME, timeout=30)

    def wait_for_the_others(request: AwsHandler) -> None:
        together.wait()
        pass_on(request)

    service.faults["PutEvents"] = [*[wait_for_the_others] * CALLS_AT_A_TIME, pass_on]
    records = of_conversations(*(f"c-{at % 8}" for at in range(100)))
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        assert publish_at_once(records, events, pool) == set()
    said = [each for call in published(service) for each in call]
    assert len(said) == 100
    for id in {record.conversation_id for record in records}:
        order = [int(each["text"]) for each in said if each["conversationId"] == id]
        assert order == sorted(order)
    assert len(published(service)) <= 12


def test_a_call_whose_event_failed_holds_back_no_other_call(
    service: AwsService, events: Any
) -> None:
    def refuse(request: AwsHandler) -> None:
        first, *_ = request.body["Entries"]
        if json.loads(first["Detail"])["conversationId"] == "c-0":
            refusing("ThrottlingException")(request)
        else:
            pass_on(request)

    service.faults["PutEvents"] = [refuse]
    records = of_conversations(*["c-1", "c-0"] * 20)
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        assert publish_at_once(records, events, pool) == {"49600001"}
    calls = [call[0]["conversationId"] for call in published(service)]
    assert (calls.count("c-1"), len(calls)) == (2, 3)


@pytest.mark.parametrize("failed", [0, 4])
def test_the_first_and_the_last_entry_can_fail(
    failed: int, service: AwsService, events: Any
) -> None:
    service.faults["PutEvents"] = [partly(failed)]
    records = numbered(*map(str, range(5)))
    assert publish(records, events) == records[failed].number


@pytest.mark.parametrize(
    "fault",
    [
        refusing("ThrottlingException"),
        refusing("AccessDeniedException", 403),
        refusing("InternalException", 500),
        reset,
    ],
    ids=["throttled", "denied", "broken", "gone"],
)
def test_a_bus_that_refuses_a_call_gets_it_again_from_its_first_record(
    fault: AwsBehaviour, service: AwsService, events: Any
) -> None:
    service.faults["PutEvents"] = [pass_on, fault]
    records = numbered(*map(str, range(15)))
    assert publish(records, events) == records[10].number


@pytest.mark.usefixtures("deployed")
def test_lambda_is_told_where_to_begin_again(service: AwsService) -> None:
    service.faults["PutEvents"] = [partly(1)]
    records = [record(f"49{at}", image(body_of(at))) for at in range(3)]
    answer = publish_utterance.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "491"}]}


@pytest.mark.usefixtures("deployed")
def test_a_record_that_is_no_utterance_is_named_and_holds_back_only_what_is_behind_it(
    service: AwsService, caplog: pytest.LogCaptureFixture
) -> None:
    broken = image(body_of(1, "secret words"))
    del broken["receivedAt"]
    records = [
        record("10", image(body_of(0, "before"))),
        record("11", broken),
        record("12", image(body_of(2, "after"))),
    ]
    answer = publish_utterance.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "11"}]}
    assert texts(service) == [["before"]]
    (line,) = caplog.records
    named = {key: broken[key]["S"] for key in ("conversationId", "item")}
    assert {key: getattr(line, key) for key in named} == named
    assert (line.sequenceNumber, line.problem) == ("11", "KeyError")  # type: ignore[attr-defined]
    assert "secret words" not in str(vars(line))
