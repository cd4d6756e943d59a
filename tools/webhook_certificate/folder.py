"""The folder in which the authorities and the client certificates are made."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tools.webhook_certificate.authority import Authority, Issued

ROOT = Path(__file__).resolve().parents[2]
LASTS = timedelta(days=365)


class Refused(Exception):
    """Nothing was made. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """A client certificate, and the authority that it is of.

    :param client: The name of its files, without their ends.
    :param authority: As for ``client``.
    :param is_renewed: Whether the authority was there before.
    :param bundle: The file with the old and the new authority, if a new one was made beside an old
        one.
    """

    client: str
    client_ends: datetime
    authority: str
    authority_ends: datetime
    is_renewed: bool
    bundle: str | None


def outside_of_repositories(path: Path) -> Path:
    """The real path of a folder, which need not exist.

    :raises Refused: if what is made there could be committed.
    """
    real = path.expanduser().resolve()
    for folder in (real, *real.parents):
        if folder == ROOT or (folder / ".git").exists():
            raise Refused(
                f"{real} is inside the repository {folder}, and a private key must never be "
                "committed.\nName a folder outside, for instance: OUT=~/asapp-webhook"
            )
    return real


def make(folder: Path, name: str, now: datetime, *, new_authority: bool) -> Made:
    """Make a client certificate, and its authority if the folder has none.

    :param name: The common name of the client's Subject.
    :param new_authority: Whether to make an authority though the folder has one.
    """
    latest, is_renewed = _latest(folder, "authority"), False
    if latest and not new_authority:
        authority, is_renewed = _authority(folder, latest), True
    else:
        latest += 1
        # A Subject of its own, so that a chain leads to this authority and to no other.
        authority = Authority.made(f"AutoTranscribe webhook {secrets.token_hex(4)}", now)
    ends = authority.certificate.not_valid_after_utc
    if ends < now + LASTS:
        raise Refused(
            f"authority-{latest} ends on {ends:%Y-%m-%d}, sooner than its client certificate would."
            "\nMake another authority: AUTHORITY=new"
        )
    try:
        issued = authority.client(name, LASTS, now=now)
    except ValueError as problem:
        raise Refused(f"NAME={name} cannot be a common name: {problem}.") from problem
    client, bundle = f"client-{_latest(folder, 'client') + 1}", None
    files = _pair(client, issued)
    if not is_renewed:
        files |= _pair(f"authority-{latest}", authority)
        if old := _certificate(folder, latest - 1):
            bundle = f"authorities-{latest - 1}-and-{latest}.pem"
            files[bundle] = old + authority.pem
    _create(folder, files)
    return Made(
        client=client,
        client_ends=issued.certificate.not_valid_after_utc,
        authority=f"authority-{latest}",
        authority_ends=ends,
        is_renewed=is_renewed,
        bundle=bundle,
    )


def _latest(folder: Path, kind: str) -> int:
    """The highest number of this kind; 0 if there is none."""
    names = os.listdir(folder) if folder.is_dir() else []
    found = (re.fullmatch(rf"{kind}-([0-9]+)(\.key)?\.pem", name) for name in names)
    return max((int(each[1]) for each in found if each), default=0)


def _authority(folder: Path, number: int) -> Authority:
    name = f"authority-{number}"
    try:
        key = (folder / f"{name}.key.pem").read_bytes()
        return Authority.read(key, (folder / f"{name}.pem").read_bytes())
    except (OSError, ValueError) as problem:
        raise Refused(
            f"{folder} has the authority {name}, but not its certificate and key in {name}.pem and "
            f"{name}.key.pem: {problem}.\n"
            "Put both back, or make another authority: AUTHORITY=new"
        ) from problem


def _certificate(folder: Path, number: int) -> bytes:
    """An authority's; empty if there is none."""
    file = folder / f"authority-{number}.pem"
    return file.read_bytes() if file.exists() else b""


def _pair(name: str, issued: Issued) -> dict[str, bytes]:
    return {f"{name}.pem": issued.pem, f"{name}.key.pem": issued.key_pem}


def _create(folder: Path, files: Mapping[str, bytes]) -> None:
    """All of them or none, each new; keys for the owner alone."""
    created = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            mode = 0o600 if name.endswith(".key.pem") else 0o644
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            created.append(folder / name)
            with open(descriptor, "wb") as file:
                file.write(content)
    except OSError as problem:
        for file_made in created:
            file_made.unlink(missing_ok=True)
        raise Refused(f"{folder} cannot be written: {problem.strerror}.") from problem
