"""The switch that stops all transcription of an environment."""

from __future__ import annotations

import logging

from shared.aws.api import AwsError, call
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

_ON = "enabled"
_KEPT_MS = 10_000
_SECONDS_TO_READ = 0.5
"""A call must not wait for it."""


class Switch:
    """A parameter in Systems Manager. Any other value than ``enabled`` stops transcription.

    It is read at most once in ten seconds. If it cannot be read, the last value holds, and before
    there is one, transcription goes on (``docs/decisions/0025-one-switch-stops-transcription.md``).
    """

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter
        self._is_off = False
        self._kept_until_ms = 0

    def is_off(self, deadline: Deadline) -> bool:
        now = deadline.clock.now_ms()
        if now >= self._kept_until_ms:
            self._kept_until_ms = now + _KEPT_MS
            request = {"Name": self._parameter}
            limit = deadline.at_most(_SECONDS_TO_READ)
            try:
                answer = call("ssm", "AmazonSSM.GetParameter", request, limit)
                self._is_off = str(answer["Parameter"]["Value"]).strip().lower() != _ON
            except (AwsError, KeyError, TypeError) as problem:
                logger.warning(
                    "the switch cannot be read; its last value holds",
                    extra={"problem": str(problem), "isOff": self._is_off},
                )
        return self._is_off
