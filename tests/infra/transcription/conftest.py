"""The transcription stack, once with what is given by default and once with the other choice."""

from __future__ import annotations

import pytest

from tests.infra.transcription.everything import TOPIC, Everything


@pytest.fixture(scope="module")
def smallest() -> Everything:
    """What an environment gets that says nothing of its own."""
    return Everything()


@pytest.fixture(scope="module")
def other() -> Everything:
    """The other choice, wherever there is one."""
    return Everything(
        on_delete="destroy",
        asapp={
            "api_host": "https://api.sandbox.asapp.com",
            "language": "es-US",
            "redaction": "unredacted",
            "detailed_tokens": True,
            "audio_recording_allowed": True,
            "start_selector": "NOW",
            "conversation_id": "ContactId",
        },
        webhook={
            "secret_in": "query",
            "secret_name": "token",
            "throttle_rate_per_second": 50,
            "throttle_burst": 75,
            "allowed_cidrs": ["203.0.113.0/24", "198.51.100.7/32"],
            "api_gateway_log_role": "manage",
        },
        retention={"transcripts_days": 7, "logs_days": 90},
        alarms={"topic_arn": TOPIC},
    )
