"""The table, as erasing reads and writes it.

An erasure that is under way is the item ``erasing`` of its call. It is in the index until it is
done, so a run that is killed is finished by another one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from erase_conversation.found_call import FoundCall, items_of, read_call
from shared import table
from shared.aws.batch_write import write_all
from shared.aws.botocore_errors import error_code
from shared.runtime import Clock
from shared.table import CONVERSATION, ERASE, ERASING, OF_CALL, RECONCILE, RECONCILE_AT

ASKED, ERASED, AGAIN, WAITS = 0, 1, 2, 3
"""The steps of an erasure: asked for; the tombstone is there; everything was deleted once, and is
looked for again; done, and waits for the other calls of its customer."""

LEASE_MS = 16 * 60_000
"""Longer than an invocation may take."""
AGAIN_AFTER_MS = 20 * 60_000
"""A comparison has a lease of 15 minutes, and may have begun before the tombstone."""
_IDS_AN_ITEM = 4_000
"""Message ids have up to 64 bytes, and an item 400 KB."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Erasing:
    """An erasure that is under way.

    :param partition: Of its item: the conversation's id, or that of the customer's partition.
    :param erasure: Its id, which names the receipt.
    :param of: The partition of the customer whose calls are erased together; ``""`` for none.
    :param running: What becomes of a call that goes on: ``refuse``, ``stop``, ``ended``.
    :param step: ``ASKED`` … ``WAITS``.
    :param erased_at_ms: When the tombstone was put there; 0 before.
    :param plan: What was there, in counts and ids; empty before it is made.
    :param customers: Digests of the customer's id.
    """

    partition: str
    erasure: str
    asked_at_ms: int
    of: str = ""
    running: str = "refuse"
    step: int = ASKED
    erased_at_ms: int = 0
    plan: Mapping[str, Any] = field(default_factory=dict)
    customers: frozenset[str] = frozenset()

    @property
    def legs(self) -> frozenset[str]:
        return frozenset(self.plan.get("legs", ()))

    @property
    def ids(self) -> frozenset[str]:
        """By which its messages are told: the conversation's and those of its contacts."""
        return self.legs | {self.partition}

    @property
    def days(self) -> tuple[str, ...]:
        return tuple(self.plan.get("days", ()))


