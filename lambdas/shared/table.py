"""The table's keys and DynamoDB's way to write values.

The template of the table reads the names in capitals from this file.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Collection, Mapping
from typing import Any

Attribute = dict[str, Any]

CONVERSATION_ID, ITEM = "conversationId", "item"
"""Partition key and sort key. An item is ``conversation``, ``contact``, ``stream#<stream id>``,
``utterance#<stream id>#<start>#<digest>`` if the webhook brought it, or
``utterance#<source>#<message id>`` if it was recovered."""
UTTERANCE = "utterance#"
"""The first characters of each utterance's sort key. New items with it go to the event bus, and so
does each change of a ``CONVERSATION``."""
CONVERSATION = "conversation"
"""The sort key of a call."""
EXPIRES_AT = "expiresAt"
"""When DynamoDB may delete the item, in seconds since 1970."""

ERASED_AT = "erasedAt"
"""In the item ``conversation`` of a call that was erased, in seconds since 1970: its *tombstone*.
Until it expires nothing brings the call back."""
ERASURE = "erasure"
"""In a tombstone: the id of the erasure, which names its receipt. That of a leg has none."""
ERASING = "erasing"
"""The sort key of an erasure that is under way, in the partition of its call or customer."""
OF_CALL = "call#"
"""The first characters of the sort key, before a conversation's id, of what points to a call."""
HELD_BY, HELD_AT = "heldBy", "heldAt"
"""In the item ``conversation`` of a call under legal hold: the ARN of who holds it, and since when,
in milliseconds since 1970. None of its items expires then, and it cannot be erased."""
HOLDS = "#holds"
"""The partition that lists the holds, each as an item ``hold#<conversation>``. It is no id of a
contact."""
HOLD = "hold#"
"""The first characters of their sort key: a message may be posted under any id, also this one."""

ENDED = "ended"
"""The ``state`` of a conversation whose call is over."""

RECONCILE_INDEX = "Reconcile"
"""Holds the conversations that reconciliation must look at, by when that is due."""
RECONCILE, RECONCILE_AT = "reconcile", "reconcileAt"
"""The index's partition key, and its sort key in milliseconds since 1970. A conversation without
them is not in the index."""
LONGEST_SILENCE_MS = 4 * 3_600_000
"""A call of which nothing is seen for so long is taken to be over."""
IN_PROGRESS, PENDING, BATCH = "in progress", "pending", "batch"
"""What a conversation in the index waits for: its end, a look by GET messages, or a day of the
export. While it waits for its end, its time is that of its last change."""
ERASE = "erase"
"""What waits in the index to be erased: an erasure that goes on, or a call of which words came
after it was erased."""
_SHARDS = 8
"""60 new calls a second change their places some eight times each, at two write units: 960 of the
1,000 that one key of DynamoDB takes."""


QUARANTINED = "quarantined"
"""The ``completeness`` of a conversation whose comparison has failed again and again: nobody looks
at it any more until somebody asks for it."""
_QUARTER_OF_AN_HOUR_MS = 15 * 60_000


def pause_before_late_look_ms(before: int) -> int:
    """How long a late utterance waits until its conversation is compared again: the more have come
    late before, the longer, so that nobody uses up ASAPP's limits by posting more of them."""
    return _QUARTER_OF_AN_HOUR_MS * int(2 ** min(before, 7) - 1)


def reconcile_key(waits_for: str, conversation_id: str) -> str:
    """The index's partition key of a conversation: one of :func:`reconcile_keys`.

    :param waits_for: ``IN_PROGRESS``, ``PENDING`` or ``BATCH``.
    """
    return reconcile_keys(waits_for)[crc32(conversation_id.encode()) % _SHARDS]


def reconcile_keys(waits_for: str) -> list[str]:
    """All partition keys of the conversations that wait for this; a reader queries each.

    The first one has no number: so do the keys that an older version has written.
    """
    return [waits_for, *(f"{waits_for}#{shard}" for shard in range(1, _SHARDS))]


def item_key(conversation_id: str, item: str) -> dict[str, Attribute]:
    return attributes({CONVERSATION_ID: conversation_id, ITEM: item})


def conversation_key(conversation_id: str) -> dict[str, Attribute]:
    return item_key(conversation_id, CONVERSATION)


