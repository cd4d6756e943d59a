"""The receipt of an erasure, as JSON and as text: what was deleted, what expires by itself and
when, what we cannot reach and whom to ask.

It is made of what was counted before anything was deleted, and of the erasure's own times: so every
run writes the same bytes. It has no personal data: a call is the SHA-256 of its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from erase_conversation.records import Erasing
from shared.aws.botocore_errors import error_code

FOLDER = "receipts/"
_RECOVERY_DAYS = 35
_COUNTS = {
    "utterances": "utterances in the table",
    "items": "items of the table, with these utterances",
    "entries": "entries of the index of customers",
    "exportedLines": "lines of exported files",
    "messages": "messages in queues of what could not be handled",
    "contactRecords": "customer endpoints in contact records of Amazon Connect",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How long what expires by itself is kept. 0 if it is not known."""

    logs_days: int
    audio_hours: int


def receipt(
    erasure: str,
    asked_at_ms: int,
    calls: Sequence[tuple[Erasing, int]],
    not_erased: Sequence[Erasing],
    kept: Kept,
) -> dict[str, Any]:
    """:param calls: Those that were erased, with their lines in exported files.
    :param not_erased: Calls of the customer that stay: ``held``, or ``running`` by then.
    """
    last_ms = max([asked_at_ms, *(call.erased_at_ms for call, _ in calls)])
    made: dict[str, Any] = {
        "receipt": erasure,
        "askedAt": _moment(asked_at_ms),
        "erasedAt": _moment(last_ms),
        "calls": sorted(
            (_call(call, lines) for call, lines in calls), key=lambda each: each["sha256OfId"]
        ),
        "notErased": sorted(
            ({"sha256OfId": _sha256(c), "reason": c.plan["notErased"]} for c in not_erased),
            key=lambda each: each["sha256OfId"],
        ),
        "also": ["all results of queries over exported files"],
        "goesByItself": _expires_by_itself(last_ms, kept),
        "notReached": _not_reached(),
    }
    made["checksum"] = checksum(made)
    return made


def checksum(made: Mapping[str, Any]) -> str:
    """The SHA-256 of everything else in the receipt."""
    rest = {name: value for name, value in made.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def as_json(made: Mapping[str, Any]) -> str:
    return json.dumps(made, indent=2) + "\n"


def as_text(made: Mapping[str, Any]) -> str:
    calls = made["calls"]
    counted = {name: sum(call["counts"].get(name, 0) for call in calls) for name in _COUNTS}
    lines = [
        f"Receipt {made['receipt']}",
        f"Asked for at {made['askedAt']}, erased at {made['erasedAt']}.",
        "",
        f"Erased: {len(calls)} call{'' if len(calls) == 1 else 's'}",
        *(f"  {call['sha256OfId']}" for call in calls),
        *(f"  {counted[name]} {words}" for name, words in _COUNTS.items() if counted[name]),
        *(f"  {each}" for each in made["also"]),
    ]
    if made["notErased"]:
        lines += ["", "Not erased:"]
        lines += [f"  {each['sha256OfId']}: {each['reason']}" for each in made["notErased"]]
    lines += ["", "Expires by itself:"]
    lines += [f"  {each['what']}: {each['until']}" for each in made["goesByItself"]]
    lines += ["", "Not reached:"]
    lines += [f"  {each['what']}: ask {each['ask']}" for each in made["notReached"]]
    return "\n".join([*lines, "", f"SHA-256 of the contents: {made['checksum']}", ""])


class Receipts:
    """:param s3: A boto3 S3 client."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, made: Mapping[str, Any]) -> None:
        """The first one stays: if it is there, nothing is written."""
        for ending, content, kind in (
            ("txt", as_text(made), "text/plain; charset=utf-8"),
            ("json", as_json(made), "application/json"),
        ):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key_of(made["receipt"], ending),
                    Body=content.encode(),
                    ContentType=kind,
                    IfNoneMatch="*",
                )
            except ClientError as problem:
                if error_code(problem) != "PreconditionFailed":
                    raise


def key_of(erasure: str, ending: str = "json") -> str:
    return f"{FOLDER}{erasure}.{ending}"


def _call(call: Erasing, lines: int) -> dict[str, Any]:
    plan = call.plan
    counts = {
        "utterances": plan.get("utterances", 0),
        "items": plan.get("items", 0),
        "entries": len(call.customers),
        "exportedLines": lines,
        "messages": sum(plan.get("messages", {}).values()),
        "contactRecords": plan.get("contactRecords", 0),
    }
    return {
        "sha256OfId": _sha256(call),
        "legs": len(call.legs),
        "days": list(call.days),
        "counts": counts,
    }


def _sha256(call: Erasing) -> str:
    return hashlib.sha256(call.partition.encode()).hexdigest()


def _expires_by_itself(last_ms: int, kept: Kept) -> list[dict[str, str]]:
    logs = f"{kept.logs_days} days after each line"
    audio = f"{kept.audio_hours} hours after it was spoken"
    return [
        {"what": "point-in-time recovery of the table", "until": _days(last_ms, _RECOVERY_DAYS)},
        {"what": "the table's change stream", "until": _days(last_ms, 1)},
        {
            "what": "audio in Kinesis Video Streams",
            "until": audio if kept.audio_hours else "as the instance's media streaming is set",
        },
        {"what": "ids of contacts in logs, without words or names", "until": logs},
        {
            "what": "the records of who has read the call, with its id",
            "until": "as `audit.record_days` and `live.record_days` say, if readers are recorded",
        },
        {
            "what": "a message that still waits to be stored: it is erased when it comes",
            "until": _days(last_ms, 14),
        },
    ]


def _not_reached() -> list[dict[str, str]]:
    return [
        {
            "what": "ASAPP's copies: 7 days in its API, 32 in its files, else by your contract",
            "ask": "ASAPP's account team, with the ids of the calls",
        },
        {
            "what": "what other teams have stored of the event bus",
            "ask": "them: the event ConversationErased has told them",
        },
        {
            "what": "contact records, recordings and flow logs of Amazon Connect",
            "ask": "who administers the instance",
        },
        {
            "what": "transcripts that somebody has downloaded, backups of your own",
            "ask": "whoever has them",
        },
    ]


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def _days(ms: int, days: int) -> str:
    return _moment(ms + int(timedelta(days=days).total_seconds()) * 1000)
