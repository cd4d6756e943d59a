"""The customer's own authorization server, such as Okta or Entra, on loopback."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SECONDS_OF_A_TOKEN = 3600


@dataclass(frozen=True)
class SigningKey:
    """A key that signs RS256 or ES256."""

    id: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, id: str, algorithm: str = "RS256") -> Self:
        if algorithm == "ES256":
            return cls(id, ec.generate_private_key(ec.SECP256R1()))
        return cls(id, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.private, rsa.RSAPrivateKey) else "ES256"

    @property
    def jwk(self) -> dict[str, str]:
        """The public part, as RFC 7517 has it."""
        common = {"kid": self.id, "alg": self.algorithm, "use": "sig"}
        if isinstance(self.private, rsa.RSAPrivateKey):
            rsa_numbers = self.private.public_key().public_numbers()
            size = (rsa_numbers.n.bit_length() + 7) // 8
            return common | {
                "kty": "RSA",
                "n": _encoded(rsa_numbers.n.to_bytes(size, "big")),
                "e": _encoded(rsa_numbers.e.to_bytes(3, "big")),
            }
        numbers = self.private.public_key().public_numbers()
        point = {name: _encoded(getattr(numbers, name).to_bytes(32, "big")) for name in "xy"}
        return common | {"kty": "EC", "crv": "P-256", **point}

    def signed(self, claims: Mapping[str, Any]) -> str:
        """A JSON Web Token."""
        header = {"alg": self.algorithm, "kid": self.id, "typ": "at+jwt"}
        message = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        if isinstance(self.private, rsa.RSAPrivateKey):
            made = self.private.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            der = self.private.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
            made = b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(der))
        return f"{message}.{_encoded(made)}"


class AuthorizationServer:
    """A context manager: it gives access tokens by client credentials, and publishes its keys.

    :ivar keys: What it publishes.
    :ivar signs: The key of new tokens.
    :ivar clients: Their secrets, by client id.
    :ivar asked: The form of each request for a token, without secrets.
    """

    def __init__(self) -> None:
        self.keys = [SigningKey.made("key-1")]
        self.signs = self.keys[0]
        self.clients = {"asapp": secrets.token_urlsafe()}
        self.asked: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        server = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                self.answer(200, {"keys": [key.jwk for key in server.keys]})

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.body().decode()))
                id, secret = self.basic() or (form.get("client_id"), form.pop("client_secret", ""))
                server.asked.append(form)
                if not secret or server.clients.get(id or "") != secret:
                    self.answer(401, {"error": "invalid_client"})
                    return
                lasts = SECONDS_OF_A_TOKEN
                token = server.token(client_id=id)
                body = {"access_token": token, "token_type": "Bearer", "expires_in": lasts}
                self.answer(200, body)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def keys_url(self) -> str:
        return f"{self.issuer}/keys"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    def token(self, **changes: Any) -> str:
        """An access token of RFC 9068.

        :param changes: To its claims.
        """
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "asapp",
            "client_id": "asapp",
            "iat": now,
            "exp": now + SECONDS_OF_A_TOKEN,
            "jti": secrets.token_hex(8),
        }
        return self.signs.signed(claims | changes)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def basic(self) -> tuple[str, str] | None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        id, _, secret = b64decode(value).decode().partition(":")
        return id, secret

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read what was asked."""


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
