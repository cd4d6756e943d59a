"""AWS in this process: boto3 speaks its real protocols to it, and every request is counted."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.awsrequest import AWSResponse

from shared.aws import api
from shared.http import Response
from tools.load.parts.table import Refused, Table

_S3 = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ENTRIES_A_CALL, _EVENT_BYTES = 10, 256 * 1024
SECRET = "the-secret"


class Aws:
    """DynamoDB, EventBridge, S3 and Secrets Manager, as far as the functions use them.

    :ivar requests: By service and operation.
    :ivar bytes: That went there and back.
    :ivar events: The ids of what came on the bus.
    :ivar secret: What Secrets Manager gives.
    :ivar seconds: Of processor that this itself took, which is not the functions'.
    """

    def __init__(self, table: Table | None = None) -> None:
        self.table = table or Table()
        self.requests: Counter[str] = Counter()
        self.bytes = 0
        self.seconds = 0.0
        self.events: list[str] = []
        self.secret = SECRET
        self._objects: dict[str, int] = {}
        self._parts: dict[str, int] = {}
        self._one = threading.Lock()

    @contextmanager
    def instead(self, **variables: str) -> Iterator[None]:
        """Until the end of ``with``, boto3 and `shared.aws.api` find this, and functions these
        environment variables."""
        ours = {
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "TRANSCRIPT_TABLE": "transcripts",
            "TRANSCRIPT_RETENTION_DAYS": "30",
        }
        before = boto3.DEFAULT_SESSION
        with patch.dict(os.environ, ours | variables):
            os.environ.pop("AWS_ENDPOINT_URL", None)
            boto3.setup_default_session()
            boto3.DEFAULT_SESSION.events.register("before-send.*", self._before_send)
            with patch.object(api, "_origin", lambda _: self):
                try:
                    yield
                finally:
                    boto3.DEFAULT_SESSION = before

    # What `shared.aws.api` calls.

    host = "aws"

    def request(
        self, _: str, __: str, headers: Mapping[str, str], ___: Any, body: bytes
    ) -> Response:
        target = headers["x-amz-target"]
        status, content = self._answer(target, json.loads(body), len(body))
        return Response(status, {}, content)

    # What boto3 calls.

    def _before_send(self, request: Any, **_: Any) -> AWSResponse:
        # Reading a file's part makes its checksum: that is the function's work, and not ours.
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        target = request.headers.get("X-Amz-Target")
        if target:
            headers = {"Content-Type": "application/x-amz-json-1.0"}
            name = target.decode() if isinstance(target, bytes) else target
            status, content = self._answer(name, json.loads(body), len(body))
        else:
            status, content, headers = self._s3(request.method, request.url, len(body))
        return AWSResponse(request.url, status, headers, _Raw(content))

    def _answer(self, target: str, asked: Any, size: int) -> tuple[int, bytes]:
        began = time.thread_time()
        service, _, operation = target.partition(".")
        status = 200
        with self._one:
            self.requests[f"{service.partition('_')[0]}.{operation}"] += 1
            try:
                answer = self._of_service(service, operation, asked)
            except Refused as refusal:
                status, answer = 400, {"__type": f"com.amazonaws#{refusal.code}"}
            content = json.dumps(answer).encode()
            self.bytes += size + len(content)
            self.seconds += time.thread_time() - began
        return status, content

    def _of_service(self, service: str, operation: str, asked: Any) -> Any:
        if service.startswith("DynamoDB"):
            return self.table.answer(operation, asked)
        if service == "AWSEvents":
            entries = asked["Entries"]
            weight = sum(len(entry["Detail"].encode()) for entry in entries)
            if len(entries) > _ENTRIES_A_CALL or weight > _EVENT_BYTES:
                raise Refused("ValidationException", "too many entries, or too large")
            self.events += [json.loads(entry["Detail"])["id"] for entry in entries]
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in entries]}
        if service == "secretsmanager":
            if asked["VersionStage"] == "AWSPREVIOUS":
                raise Refused("ResourceNotFoundException")
            return {"SecretString": self.secret}
        raise NotImplementedError(service)

    def _s3(self, method: str, url: str, size: int) -> tuple[int, bytes, dict[str, str]]:
        began = time.thread_time()
        parts = urlsplit(url)
        query, key = parse_qs(parts.query, keep_blank_values=True), parts.path
        headers = {"Content-Type": "application/xml"}
        content = ""
        with self._one:
            if method == "GET":
                operation, content = "ListObjectsV2", f"<ListBucketResult {_S3}></ListBucketResult>"
            elif "uploads" in query:
                operation = "CreateMultipartUpload"
                content = f"<R {_S3}><UploadId>upload</UploadId></R>"
            elif method == "POST":
                operation, content = "CompleteMultipartUpload", f"<R {_S3}><ETag>e</ETag></R>"
                self._objects[key] = self._parts.pop(key)
            elif "partNumber" in query:
                operation = "UploadPart"
                self._parts[key] = self._parts.get(key, 0) + size
                headers["ETag"] = '"part"'
            else:
                operation = {"PUT": "PutObject", "DELETE": "DeleteObject"}[method]
                self._objects[key] = size
            self.requests[f"S3.{operation}"] += 1
            self.bytes += size + len(content)
            self.seconds += time.thread_time() - began
        return 200, content.encode(), headers


class _Raw(io.BytesIO):
    """An answer's body, as botocore reads it from urllib3."""

    def stream(self, _: int = 0, decode_content: bool = False) -> Iterator[bytes]:
        yield self.read()
