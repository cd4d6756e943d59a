"""``make webhook-certificate``: what it makes opens the webhook, and stays out of repositories."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tools.webhook_certificate.__main__ import main
from tools.webhook_certificate.authority import Authority
from tools.webhook_certificate.folder import LASTS

ROOT = Path(__file__).parents[3]
FIRST = {
    "authority-1.key.pem": 0o600,
    "authority-1.pem": 0o644,
    "client-1.key.pem": 0o600,
    "client-1.pem": 0o644,
}
SECOND = {"client-2.key.pem": 0o600, "client-2.pem": 0o644}
OTHER = {
    "authorities-1-and-2.pem": 0o644,
    "authority-2.key.pem": 0o600,
    "authority-2.pem": 0o644,
    "client-3.key.pem": 0o600,
    "client-3.pem": 0o644,
}


def make(*arguments: str, code: int = 0) -> str:
    """:returns: What a person sees of the real command."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    done = subprocess.run(
        ["make", "--assume-old=.venv/.installed", "webhook-certificate", *arguments],
        cwd=ROOT,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A first certificate, a renewal, and another authority; and what was said each time."""
    folder = tmp_path_factory.mktemp("secure") / "of acme" / "webhook"
    out, said = f"OUT={folder}", []
    said.append(make(out))
    assert (modes(folder), folder.stat().st_mode & 0o777) == (FIRST, 0o700)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    said.append(make(out, "NAME=webhook.asapp.com"))
    assert modes(folder) == FIRST | SECOND
    said.append(make(out, "AUTHORITY=new"))
    assert modes(folder) == FIRST | SECOND | OTHER
    assert {file: file.read_bytes() for file in before} == before
    return folder, said


def gets_in(folder: Path, client: str, truststore: str, tmp_path: Path) -> bool:
    """Whether a server that trusts these authorities lets the client through the handshake."""
    servers = Authority.made("servers")
    server = servers.server("webhook.test", timedelta(days=1), key=servers.key)
    file = tmp_path / "server.pem"
    file.write_bytes(server.key_pem + server.pem)
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(file)
    of_server.verify_mode = ssl.CERT_REQUIRED
    of_server.verify_flags |= ssl.VERIFY_X509_STRICT
    of_server.load_verify_locations(folder / truststore)
    of_client = ssl.create_default_context(cadata=servers.pem.decode())
    of_client.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key.pem")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        of_client.wrap_bio(down, up, server_hostname="webhook.test"),
        of_server.wrap_bio(up, down, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return False
    return ends[1].getpeercert() is not None


@pytest.mark.parametrize(
    ("client", "truststores"),
    [
        ("client-1", [True, True, False]),
        ("client-2", [True, True, False]),
        ("client-3", [False, True, True]),
    ],
)
def test_each_step_of_a_rotation_lets_in_what_the_command_says(
    client: str, truststores: list[bool], secure: tuple[Path, list[str]], tmp_path: Path
) -> None:
    files = ["authority-1.pem", "authorities-1-and-2.pem", "authority-2.pem"]
    assert [gets_in(secure[0], client, each, tmp_path) for each in files] == truststores


def test_a_certificate_is_for_a_client_for_a_year_and_its_key_is_long(
    secure: tuple[Path, list[str]],
) -> None:
    folder, now = secure[0], datetime.now(UTC)
    names = []
    for file in ("client-1.pem", "client-2.pem", "client-3.pem"):
        made = x509.load_pem_x509_certificate((folder / file).read_bytes())
        key = made.public_key()
        assert isinstance(key, rsa.RSAPublicKey) and key.key_size >= 3072
        uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert abs(made.not_valid_after_utc - now - LASTS) < timedelta(hours=1)
        names.append(made.subject.rfc4514_string())
    assert names == ["CN=asapp-webhook", "CN=webhook.asapp.com", "CN=asapp-webhook"]


def test_an_authority_can_make_no_other_and_each_has_its_own_name(
    secure: tuple[Path, list[str]],
) -> None:
    names = set()
    for file in ("authority-1.pem", "authority-2.pem"):
        made = x509.load_pem_x509_certificate((secure[0] / file).read_bytes())
        constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
        names.add(made.subject.rfc4514_string())
    assert len(names) == 2


def test_it_says_who_gets_what_how_to_let_asapp_in_and_when_to_renew(
    secure: tuple[Path, list[str]],
) -> None:
    folder, (first, renewed, other) = secure
    ends = f"{datetime.now(UTC) + LASTS:%Y-%m-%d}"
    for number, said in enumerate((first, renewed, other), 1):
        assert f"ASAPP: client-{number}.pem, and client-{number}.key.pem by a secure way" in said
        assert f"Before {ends}, run the same command again" in said
        assert "PRIVATE" not in said
    assert "Nobody: authority-1.key.pem" in first
    assert f"cp '{folder}/authority-1.pem' infra/environments/" in first
    assert "[webhook_mtls] authorities_file" in first
    assert "Nothing is to be deployed" in renewed
    assert "Nobody: authority-2.key.pem" in other
    copied = re.findall(rf"cp '{folder}/(\S+)' ", other)
    assert copied == ["authorities-1-and-2.pem", "authority-2.pem"]


def test_without_a_folder_it_makes_nothing() -> None:
    assert make(code=2).startswith("Name a folder outside this repository, for instance: OUT=~/")


def test_a_folder_inside_a_repository_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(ROOT / "docs")
    inside = [ROOT, ROOT / "infra" / "new", link, link / "new", other / "keys", tmp_path / "w"]
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / ".git").write_text("gitdir: elsewhere")  # a worktree
    before = {path: sorted(path.rglob("*")) for path in (ROOT / "infra", ROOT / "docs", tmp_path)}
    for path in inside:
        assert main([str(path)]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.splitlines()[-1]) == ("", "Nothing was made.")
        assert " is inside the repository " in said.err
    assert {path: sorted(path.rglob("*")) for path in before} == before


def put(folder: Path, authority: Authority, *, key: bool = True) -> None:
    folder.mkdir()
    (folder / "authority-1.pem").write_bytes(authority.pem)
    if key:
        (folder / "authority-1.key.pem").write_bytes(authority.key_pem)


def test_an_authority_that_ends_before_its_client_or_lacks_its_key_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Authority.made("old", datetime.now(UTC) - timedelta(days=3650 - 364))
    put(tmp_path / "ends", old)
    put(tmp_path / "no key", old, key=False)
    put(tmp_path / "broken", old)
    (tmp_path / "broken" / "authority-1.key.pem").write_text("no key")
    put(tmp_path / "of another", old)
    another = Authority.made("another")
    (tmp_path / "of another" / "authority-1.key.pem").write_bytes(another.key_pem)
    for folder in (tmp_path / name for name in ("ends", "no key", "broken", "of another")):
        before = modes(folder)
        assert main([str(folder)]) == 2
        assert "AUTHORITY=new" in capsys.readouterr().err
        assert modes(folder) == before
    assert main([str(tmp_path / "no key"), "--authority", "new"]) == 0
    assert {"authority-2.pem", "authorities-1-and-2.pem"} <= modes(tmp_path / "no key").keys()


def test_if_it_cannot_write_everything_it_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file")]) == 2
    assert main([str(tmp_path / "new"), "--name", "x" * 65]) == 2
    full = tmp_path / "full"
    put(full, Authority.made("first"))
    (full / "authorities-1-and-2.pem").write_text("kept")
    before = modes(full)
    assert main([str(full), "--authority", "new"]) == 2
    assert modes(full) == before
    assert (full / "authorities-1-and-2.pem").read_text() == "kept"
    assert capsys.readouterr().err.count("Nothing was made.") == 3
    assert not (tmp_path / "new").exists()
