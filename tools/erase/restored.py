"""``make erase-restored ENV=prod TABLE=…``: erase from a restored table what was erased since.

A table that is restored to an earlier moment has the calls again that were erased after it. Do this
before anybody reads it or copies items out of it. The tombstones are in the environment's table; if
that is lost, the receipts name the calls by their hashes.

It exits with 0 if it is done, with 1 if AWS refuses it, with 2 if the environment's file or the
table is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared import table
from shared.aws.batch_write import ITEMS_A_CALL, batch_write
from shared.runtime import SYSTEM_CLOCK
from tools.environment import NotDeployed, environment, outputs_of

_RECEIPTS = "receipts/"
_ITEMS_BETWEEN_LINES = 100_000


def main(arguments: Sequence[str] | None = None, client: Callable[..., Any] = boto3.client) -> int:
    parser = argparse.ArgumentParser(prog="erase-restored", description="Applies tombstones")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("table", help="the restored table's name")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    try:
        table_name, receipts = outputs_of(
            client("cloudformation", region_name=settings.region),
            f"autotranscribe-{name}-transcription",
            "TableName",
            "ReceiptsBucket",
        )
        if given.table == table_name:
            print(
                f"{given.table} is the environment's own table: name the restored one",
                file=sys.stderr,
            )
            return 2
        dynamodb, s3 = (client(each, region_name=settings.region) for each in ("dynamodb", "s3"))
        erased = erase_restored(dynamodb, s3, table_name, given.table, receipts)
    except NotDeployed as problem:
        print(problem, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as problem:
        print(f"AWS refused it: {problem}", file=sys.stderr)
        return 1
    print(f"{given.table}: {erased} partitions of erased calls are erased again")
    return 0


def erase_restored(dynamodb: Any, s3: Any, table_name: str, restored: str, receipts: str) -> int:
    """The restored table is read twice, and little is kept of it: it may have millions of items.

    :returns: How many partitions had something that is gone now.
    """
    gone = _tombstones(dynamodb, table_name)
    hashes = set(_hashes(s3, receipts))
    legs = {
        leg
        for item in _scan(dynamodb, restored, "contactIds", only=table.CONVERSATION)
        if _is_of(item[table.CONVERSATION_ID], gone, hashes)
        for leg in item.get("contactIds", ())
    }
    erased: set[str] = set()
    ahead: list[tuple[str, str]] = []
    for number, item in enumerate(_scan(dynamodb, restored), 1):
        partition, name = item[table.CONVERSATION_ID], item[table.ITEM]
        if partition in legs or _is_of(partition, gone, hashes):
            erased.add(partition)
        elif not _names_erased_call(partition, name, gone, hashes):
            continue
        ahead.append((partition, name))
        if len(ahead) == ITEMS_A_CALL:
            _delete(dynamodb, restored, ahead)
            ahead.clear()
        if number % _ITEMS_BETWEEN_LINES == 0:
            print(f"{number:,} items looked at", file=sys.stderr)
    _delete(dynamodb, restored, ahead)
    for tombstone in gone.values():
        dynamodb.put_item(TableName=restored, Item=table.attributes(tombstone))
    return len(erased)


def _names_erased_call(partition: str, item: str, gone: dict[str, Any], hashes: set[str]) -> bool:
    """An entry of the index of customers."""
    is_customer = partition.startswith(table.customer_partition(""))
    return is_customer and _is_of(item.removeprefix(table.OF_CALL), gone, hashes)


def _is_of(conversation_id: str, gone: dict[str, Any], hashes: set[str]) -> bool:
    return conversation_id in gone or hashlib.sha256(conversation_id.encode()).hexdigest() in hashes


def _tombstones(dynamodb: Any, table_name: str) -> dict[str, dict[str, Any]]:
    """By partition; none if the table is lost."""
    names = (table.ERASED_AT, table.ERASURE, table.EXPIRES_AT, "legOf")
    try:
        found = list(_scan(dynamodb, table_name, *names))
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        print(f"{table_name} is not there: the receipts say what was erased")
        return {}
    return {item[table.CONVERSATION_ID]: item for item in found if table.ERASED_AT in item}


def _scan(dynamodb: Any, table_name: str, *names: str, only: str = "") -> Iterator[dict[str, Any]]:
    """:param only: The name of an item: no other one is given."""
    wanted = (table.CONVERSATION_ID, table.ITEM, *names)
    some: dict[str, Any] = {}
    if only:
        some = {
            "FilterExpression": f"#{table.ITEM} = :only",
            "ExpressionAttributeValues": table.attributes({":only": only}),
        }
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table_name,
        ProjectionExpression=", ".join(f"#{name}" for name in wanted),
        ExpressionAttributeNames={f"#{name}": name for name in wanted},
        ConsistentRead=True,
        **some,
    )
    for page in pages:
        for item in page["Items"]:
            yield table.values({name: item[name] for name in wanted if name in item})


def _hashes(s3: Any, bucket: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_RECEIPTS):
        for found in page.get("Contents", ()):
            if found["Key"].endswith(".json"):
                body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
                yield from (call["sha256OfId"] for call in json.loads(body)["calls"])


def _delete(dynamodb: Any, table_name: str, keys: Iterable[tuple[str, str]]) -> None:
    writes = [{"DeleteRequest": {"Key": table.item_key(*key)}} for key in keys]
    if writes and batch_write(dynamodb, table_name, writes, SYSTEM_CLOCK):
        raise SystemExit("the table refuses some deletes: run it again")


if __name__ == "__main__":
    sys.exit(main())
