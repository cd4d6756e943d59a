"""Random histories of calls, of which one is erased at a random moment and everything comes again
afterwards: no byte of it is left in any store, and no other call has lost one. One that is held
outlasts its time, and is gone once that is lifted."""

from __future__ import annotations

import copy
import json
import random

from publish_live.handler import messages
from tests.unit.erasure.fakes import DynamoDb, Killer
from tests.unit.erasure.stores import AGAIN, LATER, LEGAL, QUEUES, Call, Stores, contact_event
from tools.erase.restored import erase_restored


def play(seed: int, calls: int = 3, steps: int = 14) -> Stores:
    """:raises AssertionError: if something of the erased call is left, or something of another
    is not there."""
    chance = random.Random(seed)  # noqa: S311
    stores = Stores.in_process()
    some = [Call(number, utterances=chance.randint(1, 5)) for number in range(calls)]
    erased, *others = some
    began = stores.clock.now_ms() - chance.randint(1, 72) * 1_800_000
    for call in some:
        call.began_ms = began + chance.randint(0, 600_000)
        stores.start(call)

    def come(call: Call) -> None:
        at = chance.randrange(len(call.texts))
        kinds = ["webhook", "twice", "recovered", "leg", "dead", "export", "state", "event"]
        what = chance.choice(kinds)
        if what == "webhook":
            stores.post(call.message(at))
        elif what == "twice":
            stores.post(call.message(at))
            stores.stream()
            stores.post(call.message(at))
        elif what == "leg":
            stores.post(call.message(at).replace(f'"{call.id}"', f'"{call.leg}"'))
        elif what == "recovered":
            stores.recover(call, at)
        elif what == "dead":
            stores.dead(chance.choice(["DeadLetters", "Unpublished"]), call.message(at))
        elif what == "event":
            stores.dead("ContactEventDeadLetters", contact_event(call.leg, call.id))
        elif chance.random() < 0.5:
            stores.look(call) if stores.has(call.id, "version") else None
        else:
            name = f"file{chance.randint(1, 3)}.json"
            both = chance.sample(some, chance.randint(1, calls))
            stores.clock.advance(1)  # no two nights of the export end at the same moment
            day = stores.export(both, name, by_id_only=what == "state")
            stores.ask({"exported": day})
            stores.notice_deletions()

    for _ in range(chance.randint(0, steps)):
        come(chance.choice(some))
        if chance.random() < 0.3:
            stores.stream()
    held = others[0]
    stores.hold(held)
    if chance.random() < 0.3:
        stores.hold(erased)
        for asked in ({"customer": erased.customer}, {"contact": erased.leg}):
            refused = {"state": "refused", "reason": "held", "heldBy": LEGAL}
            assert stores.ask(asked) == refused, seed
        stores.hold(erased, "DELETE")
    backup = copy.deepcopy(stores.dynamodb.items)
    event = {"customer": erased.customer} if chance.random() < 0.3 else {"contact": erased.leg}
    assert stores.ask(event)["state"] == "erasing", seed
    said = _published(stores, erased)
    waiting = [body for queue in QUEUES for body in stores.waiting(queue)]
    assert not any(f'"{erased.id}"' in body for body in waiting), seed
    for _ in range(chance.randint(0, steps)):  # everything comes again, also while it is erased
        come(erased)
        if chance.random() < 0.3:
            come(held)
        if chance.random() < 0.5:
            stores.minute(chance.choice([60, 300]))
    for _ in range(4):
        stores.minute(max(AGAIN, LATER))
    for _ in range(chance.randint(0, steps)):  # and long after its receipt
        come(erased)
        stores.minute(chance.choice([60, 86_400]))

    # What came into queues after the erasure waits to be redriven, and is erased then.
    for queue in ("DeadLetters", "Unpublished"):
        for body in stores.waiting(queue):
            if f'"{erased.id}"' in body:
                stores.redrive(queue, body)
    stores.drop("ContactEventDeadLetters", erased.leg)  # ids of the contact alone
    for _ in range(3):
        stores.minute(LATER)
    everything = stores.everything()
    assert [mark for mark in erased.marks if mark in everything] == [], seed
    assert all(stores.has(call.id, "version") for call in others), seed
    for call in others:
        assert call.customer in everything, seed
    assert len(stores.objects(stores.receipts)) == 2, seed

    assert _published(stores, erased) == said, seed
    _check_told(stores, erased, others, seed)

    # A backup from before is restored, and the tombstones are applied.
    restored = DynamoDb(Killer())
    restored.items = copy.deepcopy(backup)
    _check_restored(stores, restored, erased, others, seed)
    lost = DynamoDb(Killer())
    restored.items = copy.deepcopy(backup)
    stores_without_table = copy.copy(stores)
    stores_without_table.dynamodb = lost
    _check_restored(stores_without_table, restored, erased, others, seed)

    # What is not held expires, and nothing of what is held.
    before = _spoken(stores, held)
    stores.expire()
    assert _spoken(stores, held) == before, seed
    assert not any(stores.has(call.id, "version") for call in others[1:]), seed
    stores.hold(held, "DELETE")
    stores.expire()
    assert stores.items() == [], seed
    return stores


