"""The agent event stream: what Amazon Connect publishes about its agents.

Source: https://docs.aws.amazon.com/connect/latest/adminguide/agent-event-stream-model.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.connect.contact import Agent, Contact

Json = dict[str, Any]

_KEEPS_ITS_START = "CONNECTED_ONHOLD"
"""In this state ``StateStartTimestamp`` is that of ``CONNECTED``, as in Connect's
``AgentContactReference``. If that is so, only the state shows a hold."""


class AgentEvents:
    """The agents of an instance, each with all contacts that the agent has now: calls and chats.

    :param publish: Called with each event, as Connect writes it into the stream. Default: events go
        nowhere.
    :param now: The time in seconds since 1970. Default: the machine's.
    """

    def __init__(
        self,
        instance_arn: str,
        publish: Callable[[Json], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._instance_arn = instance_arn
        self._publish = publish
        self._now = now
        self._snapshots: dict[Agent, Json] = {}

    def sees(self, agent: Agent, contact: Contact, state: str) -> None:
        """From now on the agent's contact has this state.

        :param state: Connect's word: ``CONNECTING``, ``CONNECTED``, ``CONNECTED_ONHOLD``,
            ``ENDED``, ``MISSED`` and so on.
        """
        before = self._of(agent)
        now = self._timestamp()
        was: Json = next(
            (each for each in before["Contacts"] if each["ContactId"] == contact.contact_id), {}
        )
        connected = was.get("ConnectedToAgentTimestamp")
        queue = contact.queue
        shown = {
            "Channel": contact.channel,
            "ConnectedToAgentTimestamp": connected or (now if state == "CONNECTED" else None),
            "ContactId": contact.contact_id,
            "GlobalResiliencyMetadata": None,
            "InitialContactId": contact.initial_contact_id or None,
            "InitiationMethod": contact.initiation_method,
            "Queue": queue
            and {"ARN": queue.arn, "Channels": [contact.channel], "Name": queue.name},
            "QueueTimestamp": was.get("QueueTimestamp", now if queue else None),
            "State": state,
            "StateStartTimestamp": connected if state == _KEEPS_ITS_START and connected else now,
        }
        self._change(agent, Contacts=[*_others(before, contact), shown])

    def clears(self, agent: Agent, contact: Contact) -> None:
        """The agent is done with a contact, after-contact work included."""
        self._change(agent, Contacts=_others(self._of(agent), contact))

    def changes_status(self, agent: Agent, name: str) -> None:
        """The agent is on a break, or available again. The agent's contacts go on."""
        self._change(agent, AgentStatus=self._status(agent, name, "CUSTOM"))

    def beats(self, agent: Agent) -> None:
        """Publish a heartbeat: nothing has happened for two minutes."""
        self._send(agent, "HEART_BEAT", self._of(agent))

    def _change(self, agent: Agent, **changes: Any) -> None:
        before = self._of(agent)
        self._snapshots[agent] = before | changes
        self._send(agent, "STATE_CHANGE", before)

    def _of(self, agent: Agent) -> Json:
        if agent not in self._snapshots:
            profile = f"{self._instance_arn}/routing-profile/1"
            self._snapshots[agent] = {
                "AgentStatus": self._status(agent, "Available", "ROUTABLE"),
                "Configuration": {
                    "AgentHierarchyGroups": None,
                    "FirstName": agent.first_name,
                    "LastName": agent.last_name,
                    "Proficiencies": [],
                    "RoutingProfile": {"ARN": profile, "Name": "Basic Routing Profile"},
                    "Username": agent.user_name,
                },
                "Contacts": [],
                "NextAgentStatus": None,
            }
        return self._snapshots[agent]

    def _status(self, agent: Agent, name: str, type: str) -> Json:
        arn = f"{self._instance_arn}/agent-state/{name}"
        return {"ARN": arn, "Name": name, "StartTimestamp": self._timestamp(), "Type": type}

    def _send(self, agent: Agent, type: str, before: Json) -> None:
        event = {
            "AWSAccountId": self._instance_arn.split(":")[4],
            "AgentARN": agent.arn,
            "CurrentAgentSnapshot": self._of(agent),
            "EventId": str(uuid.uuid4()),
            "EventTimestamp": self._timestamp(),
            "EventType": type,
            "InstanceARN": self._instance_arn,
            "PreviousAgentSnapshot": before,
            "Version": "2017-10-01",
        }
        self._publish(event)

    def _timestamp(self) -> str:
        return timestamp(self._now())


def timestamp(seconds: float) -> str:
    """``2026-11-23T08:24:24.123Z``."""
    at = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def _others(snapshot: Json, contact: Contact) -> list[Json]:
    return [each for each in snapshot["Contacts"] if each["ContactId"] != contact.contact_id]
