"""Whose client certificate it is. API Gateway has verified the certificate before it asks us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)
"""A comma that belongs to a value has a backslash before it (RFC 4514)."""


def is_from(event: Mapping[str, Any], subject: str) -> bool:
    """Whether the certificate's Subject has this part.

    A public authority gives certificates to everybody: only the Subject says that it is ASAPP's.

    :param event: Of API Gateway's request authorizer.
    :param subject: One part of a distinguished name, for instance ``CN=webhook.asapp.com``.
    """
    found: Any = event
    for key in ("requestContext", "identity", "clientCert", "subjectDN"):
        found = found.get(key) if isinstance(found, Mapping) else None
    parts = _PART.findall(found) if isinstance(found, str) else []
    return subject in [part.strip() for part in parts]
