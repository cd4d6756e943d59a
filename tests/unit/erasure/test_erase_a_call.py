"""An erased call is gone from every store, and every other call is as it was."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ClientError

from erase_conversation.due import NotErased
from erase_conversation.receipt import checksum
from erase_conversation.records import Erasing
from shared.asapp.feeds import STATE, UTTERANCES
from tests.unit.erasure.fakes import refused
from tests.unit.erasure.stores import (
    AGAIN,
    KEEP_FILES_DAYS,
    LATER,
    Call,
    Stores,
    contact_event,
)


@pytest.mark.parametrize("where", ["stores", "on_moto"])
def test_an_erased_call_is_in_no_store_and_another_is_whole(
    where: str, request: pytest.FixtureRequest
) -> None:
    stores: Stores = request.getfixturevalue(where)
    call, other = Call(1), Call(2)
    for each in (call, other):
        stores.start(each)
        stores.look(each)
        stores.post(each.message(0), each.message(1))
        stores.recover(each, 2)
        stores.dead("DeadLetters", each.message(3))
        stores.dead("Unpublished", json.dumps({"detail": {"conversationId": each.id}}))
        stores.dead("ContactEventDeadLetters", contact_event(each.leg, each.id))
    day = stores.export([call, other])
    stores.export([call, other], "file2.json", by_id_only=True)
    stores.s3.put_object(Bucket=stores.bucket, Key="athena-results/1.csv", Body=b"secret words")
    stores.stream()
    before = stores.of_call(other)
    assert all(mark in stores.everything() for mark in call.marks)

    answer = stores.erase({"contact": call.leg})
    assert answer["state"] == "erasing"
    left = stores.everything()
    assert [mark for mark in call.marks if mark in left] == []
    assert stores.of_call(other) == before
    body, metadata = stores.file(UTTERANCES, day)
    assert body == b"".join(other.lines(UTTERANCES))
    assert metadata["source-size"] == str(len(b"".join(call.lines(UTTERANCES)) + body))
    assert stores.file(STATE, day, "file2.json")[0] == b"".join(other.lines(STATE, by_id_only=True))
    (told,) = {json.dumps(each) for each in stores.bus.of("ConversationErased")}
    assert json.loads(told)["conversationId"] == call.id
    receipt = stores.receipt()
    assert receipt["calls"] == [
        {
            "sha256OfId": hashlib.sha256(call.id.encode()).hexdigest(),
            "legs": 1,
            "days": receipt["calls"][0]["days"],
            "counts": {
                "utterances": 3,
                "items": 7,
                "entries": 1,
                "exportedLines": 8,
                "messages": 3,
                "contactRecords": 0,
            },
        }
    ]
    assert {item["item"] for item in stores.items(call.id)} == {"conversation"}
    assert stores.ask({"contact": call.id})["state"] == "erased"


def test_a_dry_run_says_what_would_go_and_changes_nothing(stores: Stores) -> None:
    call, other = Call(1), Call(2)
    for each in (call, other):
        stores.start(each)
        stores.post(each.message(0), each.message(1))
        stores.dead("DeadLetters", each.message(3))
    day = stores.export([call, other])
    before = stores.everything()
    found = stores.ask({"contact": call.leg, "dryRun": True})
    assert found["state"] == "found"
    assert found["calls"] == [
        {
            "conversationId": call.id,
            "legs": [call.leg],
            "state": "ended",
            "items": 6,
            "utterances": 2,
            "streams": 2,
            "days": found["calls"][0]["days"],
        }
    ]
    assert len(found["calls"][0]["days"]) in (3, 4)
    assert day in found["calls"][0]["days"]
    assert found["messages"] == {"DeadLetters": 1, "Unpublished": 0, "ContactEventDeadLetters": 0}
    assert found["files"]["count"] == 2
    assert stores.everything() == before


def test_what_comes_later_is_erased_again_and_not_published(stores: Stores) -> None:
    call, other = Call(1), Call(2)
    stores.start(call)
    stores.start(other)
    stores.post(call.message(0))
    stores.stream()
    stores.erase({"contact": call.id})
    for at in range(2):
        stores.bus.events.clear()
        stores.post(call.message(1), other.message(at))  # a redrive, or a late message
        stores.recover(call, 2)
        stores.post(call.message(3).replace(f'"{call.id}"', f'"{call.leg}"'))
        stores.minute()
        assert [each["conversationId"] for each in stores.bus.of("Utterance")] == [other.id]
        stores.minute()
    assert [mark for mark in call.marks if mark in stores.everything()] == []
    for partition in (call.id, call.leg):
        assert [item["item"] for item in stores.items(partition)] == ["conversation"]
        assert "reconcile" not in stores.items(partition)[0]


def test_words_that_come_while_late_words_are_deleted_are_deleted_too(stores: Stores) -> None:
    call = Call(1)
    stores.start(call)
    stores.erase({"contact": call.id})
    stores.post(call.message(1))
    stores.stream()
    erasure = stores.erasure()
    (due,) = erasure.records.due(9)
    assert erasure.records.claim(due) is not None
    count = erasure.records.late(call.id)
    erasure.records.delete_words(call.id)
    stores.post(call.message(2))
    stores.stream()
    assert not erasure.records.take_out_of_index(call.id, count)
    stores.minute(LATER)
    assert call.texts[2] not in stores.everything()


def test_files_that_come_in_the_night_after_are_shortened(stores: Stores) -> None:
    call, other = Call(1), Call(2)
    stores.start(call)
    stores.start(other)
    stores.post(call.message(0))
    stores.erase({"contact": call.id})
    day = stores.day_of(call)
    stores.put_file(UTTERANCES, day, "f.json", b"".join(call.lines(UTTERANCES)))
    stores.ask({"exported": day})
    assert stores.file(UTTERANCES, day, "f.json")[0] == b""
    # Who spoke comes in a later night, without the conversation's id.
    content = [*call.lines(STATE, by_id_only=True), *other.lines(STATE, by_id_only=True)]
    stores.put_file(STATE, day, "f.json", b"".join(content))
    stores.clock.advance(4 * 3_600)
    stores.ask({"exported": day})
    kept, metadata = stores.file(STATE, day, "f.json")
    assert kept == b"".join(other.lines(STATE, by_id_only=True))
    assert metadata["source-size"] == str(len(b"".join(content)))
    assert stores.ask({"exported": "2020-01-01"}) == {"done": 0}


@pytest.mark.parametrize("where", ["stores", "on_moto"])
def test_a_file_that_was_shortened_goes_when_it_would_have_gone(
    where: str, request: pytest.FixtureRequest
) -> None:
    """S3 counts its days from the last change, and others' words would stay with each erasure."""
    stores: Stores = request.getfixturevalue(where)
    calls = [Call(number, began_ms=stores.clock.now_ms() - 86_400_000) for number in range(3)]
    for call in calls:
        stores.start(call)
    day = stores.export(calls)
    stores.put_file(UTTERANCES, day, "untouched.json", b"{}\n")
    stores.clock.advance(3_600)
    stores.erase({"contact": calls[0].id})
    first = stores.file(UTTERANCES, day)[1]["first-stored"]
    stores.erase({"contact": calls[1].id})
    content, metadata = stores.file(UTTERANCES, day)
    assert (content, metadata["first-stored"]) == (b"".join(calls[2].lines(UTTERANCES)), first)

    stores.clock.advance(86_400 * (KEEP_FILES_DAYS - 1))
    stores.ask({"exported": str(date.today())})
    assert stores.file(UTTERANCES, day)[0]
    stores.clock.advance(86_400)
    stores.ask({"exported": str(date.today())})
    for feed in (UTTERANCES, STATE):
        with pytest.raises(ClientError, match="NoSuchKey"):
            stores.file(feed, day)
    assert stores.file(UTTERANCES, day, "untouched.json"), "that is S3's to delete"


