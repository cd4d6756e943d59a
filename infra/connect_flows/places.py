"""Where weaving puts start and stop in each type of flow. The guide's table is made from this."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal, NamedTuple

from connect_flows.flow_types import (
    AGENT_HOLD,
    AGENT_TRANSFER,
    AGENT_WHISPER,
    CUSTOMER_HOLD,
    CUSTOMER_WHISPER,
    INBOUND,
    MODULE,
    OUTBOUND_WHISPER,
    QUEUE,
    QUEUE_TRANSFER,
)

Before = Literal["transfer", "queue", "transfer-out", "disconnect", "end"]
"""Blocks before which a stop goes; ``transfer`` is both ``queue`` and ``transfer-out``."""

_QUEUES = frozenset({"DequeueContactAndTransferToQueue", "TransferContactToQueue"})
_OUT = frozenset({"TransferContactToAgent", "TransferParticipantToThirdParty", "TransferToFlow"})
ENDINGS: Mapping[Before, frozenset[str]] = {
    "transfer": _QUEUES | _OUT,
    "queue": _QUEUES,
    "transfer-out": _OUT,
    "disconnect": frozenset({"DisconnectParticipant"}),
    "end": frozenset({"EndFlowExecution"}),
}
"""The action types of each."""

EVERY_ENDING: tuple[Before, ...] = ("queue", "transfer-out", "disconnect", "end")


class Place(Enum):
    """A place in a flow, in the words of the guide."""

    ENTRY_WITH_MEDIA_STREAMING = (
        "after each *Start media streaming*; if there is none, at the entry, with a new one"
    )
    FIRST_PROMPT = (
        "after each *Start media streaming* and the first prompt; if one of the two is missing, "
        "with a new one"
    )
    MEDIA_STREAMING = "after each *Start media streaming*; refused if there is none"
    ENTRY = "at the entry"
    ENDINGS = (
        "before each *Stop media streaming*, and before transfers, disconnects and ends "
        "(`--stop-before`)"
    )
    NOT_AT_RESUME = "refused: no flow runs when a hold ends"
    NOT_IN_A_WHISPER = "refused: a whisper ends when the conversation begins"


class Places(NamedTuple):
    start: Place
    stop: Place


_TALK = Places(Place.MEDIA_STREAMING, Place.ENDINGS)
_WHISPER = Places(Place.ENTRY_WITH_MEDIA_STREAMING, Place.NOT_IN_A_WHISPER)
_HOLD = Places(Place.NOT_AT_RESUME, Place.ENTRY)

PLACES: Mapping[str, Places] = {
    AGENT_WHISPER: _WHISPER,
    CUSTOMER_WHISPER: _WHISPER,
    OUTBOUND_WHISPER: Places(Place.FIRST_PROMPT, Place.NOT_IN_A_WHISPER),
    CUSTOMER_HOLD: _HOLD,
    AGENT_HOLD: _HOLD,
    QUEUE: Places(Place.MEDIA_STREAMING, Place.ENTRY),
    INBOUND: _TALK,
    AGENT_TRANSFER: _TALK,
    QUEUE_TRANSFER: _TALK,
    MODULE: _TALK,
}
