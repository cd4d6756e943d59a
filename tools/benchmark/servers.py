"""AWS and ASAPP as canned answers on local ports, in a process of their own.

``python -m tools.benchmark.servers FOLDER BYTES`` writes the certificate to trust to
``FOLDER/trust.pem``, prints the addresses as JSON, and serves until it is ended. The export's file
has so many bytes, a power of two.
What AWS and ASAPP were asked is remembered; :func:`take_requests` reads it and forgets it.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any, ClassVar, TypedDict
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CREDENTIALS = json.dumps({"apiId": "id-of-asapp", "apiSecret": "s3cr3t-of-asapp"})
_OF_AWS = {
    "secretsmanager.GetSecretValue": {"Name": "asapp", "SecretString": _CREDENTIALS},
    "AmazonSSM.GetParameter": {"Parameter": {"Name": "switch", "Value": "enabled"}},
    "DynamoDB_20120810.UpdateItem": {},
    "DynamoDB_20120810.TransactWriteItems": {},
    "DynamoDB_20120810.BatchWriteItem": {"UnprocessedItems": {}},
}
_OK = {"code": 1000, "description": "OK"}
_OF_ASAPP = {
    "isOk": True,
    "autotranscribeResponse": {
        "customer": {"streamId": "stream-c", "status": _OK},
        "agent": {"streamId": "stream-a", "status": _OK},
    },
}


class Request(TypedDict):
    """:param name: AWS's target, or ASAPP's path."""

    name: str
    path: str
    headers: dict[str, str]
    body: str


_requests: list[Request] = []


def take_requests(aws_url: str) -> list[Request]:
    """What both servers were asked since the last time."""
    connection = http.client.HTTPConnection(urlsplit(aws_url).netloc, timeout=5)
    connection.request("GET", "/requests")
    requests: list[Request] = json.loads(connection.getresponse().read())
    connection.close()
    return requests


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet

    def reply(self, status: int, answer: object) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def remember(self, name: str) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = dict(self.headers)
        _requests.append({"name": name, "path": self.path, "headers": headers, "body": body})

    def log_message(self, *_: object) -> None:
        pass


class Aws(_Handler):
    """DynamoDB, Secrets Manager and Systems Manager."""

    def do_POST(self) -> None:
        target = self.headers["X-Amz-Target"]
        self.remember(target)
        signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 ")
        if signed and target in _OF_AWS:
            self.reply(200, _OF_AWS[target])
        else:
            self.reply(400, {"__type": "AccessDeniedException"})

    def do_GET(self) -> None:
        taken = list(_requests)
        _requests.clear()
        self.reply(200, taken)


class Asapp(_Handler):
    """ASAPP's start-streaming."""

    def do_POST(self) -> None:
        self.remember(self.path)
        if self.headers.get("asapp-api-secret") and self.path.endswith("/start-streaming"):
            self.reply(200, _OF_ASAPP)
        else:
            self.reply(401, {"error": {"code": "401-01"}})


_LINE = b'{"utterance": "I need help upgrading my streaming package", "number": %07d}\n'
_LINES = b"".join(_LINE % number for number in range(100_000))


def _of_the_file(start: int, stop: int) -> Iterator[bytes]:
    """What the feed's file has from ``start`` to before ``stop``: the same lines over and over."""
    while start < stop:
        at = start % len(_LINES)
        piece = _LINES[at : at + min(1024 * 1024, stop - start)]
        start += len(piece)
        yield piece


def _of_chunks(body: BufferedIOBase) -> bytes:
    content = bytearray()
    while size := int(body.readline().partition(b";")[0], 16):
        content += body.read(size)
        body.readline()
    while body.readline().strip():
        pass
    return bytes(content)


class Feed(_Handler):
    """ASAPP's File Exporter: each day has one file of utterances, and none that says who spoke."""

    file_bytes: ClassVar[int]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/listfeedfiles"):
            self.reply(200, {"files": ["file1.jsonl"] if asked["feed"] == "utterances" else []})
        else:
            self.reply(200, {"url": f"https://{self.headers['Host']}/file1.jsonl"})

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(self.file_bytes))
        self.end_headers()
        for piece in _of_the_file(0, self.file_bytes):
            self.wfile.write(piece)


class S3(_Handler):
    """An empty bucket that takes the feed's file in parts, byte for byte, and keeps nothing.

    ``GET /stored`` lists the sizes of the objects that were completed.
    """

    _NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    parts: ClassVar[dict[int, int]] = {}
    stored: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        if self.path == "/stored":
            self.reply(200, self.stored)
        else:
            self.answer(f"<ListBucketResult {self._NAMESPACE}></ListBucketResult>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("?uploads"):
            self.answer(f"<R {self._NAMESPACE}><UploadId>upload-1</UploadId></R>")
            return
        size = sum(self.parts.values())
        if size != int(self.headers["x-amz-mp-object-size"]):
            self.answer("<Error><Code>InvalidRequest</Code></Error>", 400)
            return
        self.stored.append(size)
        self.answer(f"<R {self._NAMESPACE}><ETag>etag</ETag></R>")

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def do_PUT(self) -> None:
        # As the SDK sends it over TLS: HTTP's chunks, and in them S3's, with a checksum at the end.
        content = _of_chunks(BytesIO(_of_chunks(self.rfile)))
        query = parse_qs(urlsplit(self.path).query)
        if "partNumber" not in query:  # a mark of a day
            self.answer("")
            return
        number = int(query["partNumber"][0])
        start = (number - 1) * len(content)  # the file divides into equal parts
        came = memoryview(content)
        for piece in _of_the_file(start, start + len(content)):
            if came[: len(piece)] != piece:
                self.answer("<Error><Code>BadDigest</Code></Error>", 400)
                return
            came = came[len(piece) :]
        self.parts[number] = len(content)
        self.answer("", ETag=f'"{number}"')

    def do_DELETE(self) -> None:
        self.answer("", 204)

    def answer(self, xml: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(xml)))
        self.end_headers()
        self.wfile.write(xml.encode())


def _tls(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "trust.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "trust.pem", folder / "key.pem")
    return context


def _serve(handler: type[_Handler], tls: ssl.SSLContext | None = None) -> str:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()
    return f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"


if __name__ == "__main__":
    tls = _tls(Path(sys.argv[1]))
    Feed.file_bytes = int(sys.argv[2])
    addresses = {
        "aws": _serve(Aws),
        "asapp": _serve(Asapp, tls),
        "feed": _serve(Feed, tls),
        "s3": _serve(S3, tls),
    }
    print(json.dumps(addresses), flush=True)
