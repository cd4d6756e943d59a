"""The table in memory refuses and cuts as DynamoDB does, so that the parts are measured with its
limits."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from shared.table import attributes, item_key
from tools.load.parts.aws import Aws
from tools.load.parts.table import Table


def writes(*items: dict[str, Any]) -> dict[str, Any]:
    return {"RequestItems": {"t": [{"PutRequest": {"Item": attributes(item)}} for item in items]}}


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"conversationId": "call", "item": name, **more}


@pytest.fixture
def dynamodb() -> Any:
    with Aws(Table()).instead():
        yield boto3.client("dynamodb")


@pytest.mark.parametrize(
    "items",
    [
        [item(f"i{n}") for n in range(26)],
        [item("i"), item("i")],
        [item("i", text="x" * 400 * 1024)],
    ],
    ids=["26-items", "one-twice", "over-400-kb"],
)
def test_a_write_over_a_limit_is_refused_and_writes_nothing(
    dynamodb: Any, items: list[dict[str, Any]]
) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_write_item(**writes(*items))
    assert query(dynamodb)[0]["Count"] == 0


def query(dynamodb: Any) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName="t",
        KeyConditionExpression="conversationId = :id",
        ExpressionAttributeValues={":id": {"S": "call"}},
    )
    return list(pages)


def test_a_page_ends_after_a_megabyte_and_the_next_goes_on(dynamodb: Any) -> None:
    for number in range(5):
        dynamodb.batch_write_item(**writes(item(f"i{number}", text="x" * 300_000)))
    pages = query(dynamodb)
    assert [page["Count"] for page in pages] == [4, 1]
    names = [each["item"]["S"] for page in pages for each in page["Items"]]
    assert names == [f"i{number}" for number in range(5)]


def test_101_keys_are_too_many_to_read(dynamodb: Any) -> None:
    keys = [item_key("call", f"i{number}") for number in range(101)]
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_get_item(RequestItems={"t": {"Keys": keys}})
    found = dynamodb.batch_get_item(RequestItems={"t": {"Keys": keys[:100]}})
    assert found["Responses"] == {"t": []}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("#a = :one", True),
        ("#a = :two", False),
        ("attribute_exists(conversationId) AND attribute_not_exists(#b)", True),
        ("#a = :two AND (attribute_not_exists(#b) OR #a < :two)", False),
        ("#a = :one AND (attribute_exists(#b) OR #a < :two)", True),
    ],
)
def test_an_update_is_written_if_its_condition_holds(
    dynamodb: Any, condition: str, holds: bool
) -> None:
    dynamodb.batch_write_item(**writes(item("i", a=1)))
    request = {
        "TableName": "t",
        "Key": item_key("call", "i"),
        "UpdateExpression": "SET #c = if_not_exists(#c, :one) ADD #n :two REMOVE #a",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#a": "a", "#b": "b", "#c": "c", "#n": "n"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":two": {"N": "2"}},
    }
    if holds:
        dynamodb.update_item(**request)
        ((found,),) = (page["Items"] for page in query(dynamodb))
        assert found == attributes(item("i", c=1, n=2))
    else:
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            dynamodb.update_item(**request)
