"""Where the live page's files are, and what the page must be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.live.live_transcripts import LiveTranscripts
from connect_settings import SettingsError
from connect_settings.page_headers import url_of_instance

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "_web"
_FILES = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parents[1] / "web" / "dist"


def page_files() -> Path:
    """The folder of the page's files, in the wheel or in the repository.

    :raises SettingsError: If nobody has built it.
    """
    if not (_FILES / "index.html").is_file():
        raise SettingsError(
            f"{_FILES}: the live page is not built; run `make web`, or host the page yourself and "
            "write its address in live.page_url"
        )
    return _FILES


def page_config(
    sign_in: LiveSignIn,
    transcripts: LiveTranscripts,
    page_url: str,
    instance_alias: str,
    region: str,
) -> dict[str, Any]:
    """What ``config.json`` says, as docs/live.md has it."""
    return {
        "region": region,
        "readUrl": transcripts.url,
        "events": {
            "httpHost": transcripts.event_api.http_dns,
            "realtimeUrl": transcripts.realtime_url,
        },
        "signIn": {
            "url": sign_in.url,
            "clientId": sign_in.client.user_pool_client_id,
            "scopes": ["openid", "profile"],
            "redirectUri": page_url,
        },
        "connect": {"instanceUrl": url_of_instance(instance_alias)},
    }
