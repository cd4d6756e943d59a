"""ASAPP's API credentials. Their value is read, because a wrong shape shows nowhere else before the
first call, and is never shown: no finding says more of it than which key is wrong."""

from __future__ import annotations

import json
import re

from tools.doctor.asapp import Credentials
from tools.doctor.checks.keys import customer_key
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")  # as in lambdas/shared/asapp/requests.py
_SHAPE = '{"apiId": "…", "apiSecret": "…"}'


def asapp_secret(plan: Plan) -> Findings:
    name = plan.settings.asapp.credentials_secret_name
    absent = ("ResourceNotFoundException",)
    secret = plan.aws.read("secretsmanager", "describe_secret", absent=absent, SecretId=name)
    if secret is None:
        create = f"secretsmanager create-secret --name {name} --secret-string file://asapp.json"
        yield problem(f"{name} does not exist", f"{plan.command(create)}; the file has {_SHAPE}")
        return
    if "DeletedDate" in secret:
        restore = plan.command(f"secretsmanager restore-secret --secret-id {name}")
        yield problem(f"{name} is scheduled for deletion", restore)
        return
    key_id, allowed = secret.get("KmsKeyId"), plan.settings.asapp.credentials_key_arn
    key = customer_key(plan, key_id) if key_id else None
    if key and key != allowed:
        yield warning(
            f"{name} is encrypted with {key}, with which our functions may not decrypt",
            f'write asapp.credentials_key_arn = "{key}"',
        )
    answer = plan.aws.read("secretsmanager", "get_secret_value", absent=absent, SecretId=name)
    put = f"secretsmanager put-secret-value --secret-id {name} --secret-string file://asapp.json"
    remedy = f"{plan.command(put)}; the file has {_SHAPE}"
    if answer is None:
        yield problem(f"{name} has no value yet", remedy)
    elif wrong := fault(answer.get("SecretString")):
        yield problem(f"{name} {wrong}", remedy)
    else:
        yield well(f"{name} exists, and has the right shape")


def credentials_of(plan: Plan) -> Credentials | None:
    """The credentials, if they are there and of the right shape."""
    name, absent = plan.settings.asapp.credentials_secret_name, ("ResourceNotFoundException",)
    secret = plan.aws.read("secretsmanager", "describe_secret", absent=absent, SecretId=name)
    if secret is None or "DeletedDate" in secret:
        return None
    answer = plan.aws.read("secretsmanager", "get_secret_value", absent=absent, SecretId=name)
    value = (answer or {}).get("SecretString")
    if value is None or fault(value):
        return None
    fields = json.loads(value)
    return Credentials(fields["apiId"], fields["apiSecret"])


def fault(value: str | None) -> str | None:
    """What is wrong with the secret. The text holds no part of its value."""
    if value is None:
        return "is binary, not a string"
    try:
        fields = json.loads(value)
    except ValueError:
        return "is not JSON"
    if not isinstance(fields, dict):
        return "is not a JSON object"
    for key in ("apiId", "apiSecret"):
        if key not in fields:
            return f"has no {key}"
        if not isinstance(fields[key], str) or not _HEADER_VALUE.fullmatch(fields[key]):
            return (
                f"has an {key} that is not a string, is empty, or contains a space or a line break"
            )
    return None
