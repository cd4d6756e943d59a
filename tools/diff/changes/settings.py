"""What an environment's TOML file says otherwise, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.diff.findings import SettingChange


def setting_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SettingChange]:
    """:param old: Settings before, by their dotted keys.
    :param new: Settings after.
    """
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield SettingChange(key, _text(old, key), _text(new, key))


def _text(settings: Mapping[str, Any], key: str) -> str | None:
    return json.dumps(settings[key], ensure_ascii=False, default=str) if key in settings else None
