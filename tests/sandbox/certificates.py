"""Certificates of the tests, good ones and others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.asapp.double import ClientCertificate
from tools.webhook_certificate.authority import Authority, Issued

DOMAIN = "transcripts.sandbox.test"
OTHER_DOMAIN = "own.sandbox.test"
ASAPP = "webhook.asapp.com"
_DAY = timedelta(days=1)


class Certificates:
    """:param folder: Where their files are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authorities: dict[str, Authority] = {}

    def authority(self, name: str) -> Authority:
        if name not in self._authorities:
            self._authorities[name] = Authority.made(name)
        return self._authorities[name]

    def bundle(self, name: str, *authorities: str) -> Path:
        """The certificates of these authorities in one file."""
        file = self.folder / f"{name}.pem"
        file.write_bytes(b"".join(self.authority(each).pem for each in authorities))
        return file

    @cached_property
    def servers(self) -> Path:
        """The authority of the servers, which ASAPP trusts as a *custom CA*."""
        return self.bundle("servers", "servers")

    def server(self, domain: str) -> tuple[Path, Path]:
        files = self._written(domain, self.authority("servers").server(domain, _DAY, key=self._key))
        return files.certificate, files.key

    def client(self, authority: str, name: str = ASAPP) -> ClientCertificate:
        """A client certificate, good if the authority is."""
        issued = self.authority(authority).client(name, _DAY, key=self._key)
        return self._written(f"{authority}-{name}", issued)

    def expired(self, authority: str) -> ClientCertificate:
        before = datetime.now(UTC) - 2 * _DAY
        issued = self.authority(authority).client(ASAPP, _DAY, now=before, key=self._key)
        return self._written("expired", issued)

    def of_a_server(self, authority: str) -> ClientCertificate:
        """One that is not for clients."""
        issued = self.authority(authority).server(ASAPP, _DAY, key=self._key)
        return self._written("of-a-server", issued)

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        """One for all: to make a key takes long."""
        return self.authority("servers").key

    def _written(self, name: str, issued: Issued) -> ClientCertificate:
        certificate, key = self.folder / f"{name}.crt.pem", self.folder / f"{name}.key.pem"
        certificate.write_bytes(issued.pem)
        key.write_bytes(issued.key_pem)
        return ClientCertificate(certificate, key)
