"""The webhook's secret, read from Secrets Manager as rarely as possible."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass

from shared.aws.api import AwsError
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
SECONDS_BETWEEN_READINGS = 5.0
"""However many wrong secrets come, each version is read no more often than that."""
SECONDS_FOR_A_KNOWN_SECRET = 1.0
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class _Version:
    """What is known of a version.

    :param value: As it was last read; None if the secret has no such version.
    :param read_at: When the last reading ended, with or without success; milliseconds since 1970.
    :param problem: Why the last reading failed; None if it did not.
    """

    value: str | None = None
    read_at: float = _NEVER
    problem: AwsError | None = None


class WebhookSecret:
    """The current version of the secret and the previous one: both are good.

    White space at their ends does not count. No header can have it, and a file from which somebody
    puts a secret often ends with a new line.

    :param read: Reads a version, or None if there is none; raises :class:`shared.aws.api.AwsError`.
    """

    def __init__(self, read: Callable[[str, Deadline], str | None]) -> None:
        self._read = read
        self._versions = {CURRENT: _Version(), PREVIOUS: _Version()}

    def admits(self, given: str, deadline: Deadline) -> bool:
        """Whether ``given`` is a good version.

        A version is read again after ``SECONDS_BETWEEN_READINGS``, so that one that was rotated out
        is refused; the previous one only if ``given`` is not the current one. A known version waits
        for Secrets Manager no longer than ``SECONDS_FOR_A_KNOWN_SECRET``, and is then let in.

        :raises AwsError: if the secret cannot be read and ``given`` is not a known version: a
            refusal would be a guess, and API Gateway keeps a refusal, but not an error.
        """
        if not given:
            return False
        known = any(_same(given, version.value) for version in self._versions.values())
        if known:
            deadline = deadline.at_most(SECONDS_FOR_A_KNOWN_SECRET)
        try:
            return any(_same(given, self._value(stage, deadline)) for stage in (CURRENT, PREVIOUS))
        except AwsError:
            if not known:
                raise
            logger.warning("the webhook's secret cannot be read; the versions known so far count")
            return True

    def _value(self, stage: str, deadline: Deadline) -> str | None:
        before = self._versions[stage]
        if deadline.clock.age(before.read_at) < SECONDS_BETWEEN_READINGS:
            if before.problem:
                raise before.problem.with_traceback(None)
            return before.value
        problem, value = None, before.value
        try:
            read = self._read(stage, deadline)
            value = None if read is None else read.strip()
        except AwsError as error:
            problem = error
        self._versions[stage] = _Version(value, deadline.clock.now_ms(), problem)
        if problem:
            raise problem
        if stage == CURRENT and value != before.value:
            # A rotation: what was current is now the previous version, until that is read again.
            self._versions[PREVIOUS] = _Version(before.value)
        return value


def _same(given: str, version: str | None) -> bool:
    """In constant time: the position of a difference does not show."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), (version or "").encode())