def test_a_file_that_is_replaced_while_it_is_shortened_is_shortened_again(stores: Stores) -> None:
    call, other = Call(1), Call(2)
    stores.start(call)
    stores.start(other)
    day = stores.export([call])
    new = b"".join([*other.lines(UTTERANCES), *call.lines(UTTERANCES)])
    put = stores.s3.put_object
    replaced: list[int] = []

    def put_object(**given: Any) -> Any:
        if given["Key"].startswith(UTTERANCES) and not replaced:
            replaced.append(1)
            stores.put_file(UTTERANCES, day, "file1.json", new)
        return put(**given)

    stores.s3.put_object = put_object
    stores.erase({"contact": call.id})
    assert stores.file(UTTERANCES, day)[0] == b"".join(other.lines(UTTERANCES))


def test_a_call_that_goes_on_is_refused_unless_it_is_asked_for(stores: Stores) -> None:
    call = Call(1)
    stores.start(call, state="streaming")
    stores.change(call.id, changedAt=stores.clock.now_ms())
    before = stores.everything()
    refused = stores.ask({"contact": call.id})
    assert refused == {"state": "refused", "reason": "running", "running": 1}
    assert stores.everything() == before


def test_a_call_that_goes_on_is_stopped_first_if_that_is_asked_for(stores: Stores) -> None:
    call = Call(1)
    stores.start(call, state="streaming", toldContactId="c-1-leg")
    stores.change(call.id, changedAt=stores.clock.now_ms())
    stores.stop.status = "unavailable"
    stores.ask({"contact": call.id, "running": "stop"})
    assert call.customer in stores.everything()
    stores.stop.status = "stopped"
    stores.minute(61)
    assert [each["ContactId"] for each in stores.stop.stops] == [call.leg] * 2
    assert call.customer not in stores.everything()


