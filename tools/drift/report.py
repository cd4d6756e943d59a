"""What drifted, what could not be compared, and what was not compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tools.drift.policies import compare_policies
from tools.drift.stacks import Deployed, Drifts, detect

COMPARED_HERE = "AWS::IAM::Policy"
"""What `compare_policies` compares, because CloudFormation does not."""


def report(deployed: Deployed, say: Callable[[str], None]) -> int:
    """:returns: The exit code.
    :raises NotSeen: If AWS does not tell.
    """
    stacks = deployed.stacks()
    if not stacks:
        say(f"{deployed.environment} has no stack in {deployed.aws.region}: nothing is deployed.")
        return 1
    found = detect(deployed, stacks)
    drifted, unknown = list(found.drifted), list(found.unknown)
    policies = compare_policies(deployed, stacks)
    drifted += policies.drifted
    unknown += policies.unknown
    for line in drifted:
        say(f"drift    {line}")
    for line in unknown:
        say(f"unknown  {line}")
    _say_what_was_looked_at(found, policies.roles, say)
    say(f"{len(drifted)} drifted, {len(unknown)} unknown")
    return int(bool(drifted or unknown))


def _say_what_was_looked_at(found: Drifts, roles: int, say: Callable[[str], None]) -> None:
    say(
        f"CloudFormation compared {found.compared} resources: only the properties that the "
        f"templates have. The policies of {roles} roles were compared with the templates."
    )
    rest = Counter(kind for kind in found.not_looked_at if kind != COMPARED_HERE)
    if rest:
        kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(rest.items()))
        say(f"Not looked at, because CloudFormation cannot: {kinds}.")
    say("Not looked at: what somebody added outside the stacks, and the values of secrets.")
