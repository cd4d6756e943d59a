"""A small authority of your own, and the client certificates that it issues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

RSA_BITS = 3072
"""The least that ASAPP's page *Secure data retrieval* asks of a client certificate."""
_YEARS = timedelta(days=3650)
_A_SLOW_CLOCK = timedelta(minutes=5)
_USES = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """Not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Authority(Issued):
    """An authority. Its certificate is public; whoever has its key can make client certificates."""

    @classmethod
    def made(cls, name: str, now: datetime | None = None) -> Self:
        """A new one, valid for ten years.

        :param name: Its common name.
        """
        key, now = _new_key(), now or datetime.now(UTC)
        subject = _named(name)
        builder = _builder(subject, subject, key, now, now + _YEARS)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).add_extension(
            x509.KeyUsage(**_USES | {"key_cert_sign": True, "crl_sign": True}), critical=True
        )
        return cls(key, builder.sign(key, hashes.SHA256()))

    @classmethod
    def read(cls, key_pem: bytes, pem: bytes) -> Self:
        """:raises ValueError: if they are not the key and the certificate of one authority."""
        key = serialization.load_pem_private_key(key_pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("the key is not the certificate's")
        return cls(key, certificate)

    def client(
        self,
        name: str,
        lasts: timedelta,
        *,
        now: datetime | None = None,
        key: rsa.RSAPrivateKey | None = None,
    ) -> Issued:
        """A certificate with which a client proves who it is.

        :param name: The common name of its Subject.
        :param key: The client's. Default: a new one.
        :raises ValueError: if the authority's own certificate ends sooner.
        """
        return self._issued(name, ExtendedKeyUsageOID.CLIENT_AUTH, lasts, now, key)

    def server(
        self,
        domain: str,
        lasts: timedelta,
        *,
        key: rsa.RSAPrivateKey | None = None,
    ) -> Issued:
        """A certificate of a server with this domain name. Otherwise as :meth:`client`."""
        names = x509.SubjectAlternativeName([x509.DNSName(domain)])
        return self._issued(domain, ExtendedKeyUsageOID.SERVER_AUTH, lasts, None, key, names)

    def _issued(
        self,
        name: str,
        use: x509.ObjectIdentifier,
        lasts: timedelta,
        now: datetime | None,
        key: rsa.RSAPrivateKey | None,
        names: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        key, now = key or _new_key(), now or datetime.now(UTC)
        if now + lasts > self.certificate.not_valid_after_utc:
            ends = self.certificate.not_valid_after_utc.date()
            raise ValueError(f"the authority's own certificate ends on {ends}")
        issuer = self.certificate.subject
        builder = _builder(_named(name), issuer, key, now, now + lasts)
        of_authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**_USES | {"digital_signature": True}), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(of_authority, critical=False)
        )
        if names:
            builder = builder.add_extension(names, critical=False)
        return Issued(key, builder.sign(self.key, hashes.SHA256()))


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _A_SLOW_CLOCK)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