def _published(stores: Stores, call: Call) -> int:
    """How many of its utterances the bus has had."""
    of = (each["conversationId"] for each in stores.bus.of("Utterance"))
    return sum(1 for conversation_id in of if conversation_id in (call.id, call.leg))


def _check_told(stores: Stores, erased: Call, others: list[Call], seed: int) -> None:
    """Other teams are told once that the call was erased, and no screen shows it any more."""
    told = stores.bus.of("ConversationErased")
    ((key, _), _) = stores.objects(stores.receipts).items()
    receipt = key.removeprefix("receipts/").removesuffix(".json")
    assert {(e["conversationId"], e["erasure"]) for e in told} == {(erased.id, receipt)}, seed
    assert len({each["id"] for each in told}) == 1, seed
    shown: dict[tuple[str, str], list[str]] = {}
    for each in stores.bus.events:
        event = {"detail-type": each["type"], "detail": each["detail"]}
        for channel, message in messages(event, now_ms=0):  # the list shows them, however old
            screen = shown.setdefault((channel, message["conversationId"]), [])
            if message["type"] == "erased":
                screen.clear()
            else:
                screen.append(json.dumps(message))
    left = [each for (_, id), screen in shown.items() if id == erased.id for each in screen]
    assert left == [], seed
    for call in others:
        assert all(screen for (_, id), screen in shown.items() if id == call.id), seed


def _spoken(stores: Stores, call: Call) -> list[tuple[str, str, str]]:
    """The call's items, with their words."""
    return [
        (item["conversationId"], item["item"], item.get("text", ""))
        for item in stores.items()
        if item["conversationId"] in (call.id, call.leg)
    ]


def _check_restored(
    stores: Stores, restored: DynamoDb, erased: Call, others: list[Call], seed: int
) -> None:
    both = Both(stores.dynamodb, restored)
    before = {key: item for key, item in restored.items.items() if _is_of(key, others)}
    erase_restored(both, stores.s3, "table", "restored", stores.receipts)
    text = str(restored.items)
    assert [mark for mark in erased.marks if mark in text] == [], seed
    after = {key: item for key, item in restored.items.items() if _is_of(key, others)}
    assert after == before, seed


def _is_of(key: tuple[str, str], calls: list[Call]) -> bool:
    return any(key[0] in (call.id, call.leg) or key[1] == f"call#{call.id}" for call in calls)


class Both:
    """A client of the table and of the restored one, told apart by their names."""

    def __init__(self, live: DynamoDb, restored: DynamoDb) -> None:
        self._of = {"table": live, "restored": restored}

    def put_item(self, TableName: str, **asked: object) -> object:
        return self._of[TableName].put_item(**asked)  # type: ignore[arg-type]

    def batch_write_item(self, RequestItems: dict[str, object]) -> object:
        (name,) = RequestItems
        return self._of[name].batch_write_item(RequestItems=RequestItems)

    def get_paginator(self, operation: str) -> object:
        both = self

        class Paginator:
            def paginate(self, TableName: str, **asked: object) -> object:
                return both._of[TableName].get_paginator(operation).paginate(**asked)

        return Paginator()
