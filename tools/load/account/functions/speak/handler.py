"""Posts utterances to the webhook, each when it is due, once, as ASAPP does."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import urlencode

import boto3
import urllib3

_SECONDS = 30
Json = dict[str, Any]


def handler(event: Json, _context: object) -> None:
    """:param event: Messages of the queue: ``id``, ``due`` in Unix seconds, and ``body``.

    It raises nothing, whatever the webhook answers: a POST is not repeated.
    """
    posts = [json.loads(record["body"]) for record in event["Records"]]
    with ThreadPoolExecutor(len(posts)) as pool:
        done = list(pool.map(_post, posts))
    result = {"kind": "posts", "posts": done}
    _sqs().send_message(QueueUrl=os.environ["RESULTS_URL"], MessageBody=json.dumps(result))


def _post(post: Json) -> Json:
    """:returns: When it was sent, and the status of its answer; 0 for none."""
    if (seconds := post["due"] - time.time()) > 0:
        time.sleep(seconds)  # the queue waits for whole seconds
    sent = time.time()
    headers = {"Content-Type": "application/json"}
    given = {os.environ["SECRET_NAME"]: _secret()}
    fields = given if os.environ["SECRET_IN"] == "query" else None
    try:
        answer = _connections().request(
            "POST",
            os.environ["WEBHOOK_URL"] + (f"?{urlencode(fields)}" if fields else ""),
            body=post["body"].encode(),
            headers=headers if fields else headers | given,
            timeout=_SECONDS,
            retries=False,
        )
    except urllib3.exceptions.HTTPError:
        return {"id": post["id"], "sent": sent, "status": 0}
    return {"id": post["id"], "sent": sent, "status": answer.status}


@cache
def _secret() -> str:
    client = boto3.client("secretsmanager")
    return str(client.get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"])


@cache
def _connections() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=10)


@cache
def _sqs() -> Any:
    return boto3.client("sqs")
