"""Every request to ASAPP: GETs with the account's credentials, which change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Credentials:
    """Never printed."""

    api_id: str = field(repr=False)
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    :param status: 0 if none came.
    :param code: ASAPP's code, or what was wrong instead; "" for a JSON object with the status 200.
    """

    status: int
    code: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


class _NoRedirect(HTTPRedirectHandler):
    """Another host would get the credentials."""

    def redirect_request(self, *_: Any) -> None:
        return None


def get(origin: str, path: str, credentials: Credentials) -> Answer:
    """One answer; the way goes through the proxy of the environment, if there is one."""
    headers = {"asapp-api-id": credentials.api_id, "asapp-api-secret": credentials.api_secret}
    headers["Content-Type"] = "application/json"
    request = Request(origin + path, headers=headers)  # noqa: S310 - a setting: http(s) alone
    try:
        with build_opener(_NoRedirect).open(request, timeout=_SECONDS) as response:
            content = _object(response.read())
            return Answer(200, "not JSON") if content is None else Answer(200, content=content)
    except HTTPError as refusal:
        with refusal:
            error = (_object(refusal.read()) or {}).get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return Answer(refusal.code, str(code or "no code"))
    except (OSError, HTTPException) as failure:
        return Answer(0, str(getattr(failure, "reason", failure)))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
