"""Reads the event that a flow's *AWS Lambda function* block sends.

Shape: ``{"Name": "ContactFlowEvent", "Details": {"ContactData": {...}, "Parameters": {...}}}``.
Source: https://docs.aws.amazon.com/connect/latest/adminguide/connect-lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class NotAContact(ValueError):
    """The event has no contact id: the function was not called by a flow's Lambda block."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact as a flow sees it. Null, absent and ``""`` are one case: ``""``.

    :param contact_id: The current contact; a transfer brings a new one.
    :param initial_contact_id: The first contact of the chain, else ``contact_id``.
    :param previous_contact_id: The contact before a transfer, else ``contact_id``.
    :param customer_id: The block's parameter ``customerId``, else the customer's endpoint address,
        else the contact id.
    :param agent_id: The block's parameter ``agentId``, else the contact id: an inbound flow knows
        no agent yet, and a new leg still gets a new id.
    :param agent_arn: The block's parameter ``agentArn``: Connect's own name of the agent.
    :param queue: The name of the working queue; ``""`` before there is one, and if it is an agent's
        own.
    :param stream_arn: The Kinesis video stream with the audio, ``""`` before media streaming
        and after it.
    :param start_fragment_number: Where this contact's audio begins in the stream: a string of about
        47 digits, never a number.
    :param stream_started_at_ms: When it began, in milliseconds since 1970, 0 if unknown.
    :param initiation_method: How the contact began, such as ``INBOUND``, ``TRANSFER``,
        ``DISCONNECT``.
    :param is_call: Whether it is a voice contact, not a chat, a task or an email. One that does not
        say its channel is.
    """

    contact_id: str
    initial_contact_id: str
    previous_contact_id: str
    customer_id: str
    agent_id: str
    agent_arn: str
    queue: str
    stream_arn: str
    start_fragment_number: str
    stream_started_at_ms: int
    initiation_method: str
    is_call: bool

    @classmethod
    def from_event(cls, event: object) -> Contact:
        """:raises NotAContact: if the event has no contact id."""
        data = _inside(event, "Details", "ContactData")
        parameters = _inside(event, "Details", "Parameters")
        audio = _inside(data, "MediaStreams", "Customer", "Audio")
        contact_id = _text(data, "ContactId")
        if not contact_id:
            raise NotAContact(
                "The event has no Details.ContactData.ContactId. Call this function from an "
                "AWS Lambda function block of a Connect flow."
            )
        began, ended = (_number(audio, name) for name in ("StartTimestamp", "StopTimestamp"))
        # A stream that has ended for this contact may carry another caller's audio by now. But
        # streaming may start again in a contact: then the stop is older than the start.
        is_over = bool(_text(audio, "StopTimestamp")) and not 0 < ended < began
        return cls(
            contact_id=contact_id,
            initial_contact_id=_text(data, "InitialContactId") or contact_id,
            previous_contact_id=_text(data, "PreviousContactId") or contact_id,
            customer_id=_text(parameters, "customerId")
            or _text(_inside(data, "CustomerEndpoint"), "Address")
            or contact_id,
            agent_id=_text(parameters, "agentId") or contact_id,
            agent_arn=_text(parameters, "agentArn"),
            queue=_text(_inside(data, "Queue"), "Name"),
            stream_arn="" if is_over else _text(audio, "StreamARN"),
            start_fragment_number=_text(audio, "StartFragmentNumber"),
            stream_started_at_ms=began,
            initiation_method=_text(data, "InitiationMethod"),
            is_call=_text(data, "Channel").upper() in ("", "VOICE"),
        )

    def conversation_id(self, source: str) -> str:
        """The guid that ASAPP knows the call by.

        :param source: ``InitialContactId``, ``ContactId`` or ``PreviousContactId``.
        """
        return {
            "InitialContactId": self.initial_contact_id,
            "ContactId": self.contact_id,
            "PreviousContactId": self.previous_contact_id,
        }[source]


def _inside(value: object, *path: str) -> Mapping[str, Any]:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _number(mapping: Mapping[str, Any], key: str) -> int:
    text = _text(mapping, key)
    return int(text) if text.isascii() and text.isdigit() else 0


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
