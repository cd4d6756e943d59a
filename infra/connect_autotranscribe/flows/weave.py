"""Puts start and stop into a flow that a customer already has, and changes nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connect_autotranscribe.flows.blocks import (
    Block,
    InvokeLambdaFunction,
    MessageParticipant,
    Prompt,
    UpdateContactMediaStreamingBehavior,
)
from connect_autotranscribe.flows.flow import COLUMN_WIDTH, ROW_HEIGHT
from connect_autotranscribe.flows.rules import HOLDS, OUTBOUND_WHISPER, WHISPERS, targets

Before = Literal["transfer", "disconnect", "end"]

_ENDINGS: Mapping[Before, frozenset[str]] = {
    "transfer": frozenset(
        {
            "DequeueContactAndTransferToQueue",
            "TransferContactToAgent",
            "TransferContactToQueue",
            "TransferParticipantToThirdParty",
            "TransferToFlow",
        }
    ),
    "disconnect": frozenset({"DisconnectParticipant"}),
    "end": frozenset({"EndFlowExecution"}),
}
_STREAMING = "UpdateContactMediaStreamingBehavior"
_LAMBDA = "InvokeLambdaFunction"
_SILENCE = Prompt(ssml='<speak><break time="100ms"/></speak>')


class CannotWeave(ValueError):
    """There is no place in this flow where that would be right; says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The function that starts transcription, with its parameters.

    :param function_arn: The ARN that is associated with the instance.
    :param attributes: ``customerId`` and ``agentId``, as JSONPaths that the flow's type has.
    """

    function_arn: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The function that stops transcription, and where.

    :param function_arn: The ARN that is associated with the instance.
    :param before: Blocks ahead of which it stops: ``transfer``, ``disconnect``, ``end``. In a hold
        flow it stops at the entry. Default: all three.
    """

    function_arn: str
    before: Collection[Before] = ("transfer", "disconnect", "end")


@dataclass(frozen=True, slots=True)
class Insertion:
    """What was put where: the new blocks in order, and the block that follows them."""

    blocks: tuple[str, ...]
    before: str

    def __str__(self) -> str:
        return f"{' → '.join(self.blocks)}, before {self.before!r}"


@dataclass(frozen=True, slots=True)
class Woven:
    """:param content: The new flow; the one that was given is unchanged.
    :param insertions: Nothing where all was there already.
    """

    content: dict[str, Any]
    insertions: tuple[Insertion, ...]


def weave(
    content: Mapping[str, Any], type: str, *, start: Start | None = None, stop: Stop | None = None
) -> Woven:
    """Put start and stop where they belong in a flow of this type.

    Start goes behind each *Start media streaming* that the flow has. Where it has none, media
    streaming and start go to the entry of a whisper; in an outbound whisper behind the first
    prompt, because what stands before that runs before the call is placed.

    Stop goes directly before each *Stop media streaming*, and with one of its own before the
    endings asked for; in a hold flow it goes to the entry, alone.

    Every path keeps its blocks, their parameters and their order. Weaving twice changes nothing.

    :raises CannotWeave: where that would change what the flow does, or what Connect takes.
    """
    loom = _Loom(copy.deepcopy(dict(content)))
    if start is not None:
        _weave_start(loom, type, start)
    if stop is not None:
        _weave_stop(loom, type, stop)
    return Woven(loom.content, tuple(loom.insertions))


def _weave_start(loom: _Loom, type: str, start: Start) -> None:
    streaming = [name for name in loom.of_type({_STREAMING}) if loom.enables(name)]
    for name in streaming:
        after = loom.next_of(name)
        if loom.calls(after, start.function_arn):
            continue
        loom.insert(_start_blocks(start, media=False), after, edges=[(name, "NextAction")])
    if streaming:
        return
    if type not in WHISPERS:
        raise CannotWeave(
            "it has no Start media streaming, and no place of its own where a call meets its "
            "agent: weave start into the agent whisper flow, or add Start media streaming first"
        )
    if type != OUTBOUND_WHISPER:
        loom.insert(_start_blocks(start), loom.start, edges=[("", "StartAction")])
        return
    prompts = loom.first_prompts()
    if not prompts:
        blocks = [_silence(), *_start_blocks(start)]
        loom.insert(blocks, loom.start, edges=[("", "StartAction")])
    for name in prompts:
        loom.insert(_start_blocks(start), loom.next_of(name), edges=[(name, "NextAction")])