@dataclass(frozen=True, slots=True)
class Due:
    """What is due, and since when, as the index has it."""

    partition: str
    item: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DayEntry:
    """An erased call that the files of a day may have.

    :param messages: ASAPP's ids of its utterances, as far as they are known.
    :param scanned_ms: The files of the day were searched for them after this moment.
    :param cleared_ms: The call was taken out of the files of the day after this moment.
    :param days: All days of the call.
    """

    day: str
    conversation_id: str
    messages: frozenset[str] = frozenset()
    scanned_ms: int = 0
    cleared_ms: int = 0
    lines: int = 0
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a run has come that ran out of time in the files of a day.

    :param since_ms: As of the run.
    :param key: The last file that it has done.
    :param lines: How many lines of the call it has found.
    """

    since_ms: int
    key: str
    lines: int


class Records:
    """:param dynamodb: A boto3 DynamoDB client.
    :param keep_seconds: How long a tombstone is kept.
    """

    def __init__(self, dynamodb: Any, table_name: str, keep_seconds: int, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table_name
        self._keep = keep_seconds
        self._clock = clock

    def call(self, conversation_id: str) -> FoundCall:
        return read_call(self._dynamodb, self._table, conversation_id)

    def conversation_of(self, contact_id: str) -> str:
        """The conversation whose leg a contact is, or was before it was erased; else the id."""
        for name in (CONVERSATION, "contact"):
            if found := self._get(contact_id, name).get("legOf"):
                return str(found)
        return contact_id

    # --- the erasures ---

    def ask(self, asked: Erasing) -> Erasing:
        """Write the erasure down, due now.

        :returns: The one that is under way already, if there is one.
        """
        item = _to_item(asked) | {
            RECONCILE: ERASE,
            RECONCILE_AT: asked.asked_at_ms,
            table.EXPIRES_AT: self._expires(),
        }
        condition: table.Condition = (f"attribute_not_exists({table.CONVERSATION_ID})", {})
        if self._put(asked.partition, ERASING, item, condition):
            return asked
        return self.erasing(asked.partition) or asked

    def erasing(self, partition: str) -> Erasing | None:
        item = self._get(partition, ERASING)
        return _from_item(partition, item) if item else None

    def save(self, erasing: Erasing, due_at_ms: int | None) -> None:
        """:param due_at_ms: When it goes on; None takes it out of the index."""
        marks = {} if due_at_ms is None else {RECONCILE: ERASE, RECONCILE_AT: due_at_ms}
        expires = {table.EXPIRES_AT: self._expires()}
        self._put(erasing.partition, ERASING, _to_item(erasing) | marks | expires)

    def forget(self, partitions: Iterable[str]) -> None:
        """Delete the items of erasures that are done."""
        self.delete((partition, ERASING) for partition in partitions)

    def due(self, most: int) -> list[Due]:
        """What is due now, the earliest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=table.RECONCILE_INDEX,
            KeyConditionExpression=f"{RECONCILE} = :key AND {RECONCILE_AT} <= :now",
            ExpressionAttributeValues=table.attributes(
                {":key": ERASE, ":now": self._clock.now_ms()}
            ),
        )
        found: list[Due] = []
        for page in pages:
            for item in map(table.values, page["Items"]):
                found.append(Due(item[table.CONVERSATION_ID], item[table.ITEM], item[RECONCILE_AT]))
                if len(found) == most:
                    return found
        return found

    def claim(self, due: Due) -> dict[str, Any] | None:
        """Take the lease, unless another run has it.

        :returns: The item; None if it is another's, or done.
        """
        key = table.item_key(due.partition, due.item)
        changes = {RECONCILE_AT: self._clock.now_ms() + LEASE_MS}
        condition = (
            f"#{RECONCILE} = :erase AND #{RECONCILE_AT} = :seen",
            {f"#{RECONCILE}": RECONCILE, f"#{RECONCILE_AT}": RECONCILE_AT}
            | {":erase": ERASE, ":seen": due.at_ms},
        )
        request = table.update(self._table, key, changes, condition=condition)
        return self._update(request)

    def claimed(self, due: Due) -> Erasing | None:
        item = self.claim(due)
        return _from_item(due.partition, item) if item else None

    def release(self, due: Due, at_ms: int) -> None:
        """Give the lease back: it goes on at this moment, if it is still in the index.

        An erasure that got on meanwhile keeps its moment: that of the look after 20 minutes.
        """
        condition = f"#{RECONCILE} = :erase"
        used: dict[str, Any] = {f"#{RECONCILE}": RECONCILE, ":erase": ERASE}
        if due.item == ERASING:
            condition += " AND (#step <> :again OR #erased <= :before)"
            used |= {"#step": "step", ":again": AGAIN, "#erased": "erasedAtMs"}
            used[":before"] = due.at_ms - AGAIN_AFTER_MS
        key = table.item_key(due.partition, due.item)
        changes = {RECONCILE_AT: at_ms}
        self._update(table.update(self._table, key, changes, condition=(condition, used)))

    # --- tombstones ---

    def put_tombstone(self, call: FoundCall, erasing: Erasing) -> bool:
        """Put the tombstone in the place of the conversation.

        :returns: False if the conversation has changed since it was read, or is held.
        """
        no_one = "attribute_not_exists(#held)"
        names = {"#held": table.HELD_BY}
        if "version" in call.conversation:
            condition: table.Condition = (
                f"#version = :version AND {no_one}",
                {"#version": "version", ":version": call.conversation["version"], **names},
            )
        else:
            condition = (
                f"attribute_not_exists(#version) AND {no_one}",
                {"#version": "version", **names},
            )
        own = {table.ERASURE: erasing.erasure}
        erased_at_s = erasing.erased_at_ms // 1000
        return self._put(
            call.conversation_id, CONVERSATION, self._tombstone(erased_at_s) | own, condition
        )

    def put_leg_tombstones(self, erasing: Erasing) -> None:
        tombstone = self._tombstone(erasing.erased_at_ms // 1000)
        for leg in sorted(erasing.legs):
            self._put(leg, CONVERSATION, tombstone | {"legOf": erasing.partition})

    def empty(self, erasing: Erasing) -> None:
        """Delete all items of the call but its tombstones, until none is left."""
        for partition in sorted(erasing.ids):
            self.delete_words(partition)
        entry = f"{OF_CALL}{erasing.partition}"
        self.delete(
            (table.customer_partition(digest), entry) for digest in sorted(erasing.customers)
        )

    def delete_words(self, partition: str) -> None:
        while keys := [
            (partition, item[table.ITEM])
            for item in items_of(self._dynamodb, self._table, partition)
            if item[table.ITEM] not in (CONVERSATION, ERASING)
        ]:
            self.delete(keys)

    def late(self, conversation_id: str) -> int:
        """How often words came after the call was erased."""
        return int(self._get(conversation_id, CONVERSATION).get("late", 0))

    def take_out_of_index(self, conversation_id: str, late: int) -> bool:
        """:param late: As it was before the words were deleted.
        :returns: False if more have come since: it stays in the index.
        """
        key = table.conversation_key(conversation_id)
        names = {"#late": "late", "#reconcile": RECONCILE, "#at": RECONCILE_AT}
        request = {
            "TableName": self._table,
            "Key": key,
            "UpdateExpression": "REMOVE #late, #reconcile, #at",
            "ExpressionAttributeNames": names,
        }
        condition = f"{table.EXISTS[0]} AND attribute_not_exists(#late)"
        if late:
            condition = "#late = :late"
            request["ExpressionAttributeValues"] = table.attributes({":late": late})
        request["ConditionExpression"] = condition
        return self._update(request) is not None

    # --- days ---

    def enter_days(self, call: str, days: Sequence[str], messages: Collection[str]) -> None:
        """Note that the files of these days may have the call."""
        some = sorted(messages)
        parts = [some[at : at + _IDS_AN_ITEM] for at in range(0, len(some), _IDS_AN_ITEM)] or [[]]
        for day in days:
            for number, part in enumerate(parts):
                key = table.item_key(table.day_partition(day), _entry(call, number))
                firsts = {"call": call, "days": " ".join(days), table.EXPIRES_AT: self._expires()}
                added = {"messages": set(part)} if part else {}
                self._update(table.update(self._table, key, {}, added, first=firsts))

    def scanned(self, entry: DayEntry, lines: int, since_ms: int) -> None:
        """:param lines: How many the files of the day have of the call. The first count stays."""
        key = table.item_key(table.day_partition(entry.day), _entry(entry.conversation_id))
        first = {"lines": lines} if lines else None
        changes = {"scannedAt": since_ms}
        self._update(table.update(self._table, key, changes, first=first, condition=table.EXISTS))

    def cleared(self, entry: DayEntry, since_ms: int) -> None:
        key = table.item_key(table.day_partition(entry.day), _entry(entry.conversation_id))
        changes = {"clearedAt": since_ms}
        self._update(table.update(self._table, key, changes, condition=table.EXISTS))

    def entries(self, day: str) -> list[DayEntry]:
        """The erased calls that the files of a day may have."""
        now = self._clock.now_ms()
        found: dict[str, DayEntry] = {}
        for item in self._of_day(day, OF_CALL):
            if table.is_expired(item, now):
                continue
            call = str(item["call"])
            entry = found.get(call) or DayEntry(day, call)
            found[call] = replace(
                entry,
                messages=entry.messages | item.get("messages", set()),
                scanned_ms=max(entry.scanned_ms, item.get("scannedAt", 0)),
                cleared_ms=max(entry.cleared_ms, item.get("clearedAt", 0)),
                lines=max(entry.lines, item.get("lines", 0)),
                days=tuple(str(item["days"]).split()),
            )
        return list(found.values())

    def reached(self, day: str, why: str) -> dict[str, Reached]:
        """By call, how far a run has come that ran out of time.

        :param why: What it looked for.
        """
        return {
            str(item["call"]): Reached(item["since"], item["key"], item["lines"])
            for item in self._of_day(day, f"{why}#")
        }

    def keep_reached(self, day: str, why: str, reached: Mapping[str, Reached]) -> None:
        puts = [
            {
                "PutRequest": {
                    "Item": table.item_key(table.day_partition(day), f"{why}#{call}")
                    | table.attributes(
                        {"call": call, "since": each.since_ms, "key": each.key}
                        | {"lines": each.lines, table.EXPIRES_AT: self._expires()}
                    )
                }
            }
            for call, each in reached.items()
        ]
        write_all(self._dynamodb, self._table, puts, self._clock)

    def _of_day(self, day: str, begin: str) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{table.CONVERSATION_ID} = :day AND begins_with(#item, :begin)",
            ExpressionAttributeNames={"#item": table.ITEM},
            ExpressionAttributeValues=table.attributes(
                {":day": table.day_partition(day), ":begin": begin}
            ),
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(table.values, page["Items"])

    def announce(self, day: str) -> None:
        """New files of a day came: if an erased call may be in them, it is due to be looked
        through."""
        if not self.entries(day):
            return
        now = self._clock.now_ms()
        changes = {"announcedAt": now, RECONCILE: ERASE, RECONCILE_AT: now}
        key = table.item_key(table.day_partition(day), "announced")
        expires = {table.EXPIRES_AT: self._expires()}
        self._update(table.update(self._table, key, changes | expires))

    def looked_through(self, day: str, announced_ms: int) -> None:
        """Nothing of the day is due any more, unless it was announced again."""
        self._update(
            {
                "TableName": self._table,
                "Key": table.item_key(table.day_partition(day), "announced"),
                "UpdateExpression": "REMOVE #reconcile, #at",
                "ConditionExpression": "#announced = :announced",
                "ExpressionAttributeNames": {
                    "#reconcile": RECONCILE,
                    "#at": RECONCILE_AT,
                    "#announced": "announcedAt",
                },
                "ExpressionAttributeValues": table.attributes({":announced": announced_ms}),
            }
        )

    # --- customers ---

    def calls_of(self, digests: Iterable[str]) -> set[str]:
        """The calls of a customer that reconciliation has entered."""
        found: set[str] = set()
        for digest in digests:
            for item in items_of(self._dynamodb, self._table, table.customer_partition(digest)):
                if str(item[table.ITEM]).startswith(OF_CALL):
                    found.add(str(item[table.ITEM]).removeprefix(OF_CALL))
        return found

    def not_looked_at(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The conversations that wait for reconciliation, which may not have entered them yet."""
        query = self._dynamodb.get_paginator("query")
        for state in (table.IN_PROGRESS, table.PENDING, table.BATCH):
            for key in table.reconcile_keys(state):
                pages = query.paginate(
                    TableName=self._table,
                    IndexName=table.RECONCILE_INDEX,
                    KeyConditionExpression=f"{RECONCILE} = :key",
                    ExpressionAttributeValues=table.attributes({":key": key}),
                )
                for item in (table.values(each) for page in pages for each in page["Items"]):
                    conversation_id = item[table.CONVERSATION_ID]
                    yield conversation_id, self._get(conversation_id, CONVERSATION)

    def held(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The conversations that are or were held: they outlast the index of customers."""
        for item in items_of(self._dynamodb, self._table, table.HOLDS):
            if str(item[table.ITEM]).startswith(table.HOLD):
                conversation_id = str(item[table.ITEM]).removeprefix(table.HOLD)
                yield conversation_id, self._get(conversation_id, CONVERSATION)

    # --- requests ---

    def delete(self, keys: Iterable[tuple[str, str]]) -> None:
        deletes = [{"DeleteRequest": {"Key": table.item_key(*key)}} for key in keys]
        write_all(self._dynamodb, self._table, deletes, self._clock)

    def _tombstone(self, erased_at_s: int) -> dict[str, Any]:
        return {table.ERASED_AT: erased_at_s, table.EXPIRES_AT: erased_at_s + self._keep}

    def _expires(self) -> int:
        return self._clock.now_ms() // 1000 + self._keep + 2 * _DAY_S

    def _get(self, partition: str, item: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=table.item_key(partition, item), ConsistentRead=True
        )
        return table.values(answer.get("Item", {}))

    def _put(
        self,
        partition: str,
        item: str,
        content: Mapping[str, Any],
        condition: table.Condition | None = None,
    ) -> bool:
        """:returns: Whether the condition held."""
        key = {table.CONVERSATION_ID: partition, table.ITEM: item}
        request: dict[str, Any] = {
            "TableName": self._table,
            "Item": table.attributes({**content, **key}),
        }
        if condition:
            request["ConditionExpression"], used = condition
            names = {name: value for name, value in used.items() if name.startswith("#")}
            filled = {name: value for name, value in used.items() if name.startswith(":")}
            if names:
                request["ExpressionAttributeNames"] = names
            if filled:
                request["ExpressionAttributeValues"] = table.attributes(filled)
        try:
            self._dynamodb.put_item(**request)
        except ClientError as problem:
            if error_code(problem) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _update(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """:returns: The item as it is now; None if the condition failed."""
        try:
            answer = self._dynamodb.update_item(**request, ReturnValues="ALL_NEW")
        except ClientError as problem:
            if error_code(problem) != "ConditionalCheckFailedException":
                raise
            return None
        return table.values(answer.get("Attributes", {}))


def _entry(call: str, number: int = 0) -> str:
    return f"{OF_CALL}{call}" + (f"#{number:04d}" if number else "")


def _to_item(erasing: Erasing) -> dict[str, Any]:
    made = {
        table.ERASURE: erasing.erasure,
        "askedAt": erasing.asked_at_ms,
        "of": erasing.of,
        "running": erasing.running,
        "step": erasing.step,
        "erasedAtMs": erasing.erased_at_ms,
        "plan": json.dumps(erasing.plan),
    }
    return made | ({"customers": set(erasing.customers)} if erasing.customers else {})


def _from_item(partition: str, item: Mapping[str, Any]) -> Erasing:
    return Erasing(
        partition=partition,
        erasure=item[table.ERASURE],
        asked_at_ms=item["askedAt"],
        of=item["of"],
        running=item["running"],
        step=item["step"],
        erased_at_ms=item["erasedAtMs"],
        plan=json.loads(item["plan"]),
        customers=frozenset(item.get("customers", ())),
    )
