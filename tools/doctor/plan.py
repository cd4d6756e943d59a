"""What is to be deployed, and where."""

from __future__ import annotations

from dataclasses import dataclass

from connect_settings import Settings
from tools.doctor.aws import Aws


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a check is given.

    :param name: The environment's name, after which `app.py` calls its stacks.
    :param calls: How many calls at a time are expected, if somebody said.
    :param asks_asapp: Whether ASAPP is asked too, with the credentials.
    :param asapp: Where ASAPP is asked. Default: at `asapp.api_host`.
    """

    settings: Settings
    aws: Aws
    name: str
    calls: int | None = None
    asks_asapp: bool = True
    asapp: str | None = None

    @property
    def instance_id(self) -> str:
        return self.settings.connect.instance_arn.rpartition("/")[2]

    def command(self, line: str) -> str:
        """A command to paste; a shell's own region may be another one."""
        return f"`aws {line} --region {self.settings.region}`"

    def stack(self, which: str) -> str:
        """The name of a stack of this environment.

        :param which: access, transcription, flows or live.
        """
        return f"autotranscribe-{self.name}-{which}"

    def deployed(self, which: str, kind: str) -> list[str]:
        """The physical ids of what a stack has already made, if there is such a stack.

        :param kind: The CloudFormation type.
        """
        resources = self.aws.pages(
            "cloudformation",
            "list_stack_resources",
            "StackResourceSummaries",
            absent=("ValidationError",),
            StackName=self.stack(which),
        )
        return [
            each["PhysicalResourceId"]
            for each in resources or []
            if each["ResourceType"] == kind
            and each.get("PhysicalResourceId")
            and each["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
        ]
