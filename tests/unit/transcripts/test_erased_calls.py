"""A call that was erased, and has a tombstone, is not brought back by what comes afterwards."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import pytest

from publish_utterance import handler as publish_utterance
from shared import table
from shared.transcripts.transcript import TranscriptReader
from tests.unit.calls.test_start_and_stop import start, stop
from tests.unit.conftest import Vendor, flow_event
from tests.unit.reconciliation.conftest import log as log
from tests.unit.reconciliation.conftest import world as world
from tests.unit.reconciliation.finished_calls import Call, World, texts
from tests.unit.transcripts.test_late_utterances import conversation, publish
from tests.unit.transcripts.test_publish_utterance import deployed as deployed
from tests.unit.transcripts.test_publish_utterance import front as front
from tests.unit.transcripts.test_publish_utterance import image, published, record
from tests.unit.transcripts.test_publish_utterance import service as service
from tests.unit.transcripts.test_store_transcript import AwsService, body_of, client, good, stored


def put(table_name: str, item: dict[str, Any]) -> None:
    dynamodb = client("dynamodb", os.environ["AWS_ENDPOINT_URL"])
    dynamodb.put_item(TableName=table_name, Item=table.attributes(item))


def erase(table_name: str, conversation_id: str = "c-1") -> dict[str, Any]:
    """As docs/data.md says: the tombstone in the place of the conversation."""
    now = int(time.time())
    tombstone = {"conversationId": conversation_id, "item": "conversation", "erasedAt": now}
    tombstone["expiresAt"] = now + 90 * 86_400
    put(table_name, tombstone)
    return tombstone


@pytest.mark.usefixtures("deployed")
def test_an_utterance_that_comes_later_is_not_published_and_other_calls_are(
    table_name: str, service: AwsService, caplog: pytest.LogCaptureFixture
) -> None:
    erase(table_name)
    conversation(table_name, "c-2", reconcile="pending", reconcileAt=7)
    other = body_of(1, externalConversationId="c-2")
    recovered = record("50", image(body_of(5)) | table.attributes({"source": "messages"}))
    assert publish(*good(2), other) == {"batchItemFailures": []}
    assert publish_utterance.handler({"Records": [recovered]}, None) == {"batchItemFailures": []}
    told = [each["conversationId"] for call in published(service) for each in call]
    assert told == ["c-2"]
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert {vars(each)["conversationId"] for each in warnings} == {"c-1"}


@pytest.mark.usefixtures("deployed")
def test_a_tombstone_of_no_erasure_is_no_event_and_an_utterance_has_it_erased_again(
    table_name: str, service: AwsService
) -> None:
    tombstone = erase(table_name)
    change = record("49", table.attributes(tombstone))
    assert publish_utterance.handler({"Records": [change]}, None) == {"batchItemFailures": []}
    publish(*good(1))
    assert published(service) == []
    (left,) = stored(table_name)
    assert left.pop("reconcileAt") >= tombstone["erasedAt"] * 1000
    assert left == tombstone | {"reconcile": "erase", "late": 1}


@pytest.mark.usefixtures("started_environment")
def test_no_flow_starts_it_again(vendor: Vendor, table_name: str) -> None:
    tombstone = erase(table_name)
    answer = start()
    assert (answer["status"], answer["reason"]) == ("rejected", "erased")
    assert stop()["status"] == "already_stopped"
    assert vendor.requests == []
    assert stored(table_name) == [tombstone]


@pytest.mark.usefixtures("started_environment")
def test_a_call_that_is_erased_while_it_goes_on_is_not_started_again(
    vendor: Vendor, table_name: str
) -> None:
    assert start()["status"] == "started"
    tombstone = erase(table_name)
    vendor.requests.clear()
    assert stop()["status"] == "already_stopped"
    assert start()["reason"] == "erased"
    assert start(flow_event("c-2"))["status"] == "started"
    left = [each for each in stored(table_name) if each["item"] == "conversation"]
    assert tombstone in left
    assert vendor.calls == ["start"]


def test_no_comparison_brings_it_back(world: World, vendor: Vendor) -> None:
    world.end(Call("c-1", texts(3)))
    tombstone = erase(world.name)
    assert world.run() == {"conversations": 0}
    assert world.ask("c-1")["completeness"] == "unknown"
    assert vendor.requests == []
    assert world.utterances("c-1") == []
    assert tombstone.items() <= world.conversation("c-1").items()


@pytest.mark.parametrize("of_a_leg", [False, True])
def test_nobody_reads_what_is_stored_afterwards(of_a_leg: bool, aws: str, table_name: str) -> None:
    reader = TranscriptReader(table_name, client("dynamodb", os.environ["AWS_ENDPOINT_URL"]))
    item = {
        name: value
        for name, value in table.values(image(body_of(1))).items()
        if name != "expiresAt"
    }
    put(table_name, item)
    assert reader.read("c-1") is not None
    erase(table_name)
    if of_a_leg:
        put(table_name, {"conversationId": "leg", "item": "contact", "legOf": "c-1"})
    assert reader.read("leg" if of_a_leg else "c-1") is None
