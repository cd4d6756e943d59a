"""The unit tests' surroundings: AWS's protocols from moto's server, and a vendor on a real socket
that behaves as badly as it is told."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared import http
from shared.asapp.media_gateway import Asapp
from shared.asapp.requests import AsappCredentials
from shared.calls.conversation_table import Conversations
from shared.http import Origin
from tests.aws_server import serving
from tests.running_server import running
from tests.transcript_table import make_table
from tests.unit.held_clock import HeldClock, UnhurriedClock

API_SECRET = "s3cr3t-of-asapp"
CUSTOMER_NUMBER = "+15550100199"


class VendorHandler(BaseHTTPRequestHandler):
    """Answers with the vendor's next behaviour, or its last one again."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Vendor

    def do_POST(self) -> None:
        self.server.before_body(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        vendor = self.server
        with vendor.lock:
            vendor.requests.append((self.path, dict(self.headers), json.loads(body)))
            behave = vendor.moods.get(json.loads(body).get("guid", "")) or vendor.behaviours[0]
            if behave is vendor.behaviours[0] and len(vendor.behaviours) > 1:
                vendor.behaviours.pop(0)
        behave(self)

    do_PUT = do_POST

    def do_GET(self) -> None:
        vendor = self.server
        guid = parse_qs(urlsplit(self.path).query).get("externalId", [""])[0]
        with vendor.lock:
            vendor.requests.append((self.path, dict(self.headers), {}))
            behave = vendor.moods.get(guid) or vendor.behaviours[0]
            if behave is vendor.behaviours[0] and len(vendor.behaviours) > 1:
                vendor.behaviours.pop(0)
        behave(self)

    def reply(self, status: int, body: object, content_type: str = "application/json") -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


Behaviour = Callable[[VendorHandler], None]


class Vendor(ThreadingHTTPServer):
    """A server that shows one behaviour a request."""

    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), VendorHandler)
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.behaviours: list[Behaviour] = [started]
        self.moods: dict[str, Behaviour] = {}  # towards one conversation, whatever the others see
        self.closing = threading.Event()
        self.clock: HeldClock | None = None  # then hanging takes no time
        self.tls: ssl.SSLContext | None = None
        self.before_handshake: Callable[[], object] = lambda: None
        self.before_body: Callable[[VendorHandler], object] = lambda _: None
        self.connections = 0

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    @property
    def calls(self) -> list[str]:
        """``start`` and ``stop``, in order."""
        return [path.rsplit("/", 1)[1].removesuffix("-streaming") for path, _, _ in self.requests]

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.connections += 1
        if self.tls:
            self.before_handshake()
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()

    def handle_error(self, *_: object) -> None:
        pass


def eventually(condition: Callable[[], object]) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 30 seconds")


class Resolver:
    """A name server that is silent until the test lets it answer.

    :param silent: How many questions it does not answer.
    """

    def __init__(self, clock: HeldClock, silent: int = 100) -> None:
        self._clock = clock
        self._silent = silent
        self.answers = threading.Event()
        self.lookups = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.lookups += 1
        if not self.answers.is_set() and self.lookups <= self._silent:
            self._clock.run_out()
            assert self.answers.wait(30)
        return socket.getaddrinfo(*args, **kwargs)


def ok(streams: tuple[str, str], summary: dict[str, int] | None = None) -> dict[str, Any]:
    def participant(stream_id: str) -> dict[str, Any]:
        status = {"code": 1000, "description": "OK"}
        made: dict[str, Any] = {"streamId": stream_id, "status": status}
        return made | ({"summary": summary} if summary else {})

    customer, agent = (participant(stream_id) for stream_id in streams)
    return {"isOk": True, "autotranscribeResponse": {"customer": customer, "agent": agent}}


def started(request: VendorHandler) -> None:
    summary = None if request.path.endswith("start-streaming") else {"transcripts": 7}
    request.reply(200, ok(("stream-c", "stream-a"), summary))


def failing(status: int, code: str) -> Behaviour:
    envelope = {"error": {"requestId": "r-1", "code": code, "message": "words of the vendor"}}
    return lambda request: request.reply(status, envelope)


def hang(request: VendorHandler) -> None:
    if request.server.clock:
        request.server.clock.run_out()
    request.server.closing.wait(20)


def slow(seconds: float) -> Behaviour:
    """Take so long, on the clock that the test holds."""

    def behave(request: VendorHandler) -> None:
        assert request.server.clock
        request.server.clock.advance(seconds)
        started(request)

    return behave