def test_a_call_that_goes_on_is_erased_at_its_end_if_that_is_asked_for(stores: Stores) -> None:
    call = Call(1)
    stores.start(call, state="streaming")
    stores.change(call.id, changedAt=stores.clock.now_ms())
    assert stores.ask({"contact": call.id, "running": "ended"})["state"] == "erasing"
    for _ in range(3):
        stores.post(call.message(0))
        stores.minute(61)
        assert call.customer in stores.everything()
    stores.change(call.id, state="ended", version=9)
    stores.minute(61)
    assert call.customer not in stores.everything()
    assert stores.stop.stops == []
    assert stores.ask({"contact": call.id})["step"] == 2


def test_a_held_call_is_refused_also_if_it_is_held_while_it_is_read(stores: Stores) -> None:
    call = Call(1)
    stores.start(call, heldBy="arn:aws:iam::111111111111:role/legal", heldAt=1)
    by = "arn:aws:iam::111111111111:role/legal"
    assert stores.ask({"contact": call.id}) == {"state": "refused", "reason": "held", "heldBy": by}
    stores.change(call.id, heldBy=None)
    put = stores.dynamodb.put_item

    def put_item(**given: Any) -> Any:
        if "erasedAt" in given["Item"]:
            stores.dynamodb.put_item = put
            stores.change(call.id, heldBy="arn:aws:iam::111111111111:role/legal")
        return put(**given)

    stores.dynamodb.put_item = put_item
    stores.ask({"contact": call.id})
    stores.minute(LATER)
    assert call.customer in stores.everything()
    assert [item["item"] for item in stores.items(call.id)][:1] == ["conversation"]
    assert stores.objects(stores.receipts) == {}


def test_a_call_that_the_table_has_forgotten_is_erased_from_the_files_of_its_day(
    stores: Stores,
) -> None:
    call, other = Call(1), Call(2)
    call.began_ms = other.began_ms = stores.clock.now_ms() - 60 * 86_400_000
    day = stores.export([call, other])
    assert stores.ask({"contact": call.id}) == {"state": "refused", "reason": "unknown"}
    stores.erase({"contact": call.id, "day": day})
    assert [mark for mark in call.marks if mark in stores.everything()] == []
    assert stores.file(UTTERANCES, day)[0] == b"".join(other.lines(UTTERANCES))
    assert stores.receipt()["calls"][0]["counts"]["exportedLines"] == 4


