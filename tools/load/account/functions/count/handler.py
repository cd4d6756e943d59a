"""Hands on what came from the event bus, many events in one message."""

import json
import os
from functools import cache
from typing import Any

import boto3

_BYTES = 200_000
"""Of a message; SQS takes 256 KB in every region, and more in some."""
Json = dict[str, Any]


def handler(event: Json, _context: object) -> None:
    """:param event: Messages that the bus put into a queue."""
    heard: list[Json] = []
    size = 0
    for record in event["Records"]:
        detail = json.loads(record["body"])["detail"]
        entry = {"at": int(record["attributes"]["SentTimestamp"]) / 1000, "said": detail}
        size += len(json.dumps(entry))
        if heard and size > _BYTES:
            _tell(heard)
            heard, size = [], len(json.dumps(entry))
        heard.append(entry)
    _tell(heard)


def _tell(heard: list[Json]) -> None:
    result = {"kind": "heard", "heard": heard}
    _sqs().send_message(QueueUrl=os.environ["RESULTS_URL"], MessageBody=json.dumps(result))


@cache
def _sqs() -> Any:
    return boto3.client("sqs")