def _weave_stop(loom: _Loom, type: str, stop: Stop) -> None:
    arn = stop.function_arn
    if type in HOLDS:
        if not loom.calls(loom.start, arn):
            loom.insert([_stop_block(stop)], loom.start, edges=[("", "StartAction")])
        return
    for name in loom.of_type({_STREAMING}):
        if not loom.enables(name):
            loom.insert([_stop_block(stop)], name, edges=loom.edges_into(name, but=arn))
    types = frozenset[str]().union(*(_ENDINGS[each] for each in stop.before))
    for name in loom.of_type(types):
        edges = [
            edge
            for edge in loom.edges_into(name, but=arn)
            if not loom.disables(edge[0])  # Stop media streaming stands there, with stop before it
        ]
        loom.insert([_stop_block(stop), _stop_media_streaming()], name, edges=edges)


def _silence() -> MessageParticipant:
    return MessageParticipant(name="Silence", prompt=_SILENCE, next="", on_error="")


def _start_blocks(start: Start, *, media: bool = True) -> list[Block]:
    streaming = UpdateContactMediaStreamingBehavior(
        name="Start media streaming", enabled=True, next="", on_error=""
    )
    block = InvokeLambdaFunction(
        name="Start transcription",
        function_arn=start.function_arn,
        display_name="start_streaming",
        attributes=start.attributes,
        next="",
        on_error="",
    )
    return [streaming, block] if media else [block]


def _stop_block(stop: Stop) -> Block:
    return InvokeLambdaFunction(
        name="Stop transcription",
        function_arn=stop.function_arn,
        display_name="stop_streaming",
        next="",
        on_error="",
    )


def _stop_media_streaming() -> Block:
    return UpdateContactMediaStreamingBehavior(
        name="Stop media streaming", enabled=False, next="", on_error=""
    )


Edge = tuple[str, str]
"""A way into a block: the block it comes from and its place in that block's transitions
(``NextAction``, ``Errors.0``, ``Conditions.2``); the flow's start is ``("", "StartAction")``."""


