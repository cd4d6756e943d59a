"""The records of an environment: who has read which conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared import log_events
from tools.doctor.aws import Aws

ACTIONS = {
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("logs", "filter_log_events"): "logs:FilterLogEvents",
}
"""What is called, and what IAM must allow for it. No other call can be made."""
GUIDE = "docs/data.md"
RECORDS = {"transcription": "TranscriptRecordLogs", "live": "RecordLogs"}
"""The output of each stack that has a record. A stack, or its record, may not be there."""
_HOW = {
    log_events.TRANSCRIPT_READ: "read it by the API",
    log_events.LIVE_READ: "read it on the page",
    log_events.LIVE_SUBSCRIBED: "followed it on the page",
}


@dataclass(frozen=True, order=True)
class Reading:
    """:param viewer: The ARN of an identity of IAM, or the id of a user of the live page."""

    at_ms: int
    viewer: str
    how: str
    allowed: bool = True

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{at}  {self.viewer or 'unknown'}  {self.how}{'' if self.allowed else ': refused'}"


@dataclass(frozen=True)
class Records:
    aws: Aws
    environment: str

    def of(self, contact: str, since_ms: int) -> list[Reading]:
        """Each reading of a conversation, the oldest first.

        :raises NotSeen: If AWS does not tell.
        """
        return sorted(
            reading
            for stack, output in RECORDS.items()
            if (log_group := self._outputs(stack).get(output))
            for reading in self._readings(log_group, contact, since_ms)
        )

    def _outputs(self, stack: str) -> dict[str, str]:
        answer = self.aws.read(
            "cloudformation",
            "describe_stacks",
            ("ValidationError",),
            StackName=f"autotranscribe-{self.environment}-{stack}",
        )
        outputs = answer["Stacks"][0].get("Outputs", []) if answer else []
        return {each["OutputKey"]: each["OutputValue"] for each in outputs}

    def _readings(self, log_group: str, contact: str, since_ms: int) -> Iterator[Reading]:
        lines = self.aws.pages(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=log_group,
            startTime=since_ms,
            filterPattern=f'{{ $.conversationId = "{contact}" || $.contactId = "{contact}" }}',
        )
        for line in lines or ():
            said: Mapping[str, Any] = json.loads(line["message"])
            is_of_it = contact in (said.get("conversationId"), said.get("contactId"))
            if is_of_it and (how := _HOW.get(said.get("event", ""))):
                yield Reading(line["timestamp"], said["viewer"], how, said["allowed"])