def drip(request: VendorHandler) -> None:
    """A byte a second: each read is in time, the whole never is."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n":
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        if request.server.clock:
            return hang(request)
        if request.server.closing.wait(0.5):
            return


def reset(request: VendorHandler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(request.connection.detach())


def not_ok(request: VendorHandler) -> None:
    request.reply(200, {"isOk": False, "errorMessage": "words of the vendor"})


def half_ok(request: VendorHandler) -> None:
    answer = ok(("stream-c", "stream-a"))
    answer["autotranscribeResponse"]["agent"]["status"] = {"code": 2003, "description": "words"}
    request.reply(200, answer)


def html(request: VendorHandler) -> None:
    request.reply(200, "<html>words of a proxy</html>", "text/html")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with running(Vendor()) as server:
        yield server


def speak_tls(vendor: Vendor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The vendor speaks TLS from now on, and the environment trusts its certificate."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "trust.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    vendor.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    vendor.tls.load_cert_chain(folder / "trust.pem", folder / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "trust.pem"))
    return vendor.tls


@pytest.fixture
def tls(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ssl.SSLContext]:
    """The vendor speaks TLS, and the functions trust its certificate."""
    context = speak_tls(vendor, tmp_path, monkeypatch)
    http._tls_context.cache_clear()
    yield context
    http._tls_context.cache_clear()


@pytest.fixture
def clock(vendor: Vendor) -> HeldClock:
    """The vendor's and the test's."""
    vendor.clock = HeldClock()
    return vendor.clock


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """AWS's endpoint for the functions, through the variable that every SDK honours."""
    with serving() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        yield endpoint


@pytest.fixture(scope="session")
def client_of(aws: str) -> Iterator[Callable[[str], Any]]:
    """A client of each service, made once: moto's server is one for a process."""
    with ExitStack() as stack:
        yield cache(lambda service: stack.enter_context(closing(boto3.client(service))))


@pytest.fixture
def table_name(client_of: Callable[[str], Any]) -> str:
    name = f"transcripts-{uuid.uuid4().hex[:8]}"
    make_table(client_of("dynamodb"), name)
    return name


@pytest.fixture
def secret_name(client_of: Callable[[str], Any]) -> str:
    name = f"asapp-{uuid.uuid4().hex[:8]}"
    value = json.dumps({"apiId": "id-of-asapp", "apiSecret": API_SECRET})
    client_of("secretsmanager").create_secret(Name=name, SecretString=value)
    return name


@pytest.fixture
def switch_name(client_of: Callable[[str], Any]) -> str:
    name = f"switch-{uuid.uuid4().hex[:8]}"
    client_of("ssm").put_parameter(Name=name, Value="enabled", Type="String")
    return name


@pytest.fixture
def conversations(table_name: str) -> Conversations:
    return Conversations(table_name, retention_seconds=86_400)


@pytest.fixture
def asapp(vendor: Vendor, secret_name: str) -> Asapp:
    return Asapp(Origin(vendor.url), AsappCredentials(secret_name), {"language": "en-US"})


class Context:
    """Lambda's context object for an invocation that begins now. Its time stands still: what the
    functions do with it is on the clock that the test holds."""

    def __init__(self, seconds: float = 7.0) -> None:
        self._milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def flow_event(contact_id: str = "c-1", **changes: Any) -> dict[str, Any]:
    """The event of a flow's Lambda block, with audio on. ``changes`` go into ContactData, but for
    ``parameters``."""
    parameters = changes.pop("parameters", {"customerId": CUSTOMER_NUMBER, "agentId": "ada"})
    audio = {
        "StreamARN": "arn:aws:kinesisvideo:us-east-1:111111111111:stream/acme-contact-1/1",
        "StartTimestamp": "1565781909613",
        "StartFragmentNumber": "91343852333181432392682062622220590765191907586",
    }
    data = {
        "ContactId": contact_id,
        "InitialContactId": contact_id,
        "PreviousContactId": contact_id,
        "Channel": "VOICE",
        "CustomerEndpoint": {"Address": CUSTOMER_NUMBER, "Type": "TELEPHONE_NUMBER"},
        "MediaStreams": {"Customer": {"Audio": audio}},
        "Attributes": {},
    }
    data |= changes
    details = {"ContactData": data, "Parameters": parameters}
    return {"Name": "ContactFlowEvent", "Details": details}


@pytest.fixture
def started_environment(
    monkeypatch: pytest.MonkeyPatch,
    vendor: Vendor,
    table_name: str,
    secret_name: str,
    switch_name: str,
) -> Iterator[None]:
    """The environment variables of start and stop, their caches empty, and a clock on which nobody
    runs out of time, however slow the machine is."""
    from shared import environment

    unhurried = UnhurriedClock()
    monkeypatch.setattr(environment, "clock", lambda: unhurried)
    monkeypatch.setenv("ASAPP_API_HOST", vendor.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("AUTOTRANSCRIBE_PARAMS", json.dumps({"language": "en-US"}))
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", "InitialContactId")
    monkeypatch.setenv("START_SELECTOR", "FRAGMENT_NUMBER")
    monkeypatch.setenv("TRANSCRIPTION_SWITCH", switch_name)
    environment.asapp.cache_clear()
    environment.conversations.cache_clear()
    yield
    environment.asapp.cache_clear()
    environment.conversations.cache_clear()
