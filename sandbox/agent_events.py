"""What Amazon Connect publishes of an agent, put into the stream that the stacks read."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.deployment import Deployment
from sandbox.flow_runner import Agent, Contact


class AgentEventStream:
    """The agent event stream of the simulated instance.

    Each event has the agent's contacts before and after, as the developer guide's model has them.
    """

    def __init__(self, deployment: Deployment) -> None:
        arn = deployment.settings.lifecycle.stream_arn or ""
        self._kinesis = deployment.emulator.client("kinesis")
        self._name = arn.rpartition("/")[2]
        self._seen: dict[str, list[dict[str, Any]]] = {}

    def put(self, agent: Agent, contact: Contact, state: str) -> None:
        """The agent sees the contact so from now on.

        :param state: Connect's word: ``CONNECTED``, ``CONNECTED_ONHOLD``, ``ENDED`` and so on.
        """
        before = self._seen.get(agent.arn, [])
        shown = {
            "ContactId": contact.contact_id,
            "InitialContactId": contact.initial_contact_id or None,
            "Channel": contact.channel,
            "InitiationMethod": contact.initiation_method,
            "State": state,
            "StateStartTimestamp": _now(),
        }
        others = [each for each in before if each["ContactId"] != contact.contact_id]
        after = self._seen[agent.arn] = [*others, shown]
        event = {
            "AWSAccountId": "000000000000",
            "AgentARN": agent.arn,
            "CurrentAgentSnapshot": _snapshot(agent, after),
            "EventId": str(uuid.uuid4()),
            "EventTimestamp": _now(),
            "EventType": "STATE_CHANGE",
            "InstanceARN": contact.instance_arn,
            "PreviousAgentSnapshot": _snapshot(agent, before),
            "Version": "2017-10-01",
        }
        data = json.dumps(event).encode()
        self._kinesis.put_record(StreamName=self._name, Data=data, PartitionKey=agent.arn)


def _snapshot(agent: Agent, contacts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "AgentStatus": {"Name": "Available", "Type": "ROUTABLE", "StartTimestamp": _now()},
        "Configuration": {"Username": agent.user_name},
        "Contacts": contacts,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
