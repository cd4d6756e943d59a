"""The records of an environment: who has read which conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
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
IS_ID = re.compile(r"[\w-]{1,256}", re.ASCII)
"""The id of a contact. No other is written into a filter."""
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

        A line by the id of a later contact names the conversation too, and by that all are found.

        :raises NotSeen: If AWS does not tell.
        """
        groups = [
            group
            for stack, output in RECORDS.items()
            if (group := self._outputs(stack).get(output))
        ]
        found = {group: self._lines(group, {contact}, since_ms) for group in groups}
        named = {str(line.get("conversationId")) for lines in found.values() for _, line in lines}
        if others := {each for each in named if IS_ID.fullmatch(each)} - {contact}:
            found = {group: self._lines(group, others | {contact}, since_ms) for group in groups}
        return sorted(
            Reading(at_ms, said["viewer"], _HOW[said["event"]], said["allowed"])
            for lines in found.values()
            for at_ms, said in lines
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

    def _lines(
        self, log_group: str, ids: Collection[str], since_ms: int
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """The lines that have one of these ids, with their times in milliseconds since 1970."""
        wanted = " || ".join(
            f'$.{name} = "{id}"' for id in sorted(ids) for name in ("conversationId", "contactId")
        )
        lines = self.aws.pages(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=log_group,
            startTime=since_ms,
            filterPattern=f"{{ {wanted} }}",
        )
        every = ((line["timestamp"], json.loads(line["message"])) for line in lines or ())
        return [
            (at_ms, said)
            for at_ms, said in every
            if {said.get("conversationId"), said.get("contactId")} & {*ids}
            and said.get("event") in _HOW
        ]
