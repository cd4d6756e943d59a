"""A table that speaks DynamoDB's JSON protocol in memory, with DynamoDB's limits.

Its own work for a request does not grow with the number of conversations, so that what grows is the
functions' work. It knows what the functions use; anything else is an error here.
Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from shared.table import CONVERSATION_ID, ITEM, RECONCILE, RECONCILE_AT

Json = dict[str, Any]
Item = dict[str, dict[str, Any]]

WRITES_A_CALL, READS_A_CALL = 25, 100
PAGE_BYTES, ITEM_BYTES, CALL_BYTES = 1024**2, 400 * 1024, 16 * 1024**2
_TOKEN = re.compile(r"\s*(AND|OR|attribute_exists|attribute_not_exists|<=|>=|[#:]?\w+|[()=<>,])")
_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)")
_ASSIGNED = re.compile(r"(#\w+) = (?:if_not_exists\(#\w+, (:\w+)\)|(:\w+))")


class Refused(Exception):
    """The request is refused, with AWS's code."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Table:
    """
    :param said: The utterances of a conversation, which are made when they are read: a day of calls
        needs no memory.
    """

    def __init__(self, said: Callable[[str], Iterable[Item]] = lambda _: ()) -> None:
        self._said = said
        self._items: dict[str, dict[str, Item]] = defaultdict(dict)
        self._index: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def put(self, item: Item) -> None:
        conversation_id, name = item[CONVERSATION_ID]["S"], item[ITEM]["S"]
        self._forget(self._items[conversation_id].get(name))
        self._items[conversation_id][name] = item
        if place := _place(item):
            insort(self._index[place[0]], place[1])

    def _forget(self, item: Item | None) -> None:
        if item and (place := _place(item)):
            entries = self._index[place[0]]
            del entries[bisect_left(entries, place[1])]

    def of(self, conversation_id: str) -> list[Item]:
        """A conversation's items, by their sort key."""
        said = {item[ITEM]["S"]: item for item in self._said(conversation_id)}
        return [item for _, item in sorted((said | self._items[conversation_id]).items())]

    def answer(self, operation: str, asked: Json) -> Json:
        """:raises Refused: As DynamoDB does."""
        match operation:
            case "BatchWriteItem":
                return self._batch_write(asked)
            case "BatchGetItem":
                return self._batch_get(asked)
            case "Query":
                return self._query(asked)
            case "UpdateItem":
                return self._update(asked)
        raise NotImplementedError(operation)

    def _batch_write(self, asked: Json) -> Json:
        ((_, writes),) = asked["RequestItems"].items()
        keys = [_key(each["PutRequest"]["Item"]) for each in writes]
        sizes = [size(each["PutRequest"]["Item"]) for each in writes]
        if not 1 <= len(writes) <= WRITES_A_CALL or len({*keys}) < len(keys):
            raise Refused("ValidationException", "too many items, or one twice")
        if max(sizes) > ITEM_BYTES or sum(sizes) > CALL_BYTES:
            raise Refused("ValidationException", "an item or the request is too large")
        for each in writes:
            self.put(each["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def _batch_get(self, asked: Json) -> Json:
        ((table, wanted),) = asked["RequestItems"].items()
        keys = wanted["Keys"]
        if not 1 <= len(keys) <= READS_A_CALL or len({*map(_key, keys)}) < len(keys):
            raise Refused("ValidationException", "too many keys, or one twice")
        found: list[Item] = []
        total = 0
        for at, key in enumerate(keys):
            conversation_id, name = _key(key)
            if item := self._items[conversation_id].get(name):
                total += size(item)
                if total > CALL_BYTES:
                    left = {table: wanted | {"Keys": keys[at:]}}
                    return {"Responses": {table: found}, "UnprocessedKeys": left}
                found.append(_projected(item, wanted))
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _query(self, asked: Json) -> Json:
        values = asked["ExpressionAttributeValues"]
        if "IndexName" in asked:
            items: Iterator[Item] = self._in_index(asked)
        else:
            items = iter(self.of(values[":id"]["S"]))
            if start := asked.get("ExclusiveStartKey"):
                items = (item for item in items if item[ITEM]["S"] > start[ITEM]["S"])
        page: list[Item] = []
        total = 0
        for item in items:
            total += size(item)
            page.append(item)
            if total > PAGE_BYTES or len(page) == asked.get("Limit"):
                break
        last = next(items, None) and page[-1]
        answer: Json = {"Count": len(page), "ScannedCount": len(page)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = [_projected(item, asked) for item in page]
        if last:
            names = (CONVERSATION_ID, ITEM, RECONCILE, RECONCILE_AT)
            answer["LastEvaluatedKey"] = {name: last[name] for name in names if name in last}
        return answer

    def _in_index(self, asked: Json) -> Iterator[Item]:
        values = asked["ExpressionAttributeValues"]
        entries = self._index[values[":key"]["S"]]
        first, last = 0, len(entries)
        if until := values.get(":until"):
            last = bisect_right(entries, (int(until["N"]), "\U0010ffff"))
        if since := values.get(":since"):
            first = bisect_left(entries, (int(since["N"]), ""))
        if start := asked.get("ExclusiveStartKey"):
            place = int(start[RECONCILE_AT]["N"]), start[CONVERSATION_ID]["S"]
            first = max(first, bisect_right(entries, place))
        for at in range(first, last):
            yield self._items[entries[at][1]]["conversation"]

    def _update(self, asked: Json) -> Json:
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        conversation_id, name = _key(asked["Key"])
        before = self._items[conversation_id].get(name)
        condition = asked.get("ConditionExpression")
        if condition and not _Condition(condition, names, values).holds(before or {}):
            raise Refused("ConditionalCheckFailedException")
        item = dict(before or asked["Key"])
        for clause, parts in _CLAUSE.findall(asked["UpdateExpression"]):
            if clause == "SET":
                for place, if_none, value in _ASSIGNED.findall(parts):
                    if value or names[place] not in item:
                        item[names[place]] = values[value or if_none]
            elif clause == "ADD":
                for place, value in (part.split() for part in parts.split(", ")):
                    had = item.get(names[place], {"N": "0"})["N"]
                    item[names[place]] = {"N": str(int(had) + int(values[value]["N"]))}
            else:
                for place in parts.split(", "):
                    item.pop(names[place], None)
        self.put(item)
        return {"Attributes": before} if before and asked.get("ReturnValues") == "ALL_OLD" else {}


class _Condition:
    """``a = :b AND (attribute_not_exists(#c) OR #c < :d)``: AND binds more than OR."""

    def __init__(self, text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self._tokens = _TOKEN.findall(text)
        self._names, self._values = names, values

    def holds(self, item: Item) -> bool:
        self._at = 0
        return self._any(item)

    def _next(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _sees(self, token: str) -> bool:
        seen = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += seen
        return seen

    def _any(self, item: Item) -> bool:
        held = self._all(item)
        while self._sees("OR"):
            held |= self._all(item)
        return held

    def _all(self, item: Item) -> bool:
        held = self._one(item)
        while self._sees("AND"):
            held &= self._one(item)
        return held

    def _one(self, item: Item) -> bool:
        token = self._next()
        if token == "(":
            held = self._any(item)
            self._next()
            return held
        if token.startswith("attribute_"):
            _, place, _ = self._next(), self._next(), self._next()
            return (self._names.get(place, place) in item) == (token == "attribute_exists")
        sign, value = self._next(), self._values[self._next()]
        had = item.get(self._names.get(token, token))
        if sign == "=":
            return bool(had == value)
        if sign == "<":
            return had is not None and int(had["N"]) < int(value["N"])
        raise NotImplementedError(sign)


def size(item: Item) -> int:
    """As DynamoDB counts it, about: names and values in bytes."""
    return sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())


_key: Callable[[Item], tuple[str, str]] = lambda item: (  # noqa: E731
    item[CONVERSATION_ID]["S"],
    item[ITEM]["S"],
)


def _place(item: Item) -> tuple[str, tuple[int, str]] | None:
    """Where the index has it."""
    if RECONCILE not in item:
        return None
    return item[RECONCILE]["S"], (int(item[RECONCILE_AT]["N"]), item[CONVERSATION_ID]["S"])


def _projected(item: Item, asked: Mapping[str, Any]) -> Item:
    names = asked.get("ExpressionAttributeNames")
    if not (names and asked.get("ProjectionExpression")):
        return item
    return {name: item[name] for name in names.values() if name in item}
