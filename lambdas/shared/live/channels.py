"""The channels of AppSync Events: one for the list of calls, one for each conversation.

The templates read the names in capitals from this file.
"""

from __future__ import annotations

import re

NAMESPACE = "live"
SUPERVISORS = "supervisors"
"""The group of the user pool whose members see every call, and the list."""
CALLS = f"/{NAMESPACE}/calls"
_CONVERSATIONS = f"/{NAMESPACE}/conversations/"
_SEGMENT = re.compile("[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?", re.ASCII)
"""What AppSync takes between two slashes. A wildcard is none."""


def channel_of(conversation_id: str) -> str | None:
    """None if the id cannot be part of a channel's name; the id of a contact can."""
    return _CONVERSATIONS + conversation_id if _SEGMENT.fullmatch(conversation_id) else None


def conversation_of(channel: str) -> str | None:
    """The id of the conversation whose channel this is, None if it is no such channel."""
    conversation_id = channel.removeprefix(_CONVERSATIONS)
    return conversation_id if channel == channel_of(conversation_id) else None
