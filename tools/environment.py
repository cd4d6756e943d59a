"""The environment that a command was given, and what its stacks say of themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from connect_settings import Settings, SettingsError, environment_file

ENVIRONMENTS = Path(__file__).parents[1] / "infra" / "environments"


def environment(given: str) -> tuple[str, Settings] | None:
    """Its name, after which its stacks are called, and its settings.

    :param given: A file of infra/environments, or the path of one.
    :returns: None if there is no such file, or it is wrong: that is said on standard error.
    """
    try:
        file = environment_file(given, ENVIRONMENTS)
        return file.stem, Settings.load(file)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return None


class NotDeployed(Exception):
    """The message says what to do."""


def outputs_of(cloudformation: Any, stack: str, *names: str) -> list[str]:
    """The values of these outputs, in this order.

    :param cloudformation: A boto3 client.
    :raises NotDeployed: if the stack lacks one of them.
    """
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    outputs = {each["OutputKey"]: str(each["OutputValue"]) for each in found}
    if missing := [name for name in names if name not in outputs]:
        raise NotDeployed(f"{stack} has no output {', '.join(missing)}: deploy this version")
    return [outputs[name] for name in names]