def test_a_call_of_which_only_recovered_words_are_left_is_erased_from_the_files_of_its_day(
    stores: Stores,
) -> None:
    """They were stored days after the call, and so are kept for longer than its own item."""
    call, other = Call(1), Call(2)
    call.began_ms = other.began_ms = stores.clock.now_ms() - 30 * 86_400_000
    stores.recover(call, 0)
    stores.recover(call, 1)
    stores.look(call)
    del stores.dynamodb.items[call.id, "conversation"]
    day = stores.export([call, other])
    found = stores.ask({"customer": call.customer, "dryRun": True})
    assert day in found["files"]["days"]
    stores.erase({"customer": call.customer})
    assert [mark for mark in call.marks if mark in stores.everything()] == []
    assert stores.file(UTTERANCES, day)[0] == b"".join(other.lines(UTTERANCES))
    assert stores.receipt()["calls"][0]["counts"]["exportedLines"] == 4


def test_a_recovered_word_with_a_wrong_moment_does_not_make_a_search_of_years(
    stores: Stores,
) -> None:
    call = Call(1)
    stores.start(call)
    before = stores.erasure().records.call(call.id).days
    stores.recover(call, 0)
    (item,) = (each for each in stores.items(call.id) if each["item"].startswith("utterance#"))
    stores.put(item | {"startedAt": 4_000_000_000_000, "endedAt": 0})
    assert len(stores.erasure().records.call(call.id).days) == len(before) + 3


def test_connect_erases_what_it_has_of_each_contact_once_that_has_ended(stores: Stores) -> None:
    call = Call(1)
    stores.start(call)
    asked: list[str] = []

    class Connect:
        goes_on = True

        def delete_contact_data(self, **given: Any) -> None:
            assert given.pop("ContactFields") == ["CUSTOMER_ENDPOINT"]
            asked.append(given["ContactId"])
            if self.goes_on and given["ContactId"] == call.leg:
                raise refused("ContactNotTerminatedException")

    connect = Connect()
    stores.erase({"contact": call.id}, contacts=connect)
    assert stores.objects(stores.receipts) == {}  # one contact goes on
    connect.goes_on = False
    stores.minute(AGAIN, contacts=connect)
    assert stores.receipt()["calls"][0]["counts"]["contactRecords"] == 2
    assert {*asked} == {call.id, call.leg}


def test_one_call_that_fails_holds_no_other_back(stores: Stores) -> None:
    calls = [Call(number) for number in range(3)]
    for call in calls:
        stores.start(call)
        stores.post(call.message(0))
    records = stores.erasure().records
    for call in calls:
        records.ask(Erasing(call.id, f"e-{call.id}", stores.clock.now_ms()))
    write = stores.dynamodb.batch_write_item

    def batch_write_item(RequestItems: Any) -> Any:
        if '"c-1"' in json.dumps(RequestItems):
            raise refused("InternalServerError")
        return write(RequestItems)

    stores.dynamodb.batch_write_item = batch_write_item
    with pytest.raises(NotErased, match="InternalServerError"):
        stores.ask({})
    left = stores.everything()
    assert [call.id for call in calls if call.customer in left] == []
    stores.dynamodb.batch_write_item = write
    for _ in range(3):
        stores.minute(AGAIN)
    assert {item["item"] for item in stores.items("c-1")} == {"conversation"}
    assert len(stores.objects(stores.receipts)) == 6


def test_the_receipt_has_no_personal_data_and_says_what_is_not_reached(stores: Stores) -> None:
    call = Call(1)
    stores.start(call)
    stores.post(call.message(0))
    stores.erase({"contact": call.id})
    receipt = stores.receipt()
    assert checksum(receipt) == receipt["checksum"]
    both = "".join(content.decode() for content in stores.objects(stores.receipts).values())
    assert [mark for mark in (*call.marks, f'{call.id}"', call.leg) if mark in both] == []
    assert "ASAPP" in json.dumps(receipt["notReached"])
    assert receipt["checksum"] in both.replace(json.dumps(receipt["checksum"]), "")
