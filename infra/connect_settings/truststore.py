"""The file with the authorities whose client certificates are good: a truststore of API Gateway."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def faults_of(file: Path) -> Iterator[str]:
    """What is wrong with the file, and what to write instead."""
    try:
        text = file.read_text("ascii", errors="replace")
    except OSError:
        yield f"there is no file {file}; write the path of one, in PEM"
        return
    if "PRIVATE KEY" in text:
        yield f"{file} has a private key, and would be uploaded; write certificates alone"
        return
    try:
        found = _read(text).cert_store_stats()
    except (ssl.SSLError, ValueError):
        yield f"{file} has no certificates, or one that cannot be read; write them in PEM"
        return
    if found["x509"] > found["x509_ca"]:
        yield f"{file} has a certificate of no authority; write those of authorities alone"


def expiries_of(file: Path) -> dict[str, int]:
    """When each authority's certificate expires, in seconds since 1970, by its name. The file alone
    says it, so that the same file makes the same template on every day."""
    found: dict[str, int] = {}
    for each in _read(file.read_text("ascii", errors="replace")).get_ca_certs():
        ends = ssl.cert_time_to_seconds(str(each["notAfter"]))
        name = _name(each["subject"])
        found[name] = min(ends, found.get(name, ends))
    return found


def _name(subject: Any) -> str:
    """Of a Subject as :mod:`ssl` has it: the last part, mostly the common name."""
    parts = [f"{key}={value}" for part in subject for key, value in part]
    return parts[-1] if parts else "without a name"


def _read(text: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    return context
