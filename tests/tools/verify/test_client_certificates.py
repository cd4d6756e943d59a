"""What `make verify` sees of a domain that demands a client certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.sandbox.certificates import Certificates
from tools.verify.conversation import ask


@contextmanager
def demanding(certificates: Certificates, version: ssl.TLSVersion) -> Iterator[str]:
    """A server's URL. It demands a client certificate, and tells one connection why it refuses."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.servers)
    context.load_cert_chain(*certificates.server("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            with socket.socket(fileno=tls.detach()) as plain, suppress(OSError):  # it has hung up
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65_536):  # or the client gets a reset instead of the alert
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_demands_a_certificate_cuts_off_whoever_has_none(
    version: ssl.TLSVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 the client hears of it only after the handshake, when it reads the answer."""
    certificates = Certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.servers))
    with demanding(certificates, version) as url:
        answer = ask(url, body=b"{}")
    assert (answer.status, answer.is_cut_off) == (0, True)
    assert "ALERT" in answer.body.upper()


def test_a_server_whose_own_certificate_is_not_good_has_cut_nobody_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.bundle("another", "another")))
    with demanding(certificates, ssl.TLSVersion.TLSv1_3) as url:
        answer = ask(url, body=b"{}")
    assert (answer.status, answer.is_cut_off) == (0, False)
    assert "CERTIFICATE_VERIFY_FAILED" in answer.body
