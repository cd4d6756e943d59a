"""Where weaving puts start and stop, for each type of flow; the guide's table is made of this."""

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
        "behind each *Start media streaming*; if there is none, to the entry, with one of its own"
    )
    FIRST_PROMPT = (
        "behind each *Start media streaming* and the first prompt; if there is none of the two, "
        "with one of its own"
    )
    MEDIA_STREAMING = "behind each *Start media streaming*; refused if there is none"
    ENTRY = "to the entry"
    ENDINGS = (
        "before each *Stop media streaming*, and before transfers, disconnects and ends "
        "(`--stop-before`)"
    )
    NOT_AT_RESUME = "refused: no flow runs when a hold ends"
    NOT_IN_A_WHISPER = "refused: a whisper ends as the conversation begins"


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
