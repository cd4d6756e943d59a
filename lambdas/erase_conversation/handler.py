"""Erase a call, or all calls of a customer, from everything that we store; and what comes later.

Every minute, ``{}``: do what is due in the index. ``{"exported": "2026-11-23"}``: erase from new
files of that day, and delete expired files that were stored again. ``{"contact": "…"}`` or
``{"customer": "…"}``: begin an erasure; with ``"dryRun": true`` only say what would go, with
``"progress": true`` how far it is. An erasure goes on by itself until its receipt is written, 20
minutes after its beginning.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from erase_conversation.connect_contacts import ContactRecords, StopFunction
from erase_conversation.due import NotErased, go_on_with_due
from erase_conversation.erasure import Erasure
from erase_conversation.exported_files import ExportedFiles
from erase_conversation.receipt import Kept, Receipts
from erase_conversation.records import Records
from erase_conversation.requests import ask, day_of, look, progress
from erase_conversation.waiting_messages import WaitingMessages
from shared.aws.botocore_errors import error_code
from shared.calls.customers import CustomerDigests
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext

_SECONDS_TO_END = 30.0
"""To note how far a run has come, and to give back what it has: the next minute's goes on."""
_DAY_S = 86_400
_SHORTEST_DAYS, _RECOVERY_DAYS = 90, 35
"""A tombstone stays as long as anything could bring the words back."""
_CONFIG = Config(
    connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """:raises NotErased: if something is left, which the next run goes on with.
    :raises BadRequest: if the event asks for nothing that there is.
    """
    left = context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_END
    try:
        return answer(event, erasure(SYSTEM_CLOCK), Deadline(left, SYSTEM_CLOCK))
    except (ClientError, BotoCoreError) as problem:
        # AWS's message may repeat what it was sent: a number, for instance.
        raise NotErased(error_code(problem)) from None


def answer(event: dict[str, Any], made: Erasure, deadline: Deadline) -> dict[str, Any]:
    """As :func:`handler`, on the clock of the deadline."""
    if event.get("progress"):
        return progress(event, made, deadline)
    if event.get("dryRun"):
        return look(event, made, deadline)
    if day := event.get("exported"):
        made.records.announce(str(day_of(day)))
    if not event or day:
        done = go_on_with_due(made, deadline)
        if day and made.files and deadline.remaining():
            made.files.delete_expired(deadline.clock.now_ms())
        return {"done": done}
    asked = ask(event, made, deadline)
    if asked["state"] == "erasing":
        go_on_with_due(made, deadline)
    return asked


@cache
def erasure(clock: Clock) -> Erasure:
    """From the environment variables."""
    environment = os.environ
    days = int(environment["TRANSCRIPT_RETENTION_DAYS"])
    keep_days = max(_SHORTEST_DAYS, days + _RECOVERY_DAYS)
    dynamodb = boto3.client("dynamodb", config=_CONFIG)
    s3 = boto3.client("s3", config=_CONFIG)
    export, instance = environment.get("EXPORT_BUCKET"), environment.get("CONNECT_INSTANCE")
    return Erasure(
        records=Records(dynamodb, environment["TRANSCRIPT_TABLE"], keep_days * _DAY_S, clock),
        messages=WaitingMessages(
            boto3.client("sqs", config=_CONFIG),
            json.loads(environment["QUEUES"]),
            by_initial_contact=environment["CONVERSATION_ID_SOURCE"] == "InitialContactId",
        ),
        receipts=Receipts(s3, environment["RECEIPTS_BUCKET"]),
        digests=CustomerDigests(environment["CUSTOMERS_KEY_SECRET"]),
        stop=StopFunction(boto3.client("lambda", config=_CONFIG), environment["STOP_FUNCTION"]),
        kept=Kept(int(environment["LOGS_DAYS"]), int(environment["AUDIO_HOURS"])),
        files=ExportedFiles(s3, export, int(environment["EXPORT_KEEP_DAYS"])) if export else None,
        contacts=ContactRecords(boto3.client("connect", config=_CONFIG), instance)
        if instance
        else None,
        columns=json.loads(environment.get("FEED_COLUMNS") or "{}"),
    )
