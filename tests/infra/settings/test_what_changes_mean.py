"""What a change of each setting means to calls, words and people."""

from __future__ import annotations

import re

from connect_settings.environment import sensitivity


def test_every_setting_is_sensitive_or_known_to_be_harmless() -> None:
    """A new setting is one or the other: whoever adds it decides."""
    assert {key for key, means in sensitivity().items() if means is None} == {
        "asapp.conversation_id",
        "asapp.detailed_tokens",
        "asapp.language",
        "asapp.start_selector",
        "connect.flow_name_prefix",
        "export.at",
        "export.columns",
        "export.lookback_days",
        "reconciliation.after_minutes",
        "tags",
        "webhook.api_gateway_log_role",
        "webhook.throttle_burst",
        "webhook.throttle_rate_per_second",
        "webhook_mtls.ownership_certificate_arn",
    }


def test_what_a_change_means_is_one_sentence() -> None:
    for key, means in sensitivity().items():
        assert means is None or re.fullmatch(r"[A-Z][^.]*\.", means), key
