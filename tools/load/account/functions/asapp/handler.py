"""ASAPP's double in an account: what start and stop ask, behind a function URL.

It remembers nothing. A call's streams have the same ids each time, which `stream_id` makes. What it
is told goes to the queue of results.
"""

import base64
import hmac
import json
import os
import time
import uuid
from functools import cache
from typing import Any

import boto3

_OF_CALLS = "/mg-autotranscribe/v1/"
_OK = {"code": 1000, "description": "OK"}
Json = dict[str, Any]


def stream_id(guid: str, role: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{guid}/{role}"))


def handler(event: Json, _context: object) -> Json:
    """:param event: Of a function URL."""
    headers, path = event["headers"], event["rawPath"]
    given = headers.get("asapp-api-id", ""), headers.get("asapp-api-secret", "")
    if not all(map(hmac.compare_digest, given, _credentials())):
        return _answer(401, {"error": {"code": "401-01", "message": "not the credentials"}})
    if path.endswith("/messages"):
        return _answer(200, {"items": []})
    if not path.startswith(_OF_CALLS):
        return _answer(404, {"error": {"code": "404-01", "message": "not known here"}})
    body = event.get("body") or "{}"
    asked = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    what = path.removeprefix(_OF_CALLS).partition("-")[0]
    told = {"kind": "told", "what": what, "guid": asked["guid"], "at": time.time()}
    _sqs().send_message(QueueUrl=os.environ["RESULTS_URL"], MessageBody=json.dumps(told))
    streams = {
        role: {"streamId": stream_id(asked["guid"], role), "status": _OK}
        for role in ("customer", "agent")
    }
    return _answer(200, {"isOk": True, "autotranscribeResponse": streams})


def _answer(status: int, content: Json) -> Json:
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(content)}


@cache
def _credentials() -> tuple[str, str]:
    client = boto3.client("secretsmanager")
    value = json.loads(client.get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"])
    return value["apiId"], value["apiSecret"]


@cache
def _sqs() -> Any:
    return boto3.client("sqs")
