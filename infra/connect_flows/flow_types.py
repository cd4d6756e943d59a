"""The types of flows in Amazon Connect, by CloudFormation's names."""

from __future__ import annotations

INBOUND = "CONTACT_FLOW"
QUEUE = "CUSTOMER_QUEUE"
CUSTOMER_WHISPER = "CUSTOMER_WHISPER"
AGENT_WHISPER = "AGENT_WHISPER"
OUTBOUND_WHISPER = "OUTBOUND_WHISPER"
CUSTOMER_HOLD = "CUSTOMER_HOLD"
AGENT_HOLD = "AGENT_HOLD"
AGENT_TRANSFER = "AGENT_TRANSFER"
QUEUE_TRANSFER = "QUEUE_TRANSFER"
MODULE = "MODULE"
"""A flow module. At its creation, Connect does not check whether its callers allow its blocks."""

WHISPERS = frozenset({CUSTOMER_WHISPER, AGENT_WHISPER, OUTBOUND_WHISPER})
HOLDS = frozenset({CUSTOMER_HOLD, AGENT_HOLD})
TRANSFERS = frozenset({AGENT_TRANSFER, QUEUE_TRANSFER})
FLOW_TYPES = frozenset({INBOUND, QUEUE}) | WHISPERS | HOLDS | TRANSFERS
EVERYWHERE = FLOW_TYPES | {MODULE}

KNOWS_AGENT = WHISPERS | HOLDS | {AGENT_TRANSFER}
"""The flow types in which ``$.Agent`` has a value (AG connect-attrib-list)."""
