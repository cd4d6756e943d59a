"""KMS keys."""

from __future__ import annotations

import re
from typing import Any

from tools.doctor.findings import Findings, NotSeen, problem, well
from tools.doctor.plan import Plan

_AWS_OWN = re.compile("(^|alias/)aws/")


def keys(plan: Plan) -> Findings:
    """The keys that the settings name. Only Connect can see whether it has a grant on them."""
    settings = plan.settings
    named = {
        "media_streaming.key_arn": settings.media_streaming.key_arn,
        "lifecycle.key_arn": settings.lifecycle.key_arn,
        "asapp.credentials_key_arn": settings.asapp.credentials_key_arn,
        "encryption.key_arn": settings.encryption.key_arn,
        "export.key_arn": settings.export.key_arn,
    }
    for setting, arn in named.items():
        if arn:
            yield from _usable(plan, setting, arn)
    if not any(named.values()):
        yield well("the settings name none")


def _usable(plan: Plan, setting: str, arn: str) -> Findings:
    key = _described(plan, arn)
    if key is None:
        yield problem(f"{arn} does not exist", f"write a key of this region in {setting}")
    elif key["KeyState"] != "Enabled":
        remedy = {
            "Disabled": plan.command(f"kms enable-key --key-id {arn}"),
            "PendingDeletion": plan.command(f"kms cancel-key-deletion --key-id {arn}")
            + ", then enable it",
        }
        yield problem(
            f"{arn} is {key['KeyState']}: nothing can be encrypted or read with it",
            remedy.get(key["KeyState"], f"write another key in {setting}"),
        )
    elif (key["KeyUsage"], key["KeySpec"]) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        yield problem(
            f"{arn} is for {key['KeyUsage']} with {key['KeySpec']}; a symmetric one is needed",
            f"write a key of SYMMETRIC_DEFAULT in {setting}",
        )
    else:
        yield well(f"{arn} is enabled")


def customer_key(plan: Plan, key_id: str) -> str | None:
    """The ARN of a customer managed key, or None for AWS's own, which needs no grant.

    :param key_id: An id or ARN of a key or of an alias.
    """
    # KMS is not asked: it would create the key of such an alias if there is none yet.
    if _AWS_OWN.search(key_id):
        return None
    named = (plan.settings.media_streaming.key_arn, plan.settings.lifecycle.key_arn)
    if key_id in named:
        return key_id
    key = _described(plan, key_id)
    if key is None:
        finding = problem(f"is encrypted with {key_id}, which does not exist", "give it a key")
        raise NotSeen(finding)
    return None if key["KeyManager"] == "AWS" else str(key["Arn"])


def _described(plan: Plan, key_id: str) -> dict[str, Any] | None:
    answer = plan.aws.read("kms", "describe_key", absent=("NotFoundException",), KeyId=key_id)
    return answer and answer["KeyMetadata"]
