"""DynamoDB, S3 and SQS in this process, as far as erasing uses them, for histories of many calls.

``test_erase_a_call.py`` runs the same on moto's server, which speaks the real protocol: so these
are compared with it. A run can be killed at any call, before AWS has done it or after.
"""

from __future__ import annotations

import copy
import hashlib
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError

from tests.unit.held_clock import HeldClock

Method = TypeVar("Method", bound=Callable[..., Any])


class Killed(BaseException):
    """The process has ended: no line after it runs, and no call after it is made."""


class Killer:
    """Ends a run at its n-th call of AWS, before AWS has done it, or after.

    :ivar at: 0 for never.
    """

    def __init__(self) -> None:
        self.arm(0, done=False)

    def arm(self, at: int, *, done: bool) -> None:
        self.at, self.done, self.calls = at, done, 0

    def before(self) -> None:
        self.calls += 1
        if self.at and (self.calls > self.at or (self.calls == self.at and not self.done)):
            raise Killed

    def after(self) -> None:
        if self.at and self.done and self.calls >= self.at:
            raise Killed


class Fake:
    def __init__(self, killer: Killer) -> None:
        self.killer = killer

    def get_paginator(self, operation: str) -> Any:
        pages = getattr(self, f"{operation}_pages")

        def paginate(**asked: Any) -> Iterator[dict[str, Any]]:
            ahead = pages(**asked)
            while True:
                self.killer.before()
                page = next(ahead, None)
                self.killer.after()
                if page is None:
                    return
                yield page

        return type("Paginator", (), {"paginate": staticmethod(paginate)})


def call(method: Method) -> Method:
    @wraps(method)
    def killable(self: Any, *args: Any, **given: Any) -> Any:
        self.killer.before()
        answer = method(self, *args, **given)
        self.killer.after()
        return answer

    return cast(Method, killable)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "words of AWS"}}, "operation")


Item = dict[str, Any]
Key = tuple[str, str]


