"""Put the live page into its bucket, at a deployment: a custom resource of CloudFormation.

The page's files are in a layer of this function. Those of earlier versions stay, for who has an
earlier page open, until the stack is deleted.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from shared.aws.botocore_errors import error_code
from shared.http import Origin
from shared.runtime import Deadline, LambdaContext

logger = logging.getLogger(__name__)

FILES = Path("/opt")
"""Where Lambda puts layers. Others may be there, like one that every function of an account has."""
_CONFIG = "config.json"
_NAMED_BY_CONTENT = "assets/"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_SECONDS_TO_RESPOND = 5.0

Respond = Callable[[str, bytes], None]


class NotSent(Exception):
    """CloudFormation's address has refused the answer; the message is the status."""


class Bucket:
    """:param s3: A boto3 S3 client."""

    def __init__(self, name: str, s3: Any) -> None:
        self.name, self._s3 = name, s3

    def put(self, name: str, content: bytes) -> None:
        self._s3.put_object(
            Bucket=self.name,
            Key=name,
            Body=content,
            ContentType=_TYPES[Path(name).suffix],
            CacheControl=_FOR_EVER if name.startswith(_NAMED_BY_CONTENT) else _ASK_AGAIN,
        )

    def empty(self) -> None:
        """CloudFormation deletes a bucket only if it is empty. Somebody may have deleted it."""
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name):
                for each in page.get("Contents", ()):
                    self._s3.delete_object(Bucket=self.name, Key=each["Key"])
        except self._s3.exceptions.NoSuchBucket:
            logger.info("there is no bucket to empty")


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """:param event: Of CloudFormation, with ``Config``: the content of ``config.json``."""
    act(event, FILES, _bucket(), _respond)


def act(event: Mapping[str, Any], files: Path, bucket: Bucket, respond: Respond) -> None:
    """Do what CloudFormation asks, and always answer: it would wait for an hour.

    :param respond: Sends the response to an address.
    """
    status, reason = "SUCCESS", ""
    try:
        if event["RequestType"] == "Delete":
            bucket.empty()
        else:
            _put(files, event["ResourceProperties"]["Config"], bucket)
    except Exception as problem:
        logger.exception("the page was not put into its bucket")
        status, reason = "FAILED", f"{error_code(problem)}; the log of PutPage says more"
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": bucket.name,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    respond(event["ResponseURL"], json.dumps(answer).encode())


def _respond(url: str, body: bytes) -> None:
    """:raises NoAnswer, NotSent: so that Lambda tries again."""
    parts = urlsplit(url)
    origin, path = Origin(f"{parts.scheme}://{parts.netloc}"), f"{parts.path}?{parts.query}"
    # CloudFormation's signature knows no Content-Type.
    response = origin.request("PUT", path, {}, Deadline(_SECONDS_TO_RESPOND), body)
    if response.status != 200:
        raise NotSent(str(response.status))


def _put(files: Path, config: str, bucket: Bucket) -> None:
    """What the page loads comes before the page."""
    found = [file for file in files.glob("*") if file.suffix in _TYPES]
    found += files.glob(f"{_NAMED_BY_CONTENT}**/*")
    contents = {
        file.relative_to(files).as_posix(): file.read_bytes() for file in found if file.is_file()
    }
    contents[_CONFIG] = config.encode()
    for name in sorted(contents, key=lambda name: (not name.startswith(_NAMED_BY_CONTENT), name)):
        bucket.put(name, contents[name])


@cache
def _bucket() -> Bucket:
    return Bucket(os.environ["PAGE_BUCKET"], boto3.client("s3"))
