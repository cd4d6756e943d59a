"""What the functions make of their environment variables, at first use, and keep."""

from __future__ import annotations

import json
import os
from functools import cache

from shared.asapp.media_gateway import Asapp
from shared.asapp.requests import AsappCredentials
from shared.aws.api import AwsError
from shared.calls.conversation_table import Conversations
from shared.calls.switch import Switch
from shared.http import Origin
from shared.runtime import SYSTEM_CLOCK, Clock, Deadline, LambdaContext

_SECONDS_A_DAY = 86_400


def deadline(context: LambdaContext) -> Deadline:
    return Deadline.of(context, clock())


def clock() -> Clock:
    return SYSTEM_CLOCK


@cache
def asapp() -> Asapp:
    return Asapp(
        Origin(os.environ["ASAPP_API_HOST"]),
        AsappCredentials(os.environ["ASAPP_CREDENTIALS_SECRET"]),
        json.loads(os.environ.get("AUTOTRANSCRIBE_PARAMS", "{}")),
        Switch(os.environ["TRANSCRIPTION_SWITCH"]).is_off,
    )


@cache
def conversations() -> Conversations:
    days = int(os.environ["TRANSCRIPT_RETENTION_DAYS"])
    return Conversations(os.environ["TRANSCRIPT_TABLE"], days * _SECONDS_A_DAY)


def conversation_id_source() -> str:
    """``InitialContactId``, ``ContactId`` or ``PreviousContactId``."""
    return os.environ["CONVERSATION_ID_SOURCE"]


def conversation_of(
    contact_id: str, initial_contact_id: str, previous_contact_id: str, deadline: Deadline
) -> str | None:
    """The conversation that a contact of an event belongs to, as its flow named it.

    :param previous_contact_id: ``""`` if the event does not say it; then the table does.
    :returns: None if the table cannot be read.
    """
    source = conversation_id_source()
    if source == "InitialContactId":
        return initial_contact_id or contact_id
    if source == "PreviousContactId" and not previous_contact_id:
        try:
            return conversations().conversation_of(contact_id, deadline) or contact_id
        except AwsError:
            return None
    return previous_contact_id if source == "PreviousContactId" else contact_id