class _Loom:
    """A flow's content, and the ways between its blocks."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.insertions: list[Insertion] = []
        self._by_name = {str(action["Identifier"]): action for action in content["Actions"]}

    @property
    def start(self) -> str:
        return str(self.content["StartAction"])

    def of_type(self, types: Collection[str]) -> list[str]:
        return [name for name, action in self._by_name.items() if action["Type"] in types]

    def next_of(self, name: str) -> str:
        return str(self._by_name[name]["Transitions"]["NextAction"])

    def enables(self, name: str) -> bool:
        action = self._by_name.get(name, {})
        parameters = action.get("Parameters") or {}
        enabled = parameters.get("MediaStreamingState") == "Enabled"
        return enabled and action.get("Type") == _STREAMING

    def disables(self, name: str) -> bool:
        action = self._by_name.get(name, {})
        return action.get("Type") == _STREAMING and not self.enables(name)

    def calls(self, name: str, function_arn: str) -> bool:
        """Whether the block invokes this function."""
        action = self._by_name.get(name, {})
        parameters = action.get("Parameters") or {}
        called = parameters.get("LambdaFunctionARN") == function_arn
        return called and action.get("Type") == _LAMBDA

    def edges_into(self, name: str, *, but: str) -> list[Edge]:
        """Every way into a block, but from a block that invokes the function ``but``."""
        edges: list[Edge] = [("", "StartAction")] if self.start == name else []
        for source, action in self._by_name.items():
            if not self.calls(source, but):
                edges += [(source, place) for place, to in _ways_out(action) if to == name]
        return edges

    def first_prompts(self) -> list[str]:
        """The first *Play prompt* of each path."""
        found, seen, ahead = [], set(), [self.start]
        while ahead:
            name = ahead.pop(0)
            if name in seen or name not in self._by_name:
                continue
            seen.add(name)
            if self._by_name[name]["Type"] == "MessageParticipant":
                found.append(name)
            else:
                ahead.extend(targets(self._by_name[name]))
        return found

    def insert(self, blocks: list[Block], before: str, *, edges: list[Edge]) -> None:
        """Lead these ways through new blocks to where they led."""
        if not edges:
            return
        if reader := self._reader_of_external(before):
            raise CannotWeave(
                f"{reader!r} reads the answer of a Lambda block ($.External), and a Lambda block "
                f"put before {before!r} would replace it: copy the answer into contact attributes "
                "first, and read those"
            )
        names = [self._free_name(block.name) for block in blocks]
        for block, name, following in zip(blocks, names, [*names[1:], before], strict=True):
            action = block.action()
            action["Identifier"] = name
            # Where Start media streaming fails there is nothing to hear; all else goes on.
            starts = action["Parameters"].get("MediaStreamingState") == "Enabled"
            action["Transitions"]["NextAction"] = following
            action["Transitions"]["Errors"][0]["NextAction"] = before if starts else following
            self.content["Actions"].append(action)
            self._by_name[name] = action
        for edge in edges:
            self._lead(edge, names[0])
        self._draw(blocks, names, before)
        self.insertions.append(Insertion(tuple(names), before))

    def _lead(self, edge: Edge, target: str) -> None:
        source, place = edge
        if place == "StartAction":
            self.content["StartAction"] = target
            return
        transitions = self._by_name[source]["Transitions"]
        kind, _, number = place.partition(".")
        branch = transitions[kind][int(number)] if number else transitions
        branch["NextAction"] = target

    def _reader_of_external(self, name: str) -> str:
        """A block from here on that reads a Lambda's answer before another Lambda runs."""
        seen, ahead = set(), [name]
        while ahead:
            name = ahead.pop()
            if name in seen or name not in self._by_name:
                continue
            seen.add(name)
            action = self._by_name[name]
            if any(word in json.dumps(action.get("Parameters")) for word in _ANSWERS):
                return name
            if action["Type"] != _LAMBDA:
                ahead.extend(targets(action))
        return ""

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self._by_name:
            number += 1
            free = f"{name} {number}"
        return free

    def _draw(self, blocks: list[Block], names: list[str], before: str) -> None:
        """Place the new blocks in a free row above the block that follows; no other one moves."""
        metadata = self.content.get("Metadata") or {}
        drawn = metadata.get("ActionMetadata")
        if not isinstance(drawn, dict):
            return
        taken = [_position(entry) for entry in drawn.values()]
        x, y = _position(drawn.get(before, {}))
        columns = [x + COLUMN_WIDTH * (number - len(names)) for number in range(len(names))]
        while any(
            abs(column - other) < COLUMN_WIDTH and abs(y - high) < ROW_HEIGHT
            for column in columns
            for other, high in taken
        ):
            y -= ROW_HEIGHT
        for block, name, column in zip(blocks, names, columns, strict=True):
            position = {"position": {"x": column, "y": y}, "isFriendlyName": True}
            drawn[name] = position | block.designer()


_ANSWERS = ("$.External", "$['External']", "$.LambdaInvocation", "$['LambdaInvocation']")


def _ways_out(action: Mapping[str, Any]) -> Iterator[Edge]:
    """Each place of an action's transitions, with the block that it leads to."""
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield "NextAction", transitions["NextAction"]
    for kind in ("Errors", "Conditions"):
        for number, branch in enumerate(transitions.get(kind) or ()):
            yield f"{kind}.{number}", branch["NextAction"]


def _position(entry: Mapping[str, Any]) -> tuple[float, float]:
    position = entry.get("position") or {}
    return float(position.get("x", 0)), float(position.get("y", 0))
