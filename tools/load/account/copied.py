"""The settings of a copy of an environment: as large as it, and joined to nothing that is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.load.account.app import TAG

Json = dict[str, Any]

_NO_INSTANCE = "00000000-0000-4000-8000-000000000000"
_KEPT = ("account", "region", "bootstrap_qualifier", "capacity", "reconciliation")
_OF_ASAPP = (
    *("trusted_role_arns", "language", "redaction", "detailed_tokens", "start_selector"),
    *("conversation_id", "customer_id_path", "agent_id_path"),
)
_OF_THE_WEBHOOK = (
    *("secret_in", "secret_name", "tls", "throttle_rate_per_second", "throttle_burst", "web_acl"),
)


def copy_of(data: Mapping[str, Any], double: Mapping[str, str]) -> Json:
    """The data of the copy's settings file.

    It has the environment's capacity. It does not have its instance (so the copy gets no event of a
    real call), ASAPP, domains, keys, page, and who learns of alarms.

    :param data: Of the environment's file.
    :param double: The outputs of the double's stack.
    """
    asapp, webhook = data["asapp"], data.get("webhook", {})
    partition, *_ = data["connect"]["instance_arn"].split(":")[1:]
    instance = f"{data['region']}:{data['account']}:instance/{_NO_INSTANCE}"
    return {name: data[name] for name in _KEPT if name in data} | {
        "on_delete": "destroy",
        "tags": {TAG: "temporary"},
        "connect": {
            "instance_arn": f"arn:{partition}:connect:{instance}",
            "instance_alias": "load",
        },
        "media_streaming": {"mode": "adopt", "prefix": "load"},
        "asapp": {name: asapp[name] for name in _OF_ASAPP if name in asapp}
        | {
            "api_host": double["Url"].rstrip("/"),
            "credentials_secret_name": double["SecretName"],
        },
        "lifecycle": {"mode": "adopt", "stream_arn": double["StreamArn"]},
        "webhook": {name: webhook[name] for name in _OF_THE_WEBHOOK if name in webhook},
    }
