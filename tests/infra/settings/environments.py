"""The smallest environment, and changes to it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connect_settings import (
    Settings,
    SettingsError,
)

ENVIRONMENTS = Path(__file__).parents[3] / "infra" / "environments"
INSTANCE = "arn:aws:connect:us-east-1:123456789012:instance/12345678-1234-1234-1234-123456789012"
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/agent-events"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
ON_UTTERANCE = "arn:aws:lambda:us-east-1:123456789012:function:screen:live"
WEB_ACL = (
    "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/ours/12345678-1234-1234-1234-123456789012"
)
ROLE = "arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"

SMALLEST: Mapping[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "connect": {"instance_arn": INSTANCE, "instance_alias": "acme"},
    "media_streaming": {"mode": "adopt", "prefix": "acme"},
    "asapp": {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": [ROLE],
        "credentials_secret_name": "connect-autotranscribe/asapp",
    },
    "lifecycle": {"mode": "off"},
}


class MISSING:
    """In the place of a value: the key is not there. Its name is the same in every process."""


def changed(changes: Mapping[str, object]) -> dict[str, Any]:
    """The smallest environment with other values at some dotted keys, or with MISSING ones."""
    data = copy.deepcopy(dict(SMALLEST))
    for key, value in changes.items():
        *table, name = key.split(".", 1)
        place = data.setdefault(table[0], {}) if table else data
        if value is MISSING:
            del place[name]
        else:
            place[name] = value
    return data


def read(changes: Mapping[str, object]) -> Settings:
    return Settings.from_mapping(changed(changes), source="prod.toml")


def problems(changes: Mapping[str, object]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read(changes)
    return str(error.value).splitlines()
