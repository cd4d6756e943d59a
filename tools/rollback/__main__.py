"""``make rollback ENV=prod``: the functions' versions before the last deployment, at once.

It moves the aliases ``live`` of the functions that the last deployment changed. It changes nothing
else: no template, no table, no setting. It takes seconds; a deployment of the commit before takes
minutes, and must follow. ``UNDO=1`` moves the aliases to the versions that the stack has. With
``--triggers`` it moves nothing and prints the arguments with which ``cdk deploy`` goes back if one
of the stack's alarms rings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.doctor.aws import Aws
from tools.doctor.findings import CannotGoOn, NotSeen
from tools.environment import environment
from tools.rollback.aliases import ACTIONS, Alias, aliases, move
from tools.rollback.stack import Stack

_WATCHED_MINUTES = 5
"""How long CloudFormation looks at the alarms after the last resource has changed."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="rollback", description=__doc__)
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("--undo", action="store_true", help="the stack's versions again")
    parser.add_argument("--triggers", action="store_true", help="print cdk deploy's arguments")
    given = parser.parse_args(arguments)
    if not (found := environment(given.environment)):
        return 2
    name, settings = found
    stack = Stack(f"autotranscribe-{name}-transcription", Aws(settings.region, ACTIONS))
    try:
        if given.triggers:
            print(" ".join(triggers(stack, gradual=settings.deployment.gradual)))
            return 0
        return roll_back(stack, undo=given.undo)
    except (CannotGoOn, NotSeen) as unseen:
        print(f"{unseen.finding.what}\n→ {unseen.finding.remedy}", file=sys.stderr)
        return 1


def triggers(stack: Stack, *, gradual: bool) -> list[str]:
    """Arguments of ``cdk deploy``. Before the first gradual deployment there are no alarms yet, and
    CloudFormation refuses a trigger that does not exist."""
    alarms = [each for each in stack.output("RollbackAlarmArns").split(",") if each]
    flag = "--rollback-trigger-alarm-arns"
    if not alarms:
        return []
    if not gradual:  # this deployment deletes the alarms
        return [flag, "none"]
    named = [word for alarm in alarms for word in (flag, alarm)]
    return [*named, "--monitoring-time-minutes", str(_WATCHED_MINUTES)]


def roll_back(stack: Stack, *, undo: bool) -> int:
    """Move each alias, and say from where to where.

    :returns: The exit code.
    """
    if stack.status is None:
        print(f"{stack.name} is not there")
        return 1
    if stack.status.endswith("_IN_PROGRESS"):
        print(
            f"{stack.name} is {stack.status}: nothing was moved. To stop an update and take all of "
            f"it back:\naws cloudformation cancel-update-stack --stack-name {stack.name} "
            f"--region {stack.aws.region}"
        )
        return 1
    found = list(aliases(stack))
    concerned = [each for each in found if undo or each.is_new]
    for alias in found:
        if alias not in concerned:
            _leave(alias, stack.aws.region)
    if not concerned:
        print("The last deployment changed none of these functions: nothing was moved.")
        return 1
    moved = [_moved(stack, alias, undo=undo) for alias in concerned]
    if not undo:
        print("Now revert the commit and deploy that: the stack does not know of this.")
    return int(not all(moved))


def _leave(alias: Alias, region: str) -> None:
    """An older version may be months old, with the settings and names of that time."""
    print(f"{alias.function}: stays at {alias.version}, the last deployment did not change it")
    if alias.before:
        print(
            f"  to move it all the same, to {alias.before} of {alias.before_from}:\n"
            f"  aws lambda update-alias --function-name {alias.function} --name live "
            f"--function-version {alias.before} --region {region}"
        )


def _moved(stack: Stack, alias: Alias, *, undo: bool) -> bool:
    """Whether there is a version to go to. The alias is there now."""
    target = alias.of_stack if undo else alias.before
    if target is None:
        print(f"{alias.function}: stays at {alias.version}, no earlier version is left")
        return False
    if (alias.version, alias.shifting) == (target, False):
        print(f"{alias.function}: is at {target} already")
        return True
    move(stack.aws, alias, target)
    of = "" if undo else f", of {alias.before_from}"
    print(f"{alias.function}: {alias.version} → {target}{of}")
    return True


if __name__ == "__main__":
    sys.exit(main())
