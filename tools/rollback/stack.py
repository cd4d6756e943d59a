"""What CloudFormation knows of the transcription stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tools.doctor.aws import Aws


@dataclass
class Stack:
    """The stack of one environment, which may not be there."""

    name: str
    aws: Aws

    @cached_property
    def _described(self) -> dict[str, Any]:
        answer = self.aws.read(
            "cloudformation", "describe_stacks", absent=("ValidationError",), StackName=self.name
        )
        found: dict[str, Any] = answer["Stacks"][0] if answer else {}
        return found

    @property
    def status(self) -> str | None:
        """None if there is no such stack."""
        return self._described.get("StackStatus")

    def output(self, name: str) -> str:
        """An output's value; empty if there is none."""
        outputs = self._described.get("Outputs", [])
        return next((str(each["OutputValue"]) for each in outputs if each["OutputKey"] == name), "")

    @cached_property
    def _resources(self) -> list[dict[str, Any]]:
        found = self.aws.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=self.name
        )
        gone = ("DELETE_COMPLETE", "DELETE_SKIPPED")
        return [each for each in found or [] if each["ResourceStatus"] not in gone]

    def physical_ids(self, kind: str) -> list[str]:
        """Those of a CloudFormation type that the stack has now."""
        return list(self.changed(kind))

    def changed(self, kind: str) -> dict[str, bool]:
        """The same, each with whether the last deployment made or changed it.

        A stack's ``LastUpdatedTime`` is when its last update began; before the first one it has
        only its ``CreationTime``.
        """
        began = self._described.get("LastUpdatedTime") or self._described["CreationTime"]
        return {
            each["PhysicalResourceId"]: bool(each["LastUpdatedTimestamp"] >= began)
            for each in self._resources
            if each["ResourceType"] == kind
        }
