"""A simulated contact, and the event that a Lambda block sends for it.

Sources, under https://docs.aws.amazon.com/connect/latest/adminguide: connect-lambda-functions.html,
connect-attrib-list.html, ctr-data-model.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Place = Literal["flow", "queue", "agent"]
"""Where a contact is: in a flow, in a queue (with its customer queue flow), or with an agent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who called, or what was called: an address in E.164."""

    address: str
    type: str = "TELEPHONE_NUMBER"

    def data(self) -> dict[str, str]:
        return {"Address": self.address, "Type": self.type}


@dataclass(frozen=True, slots=True)
class Queue:
    """The working queue.

    :param outbound_whisper: The flow of outbound calls from this queue, by id or ARN. A flow cannot
        set it. Default: Connect's *Default outbound*.
    """

    arn: str
    name: str
    outbound_caller_id: Endpoint | None = None
    outbound_whisper: str = ""

    def data(self) -> dict[str, Any]:
        caller = self.outbound_caller_id
        return {
            "ARN": self.arn,
            "Name": self.name,
            **({"OutboundCallerId": caller.data()} if caller else {}),
        }


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent. Connect shows it only to whispers, holds and agent transfers, never to Lambdas."""

    user_name: str
    arn: str = ""
    first_name: str = ""
    last_name: str = ""

    def data(self) -> dict[str, str]:
        return {
            "UserName": self.user_name,
            "ARN": self.arn,
            "FirstName": self.first_name,
            "LastName": self.last_name,
        }


@dataclass(frozen=True, slots=True)
class MediaStream:
    """The contact's Kinesis video stream. All strings, as in the event; times are epoch ms.

    :param stop_timestamp: ``""`` while the audio is streamed.
    """

    stream_arn: str
    start_fragment_number: str
    start_timestamp: str
    stop_timestamp: str = ""


@dataclass(slots=True)
class Contact:
    """One simulated contact. Running a flow changes it as the flow's blocks do, and the next flow
    of the same call sees the changes.

    :param initial_contact_id: The first contact of the chain. Default: this one.
    :param previous_contact_id: The contact before a transfer. Default: this one, as Connect does.
    :param agent: Default: nobody yet.
    :param media_stream: Default: never started.
    :param hooks: Which flow runs at which event, by its id or ARN: ``{"AgentWhisper": "…"}``.
    :param recorded: Whom Connect records: ``Agent``, ``Customer``.
    """

    contact_id: str
    instance_arn: str
    initial_contact_id: str = ""
    previous_contact_id: str = ""
    channel: str = "VOICE"
    initiation_method: str = "INBOUND"
    customer_endpoint: Endpoint | None = None
    system_endpoint: Endpoint | None = None
    queue: Queue | None = None
    agent: Agent | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    media_stream: MediaStream | None = None
    hooks: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()
    place: Place = "flow"

    @property
    def is_streaming(self) -> bool:
        """Whether the call's audio goes to Kinesis Video Streams now."""
        return self.media_stream is not None and not self.media_stream.stop_timestamp

    def followed_by(
        self, contact_id: str, initiation_method: str, *, with_stream: bool, with_hooks: bool
    ) -> Contact:
        """The next contact of the chain, still without an agent.

        :param with_stream: Whether the new contact keeps the media stream.
        :param with_hooks: Whether the new contact keeps the flows that were set.
        """
        return replace(
            self,
            contact_id=contact_id,
            initial_contact_id=self.initial_contact_id or self.contact_id,
            previous_contact_id=self.contact_id,
            initiation_method=initiation_method,
            agent=None,
            attributes=dict(self.attributes),
            media_stream=self.media_stream if with_stream else None,
            hooks=dict(self.hooks) if with_hooks else {},
            tags=dict(self.tags),
            place="flow",
        )

    def data(self) -> dict[str, Any]:
        """``Details.ContactData`` of the event that a Lambda block sends."""
        stream = self.media_stream
        audio: dict[str, str | None] = {
            "StreamARN": stream.stream_arn if stream else None,
            "StartTimestamp": stream.start_timestamp if stream else None,
            "StartFragmentNumber": stream.start_fragment_number if stream else None,
        }
        if stream and stream.stop_timestamp:
            audio["StopTimestamp"] = stream.stop_timestamp
        return {
            "Attributes": dict(self.attributes),
            "Channel": self.channel,
            "ContactId": self.contact_id,
            "CustomerEndpoint": self.customer_endpoint.data() if self.customer_endpoint else None,
            "InitialContactId": self.initial_contact_id or self.contact_id,
            "InitiationMethod": self.initiation_method,
            "InstanceARN": self.instance_arn,
            "MediaStreams": {"Customer": {"Audio": audio}},
            "PreviousContactId": self.previous_contact_id or self.contact_id,
            "Queue": self.queue.data() if self.queue else None,
            "SystemEndpoint": self.system_endpoint.data() if self.system_endpoint else None,
        }


def lambda_event(contact: Contact, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The event that a Lambda block of a flow sends."""
    return {
        "Name": "ContactFlowEvent",
        "Details": {"ContactData": contact.data(), "Parameters": dict(parameters)},
    }
