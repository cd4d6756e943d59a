"""The holds of the table: which conversations are held, by whom, since when.

Each has an item of its own, in one partition, which is written first and says what is to be done:
``heldBy`` and ``heldAt``, and once it is lifted ``liftedBy`` and ``liftedAt``. Everything else
follows from it, may be repeated, and is repeated by the schedule. The item ``conversation`` has
``heldBy`` and ``heldAt`` too: an erasure looks there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from shared import table
from shared.aws.botocore_errors import error_code
from shared.runtime import Clock, Deadline
from shared.table import ERASED_AT, EXPIRES_AT, HELD_AT, HELD_BY, HOLD, HOLDS
from shared.transcripts.call import contacts_of

LIFTED_BY, LIFTED_AT = "liftedBy", "liftedAt"
ERASED = "erased"
"""Who has lifted a hold that came too late."""
KEPT = "expiresAtWithoutHold"
"""The ``expiresAt`` that the hold has taken from an item."""
_A_DAY_S = 86_400
_RECORD_S = 365 * _A_DAY_S
"""How long a hold is remembered after it was lifted."""


class Erased(Exception):
    """Nothing is left to hold."""


class NotDone(Exception):
    """Time is over. What is done stays done."""


@dataclass(frozen=True, slots=True)
class Hold:
    """:param held_at_ms: In milliseconds since 1970, as is ``lifted_at_ms``, which is 0 before."""

    conversation_id: str
    held_by: str
    held_at_ms: int
    lifted_by: str = ""
    lifted_at_ms: int = 0

    @property
    def is_lifted(self) -> bool:
        return self.lifted_at_ms > 0

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            table.CONVERSATION_ID: self.conversation_id,
            HELD_BY: self.held_by,
            HELD_AT: self.held_at_ms,
        }
        if self.is_lifted:
            said |= {LIFTED_BY: self.lifted_by, LIFTED_AT: self.lifted_at_ms}
        return said


class Holds:
    """:param dynamodb: A boto3 DynamoDB client."""

    def __init__(self, dynamodb: Any, table_name: str, clock: Clock) -> None:
        self._dynamodb, self._table, self._clock = dynamodb, table_name, clock

    def conversation_of(self, contact_id: str) -> str | None:
        """The conversation that a contact belongs to; None if nothing is known of it."""
        items = list(self._items(contact_id))
        legs = (item["legOf"] for item in items if item[table.ITEM] == "contact")
        return next(legs, contact_id) if items else None

    def begin(self, conversation_id: str, who: str) -> Hold:
        """Hold a conversation. If it is held already, that hold stays as it is.

        :raises Erased: if nothing is left of it.
        """
        if ERASED_AT in self._get(table.conversation_key(conversation_id)):
            raise Erased
        now = self._clock.now_ms()
        request = self._of(conversation_id)
        request |= {
            "UpdateExpression": f"SET {HELD_BY} = :who, {HELD_AT} = :now "
            f"REMOVE {LIFTED_BY}, {LIFTED_AT}, {EXPIRES_AT}",
            "ConditionExpression": f"(attribute_not_exists({HELD_AT}) "
            f"OR attribute_exists({LIFTED_AT}))",
            "ExpressionAttributeValues": table.attributes({":who": who, ":now": now}),
        }
        self._update(request)
        hold = self._read(conversation_id)
        assert hold  # noqa: S101 - it was written, or was there
        return hold

    def lift(self, conversation_id: str, who: str) -> Hold | None:
        """Lift a hold. If it is lifted twice, the first time counts.

        :returns: None if it was never held.
        """
        request = self._of(conversation_id)
        request |= {
            "UpdateExpression": f"SET {LIFTED_BY} = :who, {LIFTED_AT} = :now",
            "ConditionExpression": f"attribute_exists({HELD_AT}) "
            f"AND attribute_not_exists({LIFTED_AT})",
            "ExpressionAttributeValues": table.attributes(
                {":who": who, ":now": self._clock.now_ms()}
            ),
        }
        self._update(request)
        return self._read(conversation_id)

    def all(self) -> Iterator[Hold]:
        """The holds for which something may be left to do: not those that are lifted and done."""
        for item in self._items(HOLDS):
            if EXPIRES_AT not in item and (hold := _hold(item)):
                yield hold

    def apply(self, hold: Hold, deadline: Deadline) -> int:
        """Take the time to expire from each item of the conversation, or if the hold is lifted,
        give it back.

        If somebody lifts or begins the hold meanwhile, the last request decides.

        :returns: How many items it has.
        :raises Erased: if nothing is left to hold.
        :raises NotDone: if time is over.
        """
        while True:
            items = self._apply_once(hold, deadline)
            now = self._read(hold.conversation_id)
            if now is None or now == hold:
                return items
            hold = now

    def _apply_once(self, hold: Hold, deadline: Deadline) -> int:
        if not hold.is_lifted and not self._mark(hold):
            self._end(hold, {LIFTED_BY: ERASED, LIFTED_AT: self._clock.now_ms()})
            raise Erased
        count = 0
        for partition in self._partitions(hold.conversation_id):
            for item in self._items(partition):
                if not deadline.remaining():
                    raise NotDone
                count += 1
                self._restore_expiry(item) if hold.is_lifted else self._take_expiry(item)
        if hold.is_lifted:
            self._unmark(hold)
            self._end(hold)
        return count

    def _end(self, hold: Hold, changes: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Nothing is left to do, unless somebody holds or lifts meanwhile."""
        ends = {EXPIRES_AT: self._clock.now_ms() // 1000 + _RECORD_S, **changes}
        seen = {HELD_AT: hold.held_at_ms}
        is_lifted = {LIFTED_AT: hold.lifted_at_ms} if hold.is_lifted else {}
        condition, used = table.equal(seen | is_lifted)
        if not hold.is_lifted:
            condition += " AND attribute_not_exists(#liftedAt)"
        key = table.item_key(HOLDS, HOLD + hold.conversation_id)
        self._update(table.update(self._table, key, ends, condition=(condition, used)))

    def _partitions(self, conversation_id: str) -> Iterator[str]:
        yield conversation_id
        conversation = self._get(table.conversation_key(conversation_id))
        yield from sorted(contacts_of(conversation) - {conversation_id})

    def _mark(self, hold: Hold) -> bool:
        """From here on no erasure begins.

        :returns: False if the conversation was erased before.
        """
        request = self._request(table.conversation_key(hold.conversation_id))
        request |= {
            "UpdateExpression": f"SET {HELD_BY} = :who, {HELD_AT} = :at",
            "ConditionExpression": f"attribute_not_exists({ERASED_AT})",
            "ExpressionAttributeValues": table.attributes(
                {":who": hold.held_by, ":at": hold.held_at_ms}
            ),
        }
        return self._update(request)

    def _unmark(self, hold: Hold) -> None:
        request = self._request(table.conversation_key(hold.conversation_id))
        request |= {
            "UpdateExpression": f"REMOVE {HELD_BY}, {HELD_AT}",
            "ConditionExpression": f"{HELD_AT} = :at",
            "ExpressionAttributeValues": table.attributes({":at": hold.held_at_ms}),
        }
        self._update(request)

    def _take_expiry(self, item: Mapping[str, Any]) -> None:
        """If an item was written again under the hold, the hold keeps its new time."""
        if EXPIRES_AT not in item:
            return
        request = self._of_item(item)
        request |= {
            "UpdateExpression": f"SET {KEPT} = {EXPIRES_AT} REMOVE {EXPIRES_AT}",
            "ConditionExpression": f"attribute_exists({EXPIRES_AT}) "
            f"AND attribute_not_exists({ERASED_AT})",
        }
        self._update(request)

    def _restore_expiry(self, item: Mapping[str, Any]) -> None:
        """The time that it had, or a day from now."""
        if (EXPIRES_AT in item and KEPT not in item) or ERASED_AT in item:
            return
        a_day = self._clock.now_ms() // 1000 + _A_DAY_S
        request = self._of_item(item)
        request |= {
            "UpdateExpression": f"SET {EXPIRES_AT} = :at REMOVE {KEPT}",
            "ConditionExpression": f"attribute_exists({table.CONVERSATION_ID}) "
            f"AND attribute_not_exists({ERASED_AT})",
            "ExpressionAttributeValues": table.attributes(
                {":at": max(item.get(EXPIRES_AT, 0), item.get(KEPT, 0), a_day)}
            ),
        }
        self._update(request)

    def _read(self, conversation_id: str) -> Hold | None:
        return _hold(self._get(table.item_key(HOLDS, HOLD + conversation_id)))

    def _get(self, key: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return table.values(answer.get("Item", {}))

    def _items(self, partition: str) -> Iterator[dict[str, Any]]:
        """Without words: only what a hold is about."""
        names = (
            *(table.ITEM, table.CONVERSATION_ID, EXPIRES_AT, ERASED_AT, KEPT, "legOf"),
            *(HELD_BY, HELD_AT, LIFTED_BY, LIFTED_AT),
        )
        pages = self._dynamodb.get_paginator("query").paginate(
            **table.query(self._table, partition, names)
        )
        for page in pages:
            yield from map(table.values, page["Items"])

    def _of(self, conversation_id: str) -> dict[str, Any]:
        return self._request(table.item_key(HOLDS, HOLD + conversation_id))

    def _of_item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return self._request(table.item_key(item[table.CONVERSATION_ID], item[table.ITEM]))

    def _request(self, key: Mapping[str, Any]) -> dict[str, Any]:
        return {"TableName": self._table, "Key": dict(key)}

    def _update(self, request: Mapping[str, Any]) -> bool:
        """Whether its condition held."""
        try:
            self._dynamodb.update_item(**request)
        except ClientError as problem:
            if error_code(problem) != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _hold(item: Mapping[str, Any]) -> Hold | None:
    name = str(item.get(table.ITEM, ""))
    if not name.startswith(HOLD) or HELD_AT not in item:
        return None
    return Hold(
        conversation_id=name.removeprefix(HOLD),
        held_by=item[HELD_BY],
        held_at_ms=item[HELD_AT],
        lifted_by=item.get(LIFTED_BY, ""),
        lifted_at_ms=item.get(LIFTED_AT, 0),
    )
