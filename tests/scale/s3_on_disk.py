"""S3 on a real socket, with objects as files: of any size in little memory. It checks what it is
sent, as S3 does: checksums, the size of parts, and the ETag that a write demands."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_LEAST_PART = 5 * 1024 * 1024
_PIECE = 1024 * 1024
_META = "x-amz-meta-"


@dataclass
class Stored:
    """An object: its file, and what a GET says of it."""

    file: Path
    etag: str
    headers: dict[str, str]
    modified: float

    @property
    def size(self) -> int:
        return self.file.stat().st_size


@dataclass
class Upload:
    headers: dict[str, str]
    parts: dict[int, tuple[Path, str]] = field(default_factory=dict)


class Refused(Exception):
    """An error of S3: its code, with the status of HTTP."""


class S3OnDisk(ThreadingHTTPServer):
    """:ivar requests: How many came, by method."""

    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.requests: Counter[str] = Counter()
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Who has found what it looked for leaves before the end."""

    def new_file(self) -> Path:
        return self.folder / f"object-{next(self.numbers)}"

    def put(self, path: str, file: Path, etag: str, headers: dict[str, str]) -> None:
        """:param path: Bucket and key, like ``bucket/folder/name``."""
        if before := self.objects.get(path):
            before.file.unlink()  # who reads it reads on, as in S3
        self.objects[path] = Stored(file, f'"{etag}"', headers, file.stat().st_mtime)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    server: S3OnDisk

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path, asked = unquote(url.path).strip("/"), parse_qs(url.query, keep_blank_values=True)
        self.server.requests[self.command] += 1
        try:
            self._do(path, {name: values[0] for name, values in asked.items()})
        except Refused as problem:
            code, status = problem.args
            self._send(status, f"<Error><Code>{code}</Code></Error>")
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _do(self, path: str, asked: dict[str, str]) -> None:
        if "list-type" in asked:
            self._list(path, asked.get("prefix", ""))
        elif self.command in ("GET", "HEAD"):
            self._get(path)
        elif "partNumber" in asked:
            self._part(self._upload(asked), int(asked["partNumber"]))
        elif "uploads" in asked:
            self._begin(path)
        elif "delete" in asked:
            self._delete_all(path)
        elif self.command == "POST":
            self._complete(path, asked["uploadId"])
        elif self.command == "DELETE":
            if self.server.uploads.pop(asked.get("uploadId", ""), None) is None:
                self.server.objects.pop(path, None)
            self._send(204)
        else:
            self._put(path)

    # --- reading ---

    def _list(self, bucket: str, prefix: str) -> None:
        found = [
            (path.removeprefix(f"{bucket}/"), stored)
            for path, stored in sorted(self.server.objects.items())
            if path.startswith(f"{bucket}/{prefix}")
        ]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{stored.size}</Size></Contents>"
            for key, stored in found
        )
        self._send(200, f"<ListBucketResult>{contents}</ListBucketResult>")

    def _get(self, path: str) -> None:
        if (found := self.server.objects.get(path)) is None:
            raise Refused("NoSuchKey", 404)
        with found.file.open("rb") as content:
            self.send_response(200)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("ETag", found.etag)
            self.send_header("Last-Modified", formatdate(found.modified, usegmt=True))
            self.send_header("Content-Length", str(found.size))
            self.end_headers()
            self.wfile.flush()
            if self.command == "GET":
                shutil.copyfileobj(content, self.connection.makefile("wb"), _PIECE)

    # --- writing ---

    def _put(self, path: str) -> None:
        self._may_write(path)
        file, etag = self._body()
        self.server.put(path, file, etag, self._kept_headers())
        self._send(200, headers={"ETag": f'"{etag}"'})

    def _begin(self, path: str) -> None:
        self._read_small()
        upload_id = f"upload-{next(self.server.numbers)}"
        self.server.uploads[upload_id] = Upload(self._kept_headers())
        self._send(
            200,
            "<InitiateMultipartUploadResult><UploadId>"
            f"{upload_id}</UploadId></InitiateMultipartUploadResult>",
        )

    def _part(self, upload: Upload, number: int) -> None:
        file, etag = self._body()
        upload.parts[number] = (file, etag)
        self._send(200, headers={"ETag": f'"{etag}"'})

    def _complete(self, path: str, upload_id: str) -> None:
        asked = ElementTree.fromstring(self._read_small())  # noqa: S314 - our own client's
        listed = [
            (int(_text(each, "PartNumber")), _text(each, "ETag").strip('"'))
            for each in asked.iter()
            if each.tag.endswith("}Part") or each.tag == "Part"
        ]
        upload = self._upload({"uploadId": upload_id})
        self._may_write(path)
        if listed != [(number, etag) for number, (_, etag) in sorted(upload.parts.items())]:
            raise Refused("InvalidPart", 400)
        files = [upload.parts[number][0] for number, _ in listed]
        if any(file.stat().st_size < _LEAST_PART for file in files[:-1]):
            raise Refused("EntityTooSmall", 400)
        whole = self.server.new_file()
        with whole.open("wb") as to:
            for file in files:
                with file.open("rb") as part:
                    shutil.copyfileobj(part, to, _PIECE)
                file.unlink()
        del self.server.uploads[upload_id]
        self.server.put(path, whole, f"{upload_id}-{len(files)}", upload.headers)
        self._send(200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def _delete_all(self, bucket: str) -> None:
        asked = ElementTree.fromstring(self._read_small())  # noqa: S314 - our own client's
        for each in asked.iter():
            if each.tag.endswith("Key"):
                self.server.objects.pop(f"{bucket}/{each.text}", None)
        self._send(200, "<DeleteResult></DeleteResult>")

    def _may_write(self, path: str) -> None:
        found = self.server.objects.get(path)
        if (etag := self.headers.get("If-Match")) and (not found or found.etag != etag):
            self._read_small()
            raise Refused("PreconditionFailed", 412)
        if self.headers.get("If-None-Match") and found:
            self._read_small()
            raise Refused("PreconditionFailed", 412)

    def _upload(self, asked: dict[str, str]) -> Upload:
        if (found := self.server.uploads.get(asked["uploadId"])) is None:
            raise Refused("NoSuchUpload", 404)
        return found

    def _kept_headers(self) -> dict[str, str]:
        kept = {n.lower(): v for n, v in self.headers.items() if n.lower().startswith(_META)}
        return kept | {"Content-Type": self.headers.get("Content-Type", "binary/octet-stream")}

    # --- the protocol ---

    def _body(self) -> tuple[Path, str]:
        """Store what is sent, and compare it with its checksum."""
        file, etag, crc = self.server.new_file(), hashlib.md5(usedforsecurity=False), 0
        with file.open("wb") as to:
            for piece in self._pieces():
                to.write(piece)
                etag.update(piece)
                crc = zlib.crc32(piece, crc)
        sent = self.headers.get("x-amz-checksum-crc32")
        if sent != base64.b64encode(crc.to_bytes(4, "big")).decode():
            raise Refused("BadDigest", 400)
        return file, etag.hexdigest()

    def _pieces(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length", 0))
        body: BinaryIO = self.rfile  # type: ignore[assignment]
        while left:
            piece = body.read(min(left, _PIECE))
            left -= len(piece)
            yield piece

    def _read_small(self) -> bytes:
        return b"".join(self._pieces())

    def _send(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # botocore waits a second for it
        return True

    def log_message(self, *_: object) -> None:
        pass


def _text(element: ElementTree.Element, name: str) -> str:
    return next(str(each.text) for each in element if each.tag.split("}")[-1] == name)