class Items(dict[Key, Item]):
    """By partition and sort key; those of a partition are found without looking at all."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions: dict[str, set[str]] = {}

    def __setitem__(self, key: Key, item: Item) -> None:
        super().__setitem__(key, item)
        self.partitions.setdefault(key[0], set()).add(key[1])

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self.partitions[key[0]].discard(key[1])

    def of(self, partition: str) -> list[Item]:
        return [self[partition, item] for item in sorted(self.partitions.get(partition, ()))]


class DynamoDb(Fake):
    """One table, with the index ``Reconcile``."""

    items_a_page = 7

    def __init__(self, killer: Killer) -> None:
        super().__init__(killer)
        self.items = Items()

    @call
    def get_item(self, Key: Item, **_: Any) -> dict[str, Any]:
        found = self.items.get(_key(Key))
        return {"Item": copy.deepcopy(found)} if found else {}

    @call
    def put_item(self, Item: Item, **asked: Any) -> dict[str, Any]:
        self._check(self.items.get(_key(Item), {}), asked)
        self.items[_key(Item)] = copy.deepcopy(Item)
        return {}

    @call
    def update_item(self, Key: Item, **asked: Any) -> dict[str, Any]:
        item = copy.deepcopy(self.items.get(_key(Key), {}))
        self._check(item, asked)
        item |= Key
        for action, parts in _actions(asked["UpdateExpression"]):
            for part in parts:
                self._change(action, part, item, asked)
        self.items[_key(Key)] = item
        return {"Attributes": copy.deepcopy(item)}

    @call
    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        for writes in RequestItems.values():
            assert 1 <= len(writes) <= 25
            for write in writes:
                if put := write.get("PutRequest"):
                    self.items[_key(put["Item"])] = copy.deepcopy(put["Item"])
                elif (key := _key(write["DeleteRequest"]["Key"])) in self.items:
                    del self.items[key]
        return {}

    @call
    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        found = {
            name: [self.items[_key(key)] for key in asked["Keys"] if _key(key) in self.items]
            for name, asked in RequestItems.items()
        }
        return {"Responses": copy.deepcopy(found)}

    def query_pages(self, **asked: Any) -> Iterator[dict[str, Any]]:
        conditions = asked["KeyConditionExpression"].split(" AND ")
        own, given = conditions[0].split(" = ")
        if _name(own, asked) == "conversationId":
            ahead = self.items.of(asked["ExpressionAttributeValues"][given]["S"])
        else:
            ahead = [item for _, item in sorted(self.items.items())]
        found = [
            copy.deepcopy(item)
            for item in ahead
            if all(_holds(each, item, asked) for each in conditions)
        ]
        for at in range(0, max(len(found), 1), self.items_a_page):
            yield {"Items": found[at : at + self.items_a_page]}

    def scan_pages(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """What is deleted while it is read was read, as DynamoDB may do it."""
        some = asked.get("FilterExpression", "")
        found = [item for item in self.items.values() if not some or _holds(some, item, asked)]
        yield {"Items": copy.deepcopy(found)}

    def _check(self, item: Item, asked: Mapping[str, Any]) -> None:
        conditions = asked.get("ConditionExpression", "").split(" AND ")
        if not all(_holds(each, item, asked) for each in conditions if each):
            raise refused("ConditionalCheckFailedException")

    def _change(self, action: str, part: str, item: Item, asked: Mapping[str, Any]) -> None:
        if action == "REMOVE":
            item.pop(_name(part, asked), None)
            return
        target, given = re.fullmatch(r"(\S+) (?:= )?(.+)", part).groups()  # type: ignore[union-attr]
        name = _name(target, asked)
        if found := re.fullmatch(r"if_not_exists\((\S+), (:\S+)\)", given):
            item.setdefault(name, asked["ExpressionAttributeValues"][found[2]])
            return
        value = asked.get("ExpressionAttributeValues", {}).get(given) or item[given]
        if action == "SET":
            item[name] = value
        elif "SS" in value:
            item[name] = {"SS": sorted({*item.get(name, {"SS": []})["SS"], *value["SS"]})}
        else:
            before = int(item.get(name, {"N": "0"})["N"])
            item[name] = {"N": str(before + int(value["N"]))}


def _key(item: Mapping[str, Any]) -> Key:
    return item["conversationId"]["S"], item["item"]["S"]


def _actions(expression: str) -> Iterator[tuple[str, list[str]]]:
    for action, parts in re.findall(
        r"(SET|ADD|REMOVE) (.+?)(?= (?:SET|ADD|REMOVE) |$)", expression
    ):
        yield action, re.split(r", (?![^(]*\))", parts)


def _name(target: str, asked: Mapping[str, Any]) -> str:
    return str(asked.get("ExpressionAttributeNames", {}).get(target, target))


def _holds(condition: str, item: Item, asked: Mapping[str, Any]) -> bool:
    values = asked.get("ExpressionAttributeValues", {})
    if condition.startswith("("):
        return any(_holds(each, item, asked) for each in condition[1:-1].split(" OR "))
    if found := re.fullmatch(r"attribute_(not_)?exists\((\S+)\)", condition):
        return (_name(found[2], asked) in item) != bool(found[1])
    if found := re.fullmatch(r"begins_with\((\S+), (:\S+)\)", condition):
        value = item.get(_name(found[1], asked), {"S": ""})["S"]
        return bool(value.startswith(values[found[2]]["S"]))
    found = re.fullmatch(r"(\S+) (=|<>|<=) (:\S+)", condition)
    assert found, condition
    value, other = item.get(_name(found[1], asked)), values[found[3]]
    if found[2] == "<>":
        return bool(value != other)
    if value is None:
        return False
    return bool(value == other if found[2] == "=" else int(value["N"]) <= int(other["N"]))


class S3(Fake):
    """Buckets of objects, with ETags of MD5."""

    def __init__(self, killer: Killer, clock: HeldClock) -> None:
        super().__init__(killer)
        self._clock = clock
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self._number = itertools.count(1)

    def store(self, Bucket: str, Key: str, Body: bytes, Metadata: Mapping[str, str]) -> None:
        etag = f'"{hashlib.md5(Body, usedforsecurity=False).hexdigest()}"'
        at = datetime.fromtimestamp(self._clock.now_ms() // 1000, UTC)
        made = {"Body": Body, "Metadata": dict(Metadata), "ETag": etag, "LastModified": at}
        self.stored[Bucket, Key] = made

    @call
    def put_object(self, Bucket: str, Key: str, Body: bytes, **given: Any) -> dict[str, Any]:
        self._check(Bucket, Key, given)
        self.store(Bucket, Key, Body, given.get("Metadata", {}))
        return {}

    @call
    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.stored:
            raise refused("NoSuchKey")
        found = self.stored[Bucket, Key]
        return {**found, "Body": io.BytesIO(found["Body"]), "ContentType": "binary/octet-stream"}

    @call
    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.stored:
            raise refused("404")
        return {name: it for name, it in self.stored[Bucket, Key].items() if name != "Body"}

    @call
    def delete_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.stored.pop((Bucket, Key), None)
        return {}

    @call
    def create_multipart_upload(self, Bucket: str, Key: str, **given: Any) -> dict[str, Any]:
        upload_id = f"upload-{next(self._number)}"
        self.uploads[upload_id] = {"parts": {}, "Metadata": given.get("Metadata", {})}
        return {"UploadId": upload_id}

    @call
    def upload_part(
        self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes
    ) -> dict[str, Any]:
        self.uploads[UploadId]["parts"][PartNumber] = Body
        return {"ETag": f"part-{PartNumber}"}

    @call
    def complete_multipart_upload(
        self, Bucket: str, Key: str, UploadId: str, **given: Any
    ) -> dict[str, Any]:
        self._check(Bucket, Key, given)
        made = self.uploads.pop(UploadId)
        pieces = [made["parts"][number] for number in sorted(made["parts"])]
        assert all(len(piece) >= 5 * 1024 * 1024 for piece in pieces[:-1])
        self.store(Bucket, Key, b"".join(pieces), made["Metadata"])
        return {}

    @call
    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> dict[str, Any]:
        self.uploads.pop(UploadId, None)
        return {}

    @call
    def delete_objects(self, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:
        for each in Delete["Objects"]:
            self.stored.pop((Bucket, each["Key"]), None)
        return {}

    def list_objects_v2_pages(self, Bucket: str, Prefix: str = "") -> Iterator[dict[str, Any]]:
        found = [
            {"Key": key, "Size": len(each["Body"])}
            for (bucket, key), each in sorted(self.stored.items())
            if bucket == Bucket and key.startswith(Prefix)
        ]
        yield {"Contents": found} if found else {}

    def _check(self, bucket: str, key: str, given: Mapping[str, Any]) -> None:
        found = self.stored.get((bucket, key))
        if given.get("IfNoneMatch") == "*" and found:
            raise refused("PreconditionFailed")
        if (etag := given.get("IfMatch")) and (not found or found["ETag"] != etag):
            raise refused("PreconditionFailed")


class Sqs(Fake):
    """Queues. What was received comes back when :meth:`pass_time` is called."""

    def __init__(self, killer: Killer) -> None:
        super().__init__(killer)
        self.queues: dict[str, dict[str, str]] = {}
        self.invisible: set[str] = set()
        self._number = itertools.count(1)

    @call
    def send_message(self, QueueUrl: str, MessageBody: str) -> dict[str, Any]:
        self.queues.setdefault(QueueUrl, {})[f"m-{next(self._number)}"] = MessageBody
        return {}

    @call
    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        found = [
            {"MessageId": id, "ReceiptHandle": id, "Body": body}
            for id, body in self.queues.get(QueueUrl, {}).items()
            if id not in self.invisible
        ][:MaxNumberOfMessages]
        self.invisible |= {each["MessageId"] for each in found}
        return {"Messages": found} if found else {}

    @call
    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        for each in Entries:
            self.queues[QueueUrl].pop(each["ReceiptHandle"], None)
            self.invisible.discard(each["ReceiptHandle"])
        return {}

    @call
    def change_message_visibility_batch(
        self, QueueUrl: str, Entries: list[dict[str, Any]]
    ) -> dict[str, Any]:
        assert 1 <= len(Entries) <= 10
        self.invisible -= {each["ReceiptHandle"] for each in Entries}
        return {}

    def pass_time(self) -> None:
        self.invisible.clear()
