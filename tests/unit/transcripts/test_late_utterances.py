"""An utterance that comes after its conversation was compared has it compared again."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from publish_utterance import handler as publish_utterance
from shared.table import PENDING, attributes, reconcile_key
from tests.unit.transcripts.test_publish_utterance import deployed as deployed
from tests.unit.transcripts.test_publish_utterance import front as front
from tests.unit.transcripts.test_publish_utterance import image, published, record
from tests.unit.transcripts.test_publish_utterance import service as service
from tests.unit.transcripts.test_store_transcript import (
    AwsHandler,
    AwsService,
    body_of,
    client,
    good,
    pass_on,
    refusing,
    stored,
)


def publish(*bodies: str) -> dict[str, Any]:
    """The messages are new in the table."""
    records = [record(f"49{at:03d}", image(body)) for at, body in enumerate(bodies)]
    return publish_utterance.handler({"Records": records}, None)


def conversation(table_name: str, conversation_id: str = "c-1", **changes: Any) -> None:
    """What the other functions have written of a call that is over."""
    item = {"conversationId": conversation_id, "item": "conversation", "version": 3}
    item |= {"state": "ended", "completeness": "complete", "fromWebhook": 1}
    made = {"TableName": table_name, "Item": attributes(item | changes)}
    client("dynamodb", os.environ["AWS_ENDPOINT_URL"]).put_item(**made)


def marks(table_name: str) -> dict[str, Any]:
    (found,) = (
        item
        for item in stored(table_name)
        if (item["conversationId"], item["item"]) == ("c-1", "conversation")
    )
    names = ("reconcile", "reconcileAt", "late", "version", "completeness")
    return {name: found[name] for name in names if name in found}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.usefixtures("deployed")
def test_an_utterance_that_comes_after_the_comparison_has_the_call_compared_again(
    table_name: str,
) -> None:
    conversation(table_name)
    before = now_ms()
    publish(*good(3))
    found = marks(table_name)
    assert before <= found.pop("reconcileAt") <= now_ms()
    assert found == {
        "reconcile": reconcile_key(PENDING, "c-1"),
        "late": 1,
        "version": 3,
        "completeness": "complete",
    }


@pytest.mark.usefixtures("deployed")
def test_the_more_come_late_the_longer_the_next_comparison_waits(table_name: str) -> None:
    """Anyone with the webhook's secret can post late, and ASAPP's requests a day are limited."""
    for late, minutes in ((0, 0), (1, 15), (2, 45), (7, 1_905), (900, 1_905)):
        conversation(table_name, late=late)
        before = now_ms()
        publish(*good(1))
        due = marks(table_name)["reconcileAt"] - minutes * 60_000
        assert before <= due <= now_ms()


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("then", ["is finished by then", "waits again by then"])
def test_one_that_comes_while_the_call_is_compared_is_not_overlooked(
    then: str, table_name: str, service: AwsService
) -> None:
    """The run may have read the table before, and may write its result before or after."""
    conversation(table_name, reconcile="pending", reconcileAt=7, leasedUntil=now_ms() + 60_000)

    def finished(request: AwsHandler) -> None:
        if then == "is finished by then":
            conversation(table_name, leasedUntil=0)
        pass_on(request)

    service.faults["UpdateItem"] = [finished]
    publish(*good(1))
    found = marks(table_name)
    assert found["late"] == 1
    is_as_it_was = (found["reconcile"], found["reconcileAt"]) == ("pending", 7)
    assert is_as_it_was == (then == "waits again by then")


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    "changes",
    [
        {"reconcile": "pending", "reconcileAt": 7},
        {"reconcile": "batch#3", "reconcileAt": 7},
        {"reconcile": "pending", "reconcileAt": 7, "leasedUntil": 7},
        {"completeness": "quarantined"},
        {"expiresAt": 7},
    ],
    ids=["waits for it", "waits for the export", "a lease that is over", "quarantined", "expired"],
)
def test_a_call_that_is_compared_later_anyway_or_never_stays_as_it_is(
    changes: dict[str, Any], table_name: str, service: AwsService
) -> None:
    conversation(table_name, **changes)
    before = marks(table_name)
    publish(*good(1))
    assert marks(table_name) == before
    assert not service.bodies("UpdateItem")


@pytest.mark.usefixtures("deployed")
def test_an_utterance_of_a_call_that_nobody_has_seen_makes_no_call(table_name: str) -> None:
    publish(*good(2))
    assert stored(table_name) == []


@pytest.mark.usefixtures("deployed")
def test_what_a_comparison_has_recovered_has_nothing_compared_again(
    table_name: str, service: AwsService
) -> None:
    conversation(table_name)
    recovered = image(body_of(1)) | attributes({"source": "messages"})
    publish_utterance.handler({"Records": [record("1", recovered)]}, None)
    assert len(published(service)) == 1
    assert "late" not in marks(table_name)


@pytest.mark.usefixtures("deployed")
def test_only_late_ones_cost_a_call_more(table_name: str, service: AwsService) -> None:
    """A hundred utterances of a hundred calls: one is late."""
    conversation(table_name, "c-7")
    service.sent.clear()
    publish(*(body_of(1, externalConversationId=f"c-{at}") for at in range(100)))
    of_table = [operation for operation, _ in service.sent if operation != "PutEvents"]
    # Of the streams and of the conversations, a read each.
    assert sorted(of_table) == ["BatchGetItem", "BatchGetItem", "UpdateItem"]


@pytest.mark.usefixtures("deployed")
def test_a_call_that_could_not_be_opened_again_holds_back_no_event_and_is_opened_later(
    table_name: str, service: AwsService
) -> None:
    conversation(table_name)
    bodies = [body_of(1, externalConversationId="c-2"), *good(2)]
    service.faults["UpdateItem"] = [refusing("ThrottlingException")]
    assert publish(*bodies) == {"batchItemFailures": [{"itemIdentifier": "49001"}]}
    assert [len(call) for call in published(service)] == [3]
    service.faults.clear()
    assert publish(*bodies) == {"batchItemFailures": []}
    assert marks(table_name)["late"] == 1


@pytest.mark.usefixtures("deployed")
def test_a_table_that_cannot_be_read_holds_back_no_event(
    table_name: str, service: AwsService
) -> None:
    conversation(table_name)
    service.faults["BatchGetItem"] = [refusing("AccessDeniedException")]
    assert publish(*good(3)) == {"batchItemFailures": [{"itemIdentifier": "49000"}]}
    assert [len(call) for call in published(service)] == [3]
    service.faults.clear()
    assert publish(*good(3)) == {"batchItemFailures": []}
    assert marks(table_name)["late"] == 1