def stream_key(conversation_id: str, stream_id: str) -> dict[str, Attribute]:
    return item_key(conversation_id, f"stream#{stream_id}")


def contact_key(contact_id: str) -> dict[str, Attribute]:
    """The item of a contact whose conversation has another id."""
    return item_key(contact_id, "contact")


def attributes(values: Mapping[str, Any]) -> dict[str, Attribute]:
    """``{"a": "x", "b": 1}`` as DynamoDB writes it: ``{"a": {"S": "x"}, "b": {"N": "1"}}``."""
    return {name: _attribute(value) for name, value in values.items()}


def values(item: Mapping[str, Attribute]) -> dict[str, Any]:
    """The opposite of :func:`attributes`."""
    return {name: _value(attribute) for name, attribute in item.items()}


def is_expired(item: Mapping[str, Any], now_ms: int) -> bool:
    """Whether an item's time is over. DynamoDB deletes it within days; until then it is read, and
    a reader leaves it out.

    :param item: As :func:`values` gives it.
    """
    return EXPIRES_AT in item and bool(item[EXPIRES_AT] * 1000 < now_ms)


def day_partition(day: str) -> str:
    """The partition whose items ``call#<conversation>`` are erased calls: files of a day may have
    them.

    :param day: ``2026-11-23``.
    """
    return f"erased#{day}"


def customer_partition(digest: str) -> str:
    """The partition whose items ``call#<conversation>`` are the calls of a customer.

    :param digest: As :mod:`shared.calls.customers` makes it.
    """
    return f"customer#{digest}"


Condition = tuple[str, Mapping[str, Any]]
EXISTS: Condition = (f"attribute_exists({CONVERSATION_ID})", {})


def equal(values: Mapping[str, Any]) -> Condition:
    """The condition that attributes still have these values."""
    used = {f"#{name}": name for name in values}
    used |= {f":seen_{name}": value for name, value in values.items()}
    return " AND ".join(f"#{name} = :seen_{name}" for name in values), used


def query(table_name: str, partition: str, names: Collection[str]) -> dict[str, Any]:
    """A query for all items of a partition, as they are at this moment.

    :param names: Of the attributes that are given.
    """
    return {
        "TableName": table_name,
        "KeyConditionExpression": f"{CONVERSATION_ID} = :id",
        "ExpressionAttributeValues": attributes({":id": partition}),
        "ProjectionExpression": ", ".join(f"#{name}" for name in names),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ConsistentRead": True,
    }


def update(
    table_name: str,
    key: Mapping[str, Attribute],
    changes: Mapping[str, Any],
    additions: Mapping[str, Any] | None = None,
    *,
    first: Mapping[str, Any] | None = None,
    condition: Condition | None = None,
) -> dict[str, Any]:
    """An update that sets ``changes``, adds ``additions``, and sets ``first`` only once."""
    first, additions = first or {}, additions or {}
    sets = [f"#{name} = :{name}" for name in changes]
    sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
    adds = [f"#{name} :{name}" for name in additions]
    given = {**changes, **first, **additions}
    names = {f"#{name}": name for name in given}
    filled = {f":{name}": value for name, value in given.items()}
    request: dict[str, Any] = {
        "TableName": table_name,
        "Key": dict(key),
        "UpdateExpression": " ".join(
            f"{action} {', '.join(parts)}"
            for action, parts in (("SET", sets), ("ADD", adds))
            if parts
        ),
    }
    if condition:
        request["ConditionExpression"], used = condition
        names |= {name: value for name, value in used.items() if name.startswith("#")}
        filled |= {name: value for name, value in used.items() if name.startswith(":")}
    request["ExpressionAttributeNames"] = names
    request["ExpressionAttributeValues"] = attributes(filled)
    return request


def _attribute(value: Any) -> Attribute:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"N": str(value)}
    if isinstance(value, (set, frozenset)):
        return {"SS": sorted(value)}
    if isinstance(value, str):
        return {"S": value}
    raise TypeError(f"{type(value).__name__} has no place in the table")


def _value(attribute: Attribute) -> Any:
    ((kind, value),) = attribute.items()
    return int(value) if kind == "N" else set(value) if kind == "SS" else value
