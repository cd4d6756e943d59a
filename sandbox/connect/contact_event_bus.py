"""Contact events: what Amazon Connect publishes about its contacts on EventBridge.

Source: https://docs.aws.amazon.com/connect/latest/adminguide/contact-events.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.connect.agent_event_stream import timestamp
from sandbox.connect.contact import Contact

Json = dict[str, Any]

_MOMENTS = {
    "INITIATED": "initiationTimestamp",
    "CONNECTED_TO_SYSTEM": "connectedToSystemTimestamp",
    "QUEUED": "enqueueTimestamp",
    "CONNECTED_TO_AGENT": "connectedToAgentTimestamp",
    "DISCONNECTED": "disconnectTimestamp",
}
"""The timestamp that each type of event sets."""


class ContactEvents:
    """The contacts of an instance. There is no contact event for a hold.

    :param publish: Called with each event, as EventBridge delivers it. Default: events go nowhere.
    :param now: The time in seconds since 1970. Default: the machine's.
    """

    def __init__(
        self, publish: Callable[[Json], None] = lambda _: None, now: Callable[[], float] = time.time
    ) -> None:
        self._publish = publish
        self._now = now
        self._moments: dict[str, dict[str, str]] = {}

    def tell(self, contact: Contact, type: str) -> None:
        """:param type: ``INITIATED``, ``QUEUED``, ``DISCONNECTED`` and so on."""
        now = timestamp(self._now())
        moments = self._moments.setdefault(contact.contact_id, {})
        if type in _MOMENTS:
            moments.setdefault(_MOMENTS[type], now)
        _, partition, _, region, account, _ = contact.instance_arn.split(":", 5)
        agent, queue = contact.agent, contact.queue
        detail = {
            "eventType": type,
            "contactId": contact.contact_id,
            "initialContactId": contact.initial_contact_id or None,
            "previousContactId": contact.previous_contact_id or None,
            "channel": contact.channel,
            # The samples of that page have an ARN of this special form.
            "instanceArn": f"arn:{partition}::connect:{region}:{account}:"
            + contact.instance_arn.split(":", 5)[5],
            "initiationMethod": contact.initiation_method,
            "queueInfo": queue
            and {
                "queueArn": queue.arn,
                "queueType": "STANDARD",
                "enqueueTimestamp": moments.get("enqueueTimestamp"),
            },
            "agentInfo": agent
            and {
                "agentArn": agent.arn,
                "connectedToAgentTimestamp": moments.get("connectedToAgentTimestamp"),
            },
            **{name: moments.get(name) for name in _ON_THE_CONTACT},
            "tags": {"aws:connect:instanceId": contact.instance_arn.rpartition("/")[2]},
        }
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Amazon Connect Contact Event",
            "source": "aws.connect",
            "account": account,
            "time": now[:-5] + "Z",
            "region": region,
            "resources": [
                contact.instance_arn,
                f"{contact.instance_arn}/contact/{contact.contact_id}",
            ],
            "detail": {name: value for name, value in detail.items() if value is not None},
        }
        self._publish(event)


_ON_THE_CONTACT = ("initiationTimestamp", "connectedToSystemTimestamp", "disconnectTimestamp")
