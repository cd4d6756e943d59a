"""What an environment's TOML file says otherwise, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.diff.findings import SettingChange

UNKNOWN = "The base does not know this setting: read what it does."


def setting_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], sensitivity: Mapping[str, str | None]
) -> Iterator[SettingChange]:
    """:param old: Settings before, by their dotted keys.
    :param new: Settings after.
    :param sensitivity: What a change means of each setting that the base knows, or None.
    """
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield SettingChange(key, _text(old, key), _text(new, key), _means(key, sensitivity))


def _means(key: str, sensitivity: Mapping[str, str | None]) -> str | None:
    known = key if key in sensitivity else key.partition(".")[0]  # tags.owner is of tags
    if known not in sensitivity:
        known = ".".join(key.split(".")[:2])  # export.columns.text is of export.columns
    return sensitivity.get(known, UNKNOWN)


def _text(settings: Mapping[str, Any], key: str) -> str | None:
    return json.dumps(settings[key], ensure_ascii=False, default=str) if key in settings else None
