"""The environment's file: what synth accepts and a person should check."""

from __future__ import annotations

from tools.doctor.findings import Finding, Findings, warning, well
from tools.doctor.plan import Plan

_EXAMPLE_ACCOUNT = "999999999999"
_EXAMPLE_DOMAIN = "@example.com"


def settings_file(plan: Plan) -> Findings:
    """It asks AWS nothing. The examples of this repository are to be replaced, and synthesise."""
    found = [*_examples(plan), *_external_id(plan)]
    yield from found or [well("has none of the examples' values")]


def _examples(plan: Plan) -> list[Finding]:
    settings, found = plan.settings, []
    for arn in settings.asapp.trusted_role_arns:
        if f":{_EXAMPLE_ACCOUNT}:" in arn:
            what = f"asapp.trusted_role_arns has the example {arn}: ASAPP can read no audio"
            found.append(warning(what, "write the roles that ASAPP gave you"))
    if (settings.alarms.email or "").endswith(_EXAMPLE_DOMAIN):
        what = f"alarms.email is the example {settings.alarms.email}: nobody hears an alarm"
        found.append(warning(what, "write the address of who is on call"))
    tag = settings.tags.get("environment", plan.name)
    if tag != plan.name:
        what = f'tags.environment is "{tag}", and the file is {plan.name}.toml'
        found.append(warning(what, f'write environment = "{plan.name}" under [tags]'))
    return found


def _external_id(plan: Plan) -> list[Finding]:
    if plan.settings.asapp.external_id:
        return []
    return [
        warning(
            "asapp.external_id is not set: ASAPP's role serves many customers, and nothing in a "
            "request shows that it was made for you",
            "agree on an external id with ASAPP, and write asapp.external_id",
        )
    ]
