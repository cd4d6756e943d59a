"""Live media streaming, from which ASAPP reads the audio."""

from __future__ import annotations

import json
import re
from typing import Any

from tools.doctor.checks.keys import customer_key
from tools.doctor.checks.storage import managed, storage
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan


def live_media_streaming(plan: Plan) -> Findings:
    media = plan.settings.media_streaming
    found = storage(plan, "MEDIA_STREAMS")
    video = (found or {}).get("KinesisVideoStreamConfig", {})
    prefix = own_prefix(video.get("Prefix", ""), plan.settings.connect.instance_alias)
    if media.mode == "manage":
        otherwise = f'write media_streaming.mode = "adopt", prefix = "{prefix}", no retention_hours'
        if not (yield from managed(plan, found, stack="access", otherwise=otherwise)):
            return
    if found is None:
        yield problem(
            'is off on the instance, and mode is "adopt"',
            'write media_streaming.mode = "manage" and retention_hours = 24, or turn it on under '
            "Data streaming of the instance",
        )
        return

    hours = video["RetentionPeriodHours"]
    key = customer_key(plan, video["EncryptionConfig"]["KeyId"])
    wrong = []
    if prefix != media.prefix:
        what = f'its prefix is "{prefix}", not "{media.prefix}": ASAPP cannot read its audio'
        wrong.append((what, f'write media_streaming.prefix = "{prefix}"'))
    if not hours:
        what = "its retention is 0 hours: after some minutes ASAPP can read nothing"
        wrong.append((what, f"keep audio for a day: {_update(plan, found)}"))
    elif hours != (media.retention_hours or hours):
        wrong.append((f"its retention is {hours} hours, not {media.retention_hours}", ""))
    if key != media.key_arn:
        encrypted = f"it is encrypted with {key or 'the key of AWS'}"
        what = f"{encrypted}, not with {media.key_arn or 'the key of AWS'}: ASAPP could not decrypt"
        write = (
            f'write media_streaming.key_arn = "{key}"' if key else "remove media_streaming.key_arn"
        )
        wrong.append((what, write))

    for what, write in wrong:
        if media.mode == "adopt":
            yield problem(what, write)
        else:  # CloudFormation sees a change in the file, and none that was made by hand
            yield warning(
                what,
                "nothing, if the file changed since the last deployment: the next one sets it. "
                f"Otherwise it was changed by hand: {_update(plan, found)}",
            )
    if not wrong:
        yield well(f'prefix "{prefix}", audio readable for {hours} hours')


def own_prefix(reported: str, alias: str) -> str:
    """What somebody gave as the prefix: Connect reports ``<prefix>-connect-<alias>-contact-``.

    AWS does not document that; the Terraform provider does, at aws_connect_instance_storage_config.
    """
    for name in (re.escape(alias), ".+"):  # the second for an alias that the settings have wrong
        if match := re.fullmatch(f"(.+?)-connect-{name}-contact-?", reported):
            return match[1]
    return reported


def _update(plan: Plan, found: dict[str, Any]) -> str:
    """The command that changes only our part of the instance's setting."""
    media, video = plan.settings.media_streaming, found["KinesisVideoStreamConfig"]
    prefix = own_prefix(video["Prefix"], plan.settings.connect.instance_alias)
    encryption = video["EncryptionConfig"]
    if media.mode == "manage":
        prefix = media.prefix
        encryption = {"EncryptionType": "KMS", "KeyId": media.key_arn or "alias/aws/kinesisvideo"}
    storage_config = {
        "StorageType": "KINESIS_VIDEO_STREAM",
        "KinesisVideoStreamConfig": {
            "Prefix": prefix,
            "RetentionPeriodHours": media.retention_hours or 24,
            "EncryptionConfig": encryption,
        },
    }
    return plan.command(
        f"connect update-instance-storage-config --instance-id {plan.instance_id} "
        f"--association-id {found['AssociationId']} --resource-type MEDIA_STREAMS "
        f"--storage-config '{json.dumps(storage_config)}'"
    )
