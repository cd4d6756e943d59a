"""DynamoDB's JSON protocol in memory, as far as the functions use it.

It takes the requests that :func:`shared.aws.api.call` takes and raises the errors that it raises,
so that the tests run the real table code. It knows ``SET``, ``if_not_exists``, ``ADD`` of sets and
numbers, and conditions of equality and absence; anything else is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from shared.aws.api import AwsError
from shared.runtime import Deadline

Item = dict[str, dict[str, Any]]
_SET = re.compile(r"(#\w+) = (?:if_not_exists\((#\w+), (:\w+)\)|(:\w+))")
_ADD = re.compile(r"(#\w+) (:\w+)")
_EQUAL = re.compile(r"(#\w+) = (:\w+)")
_ABSENT = re.compile(r"attribute_not_exists\((#\w+)\)")


class FakeDynamoDb:
    """
    :param before: Called with the operation before each call. It may raise, or let time pass.
    :ivar calls: The operations so far.
    """

    def __init__(self, before: Callable[[str], None] = lambda _: None) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.calls: list[str] = []
        self._before = before

    def __call__(
        self, service: str, target: str, body: Mapping[str, Any], deadline: Deadline
    ) -> dict[str, Any]:
        assert service == "dynamodb"
        operation = target.rpartition(".")[2]
        self.calls.append(operation)
        self._before(operation)
        match operation:
            case "GetItem":
                item = self.items.get(_key(body))
                return {"Item": deepcopy(item)} if item else {}
            case "UpdateItem":
                if not self._holds(body):
                    raise AwsError(target, "ConditionalCheckFailedException", self._old(body))
                self._update(body)
                return {}
            case "TransactWriteItems":
                updates = [each["Update"] for each in body["TransactItems"]]
                assert len({_key(update) for update in updates}) == len(updates)
                reasons = [
                    {"Code": "None"}
                    if self._holds(update)
                    else {"Code": "ConditionalCheckFailed", **self._old(update)}
                    for update in updates
                ]
                if any(reason["Code"] != "None" for reason in reasons):
                    details = {"CancellationReasons": reasons}
                    raise AwsError(target, "TransactionCanceledException", details)
                for update in updates:
                    self._update(update)
                return {}
        raise NotImplementedError(operation)

    def item(self, conversation_id: str, item: str = "conversation") -> dict[str, Any]:
        """An item's values; empty if there is none."""
        found = self.items.get((conversation_id, item), {})
        return {name: next(iter(value.values())) for name, value in found.items()}

    def _old(self, update: Mapping[str, Any]) -> dict[str, Any]:
        item = self.items.get(_key(update))
        wants = update.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Item": deepcopy(item)} if item and wants else {}

    def _holds(self, update: Mapping[str, Any]) -> bool:
        item = self.items.get(_key(update), {})
        names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
        for part in filter(None, update.get("ConditionExpression", "").split(" AND ")):
            if equal := _EQUAL.fullmatch(part):
                if item.get(names[equal[1]]) != values[equal[2]]:
                    return False
            elif absent := _ABSENT.fullmatch(part):
                if names[absent[1]] in item:
                    return False
            else:
                raise NotImplementedError(part)
        return True

    def _update(self, update: Mapping[str, Any]) -> None:
        names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
        sets, _, adds = update["UpdateExpression"].removeprefix("SET ").partition(" ADD ")
        item = self.items.setdefault(_key(update), deepcopy(update["Key"]))
        for part in re.split(r", (?![^(]*\))", sets):
            found = _SET.fullmatch(part)
            assert found, part
            name = names[found[1]]
            if found[3]:
                item.setdefault(name, values[found[3]])
            else:
                item[name] = values[found[4]]
        for part in filter(None, adds.split(", ")):
            found = _ADD.fullmatch(part)
            assert found, part
            name, added = names[found[1]], values[found[2]]
            if "N" in added:
                item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(added["N"]))}
            else:
                item[name] = {"SS": sorted({*item.get(name, {"SS": []})["SS"], *added["SS"]})}


def _key(body: Mapping[str, Any]) -> tuple[str, str]:
    return body["Key"]["conversationId"]["S"], body["Key"]["item"]["S"]
