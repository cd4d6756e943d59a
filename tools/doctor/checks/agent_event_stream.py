"""Agent events, which report holds, resumes and transfers."""

from __future__ import annotations

from typing import Any

from tools.doctor.checks.keys import customer_key
from tools.doctor.checks.storage import managed, storage
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

_SILENCE = "Connect would publish nothing into it, and would not say so (docs/decisions/0010)"


def agent_events(plan: Plan) -> Findings:
    lifecycle = plan.settings.lifecycle
    if lifecycle.mode == "off":
        yield warning(
            'are not used: lifecycle.mode is "off". Only flows start and stop, so what is said '
            "during a hold is transcribed, and a flow of yours that stops at a hold ends the "
            "transcript there",
            'write lifecycle.mode = "manage", or "adopt" if the instance already publishes them',
        )
        return
    found = storage(plan, "AGENT_EVENTS")
    stream = (found or {}).get("KinesisStreamConfig", {}).get("StreamArn")
    adopt = f'write lifecycle.mode = "adopt" and stream_arn = "{stream}"'
    if lifecycle.mode == "manage":
        if not (yield from managed(plan, found, stack="transcription", otherwise=adopt)):
            if lifecycle.key_arn and found is None:
                yield from _publishable(plan, lifecycle.key_arn)
            return
    elif stream is None:
        yield problem(
            'are off on the instance, and lifecycle.mode is "adopt"',
            'write lifecycle.mode = "manage" and no stream_arn, or turn them on under Data '
            "streaming of the instance",
        )
    elif stream != lifecycle.stream_arn:
        yield problem(f"go into {stream}, not into {lifecycle.stream_arn}", adopt)
    yield from _stream(plan, lifecycle.stream_arn or stream)


def _stream(plan: Plan, arn: str) -> Findings:
    answer = plan.aws.read(
        "kinesis", "describe_stream_summary", absent=("ResourceNotFoundException",), StreamARN=arn
    )
    if answer is None:
        yield problem(
            f"{arn} does not exist",
            f"write lifecycle.stream_arn: {plan.command('kinesis list-streams')} shows it",
        )
        return
    summary = answer["StreamDescriptionSummary"]
    status = summary["StreamStatus"]
    if status not in ("ACTIVE", "UPDATING"):
        yield problem(f"{arn} is {status}", "wait until it is ACTIVE, or name another stream")
        return
    yield well(f"their stream {arn} is {status}")
    if summary.get("EncryptionType", "NONE") == "KMS":
        yield from _encrypted(plan, arn, summary["KeyId"])
    elif plan.settings.lifecycle.key_arn:
        yield warning(f"{arn} is not encrypted", "remove lifecycle.key_arn")


def _encrypted(plan: Plan, arn: str, key_id: str) -> Findings:
    key, given = customer_key(plan, key_id), plan.settings.lifecycle.key_arn
    if key is None:
        stop = f"kinesis stop-stream-encryption --stream-arn {arn} --encryption-type KMS"
        yield warning(
            f"{arn} is encrypted with the key of AWS: perhaps {_SILENCE}",
            "check that IncomingRecords of the stream is over 0 while agents are logged in; "
            "if not: " + plan.command(f"{stop} --key-id {key_id}"),
        )
        return
    if key != given:
        yield problem(
            f"{arn} is encrypted with {key}, which the function that reads it may not use",
            f'write lifecycle.key_arn = "{key}"',
        )
    yield from _publishable(plan, key)


def _publishable(plan: Plan, key: str) -> Findings:
    """Connect has a grant on the keys of its recordings and reports, and on no other."""
    found = (storage(plan, kind) for kind in ("CALL_RECORDINGS", "SCHEDULED_REPORTS"))
    granted = [customer_key(plan, key_id) for each in found if (key_id := _s3_key(each))]
    if key not in granted:
        theirs = ", ".join(sorted({each for each in granted if each})) or "none of yours"
        yield problem(
            f"the stream's key {key} is not that of call recordings or reports ({theirs}): "
            + _SILENCE,
            "encrypt the stream, or call recordings, so that both have the same key, or stop the "
            "stream's encryption",
        )


def _s3_key(found: dict[str, Any] | None) -> str | None:
    key_id: str | None = (found or {}).get("S3Config", {}).get("EncryptionConfig", {}).get("KeyId")
    return key_id
