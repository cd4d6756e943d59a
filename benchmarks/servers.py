"""AWS and ASAPP as canned answers on two local ports, in a process of their own.

``python -m benchmarks.servers FOLDER`` writes the certificate to trust to ``FOLDER/trust.pem``,
prints the two addresses as JSON, and serves until it is ended. What was asked is remembered;
:func:`take_requests` reads it and forgets it.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CREDENTIALS = json.dumps({"apiId": "id-of-asapp", "apiSecret": "s3cr3t-of-asapp"})
_OF_AWS = {
    "secretsmanager.GetSecretValue": {"Name": "asapp", "SecretString": _CREDENTIALS},
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
    """DynamoDB and Secrets Manager."""

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
    addresses = {"aws": _serve(Aws), "asapp": _serve(Asapp, _tls(Path(sys.argv[1])))}
    print(json.dumps(addresses), flush=True)
