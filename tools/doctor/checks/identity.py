"""Whose credentials these are."""

from __future__ import annotations

from tools.doctor.findings import CannotGoOn, Findings, problem, warning, well
from tools.doctor.plan import Plan


def credentials(plan: Plan) -> Findings:
    """:raises CannotGoOn: If there are none, or if they belong to another account."""
    settings = plan.settings
    caller = plan.aws.read("sts", "get_caller_identity") or {}
    if caller["Account"] != settings.account:
        raise CannotGoOn(
            problem(
                f"are of account {caller['Account']} ({caller['Arn']}), not of {settings.account}",
                f'sign in to {settings.account}, or write account = "{caller["Account"]}"',
            )
        )
    yield well(f"{caller['Arn']}, in {settings.region}")
    elsewhere = plan.aws.default_region
    if elsewhere not in (None, settings.region):
        yield warning(
            f"your shell's region is {elsewhere}: the deployment goes to {settings.region} all the "
            "same, but a command without --region does not",
            f"export AWS_REGION={settings.region}",
        )
