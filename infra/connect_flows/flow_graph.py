"""A flow as a graph: blocks are nodes, and each branch of a block is an edge to the next block."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flows.blocks import (
    Block,
    InvokeLambdaFunction,
    UpdateContactEventHooks,
    UpdateContactMediaStreamingBehavior,
)
from connect_flows.flow import COLUMN_WIDTH, ROW_HEIGHT
from connect_flows.flow_content import reachable, targets

_STREAMING = UpdateContactMediaStreamingBehavior.TYPE
_LAMBDA = InvokeLambdaFunction.TYPE
_READS_ANSWER = re.compile(r"\$\W{1,3}(External|LambdaInvocation)\b")
"""In JSON: ``$.External``, ``$['External']``, ``$[\\"External\\"]``."""


class CannotWeave(ValueError):
    """Transcription cannot be put into this flow. Each argument is a reason.

    :param remedy: What to do, if the reasons do not say so.
    """

    def __init__(self, *reasons: str, remedy: str = "") -> None:
        super().__init__(*reasons)
        self.remedy = remedy

    def __str__(self) -> str:
        return "; ".join(self.args)


@dataclass(frozen=True, slots=True)
class Insertion:
    """New blocks, in order, and the block that follows them."""

    blocks: tuple[str, ...]
    before: str

    def __str__(self) -> str:
        return f"{' → '.join(self.blocks)}, before {self.before!r}"


@dataclass(frozen=True, slots=True)
class Edge:
    """One branch of a block.

    :param source: The block from which it leads; ``""`` for the flow's entry.
    :param place: Its place in that block's transitions: ``NextAction``, ``Errors.0``,
        ``Conditions.2``.
    :param target: The block that it leads to.
    """

    source: str
    place: str
    target: str


class FlowGraph:
    """The graph of a flow's content.

    :param content: Changed in place by `insert`.
    :ivar insertions: What was inserted so far.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.insertions: list[Insertion] = []
        self.actions = {str(action["Identifier"]): action for action in content["Actions"]}

    @property
    def start(self) -> str:
        return str(self.content["StartAction"])

    @property
    def entry(self) -> Edge:
        return Edge("", "StartAction", self.start)

    def is_a(self, name: str, types: Collection[str]) -> bool:
        return name in self.actions and self.actions[name]["Type"] in types

    def of_type(self, types: Collection[str]) -> list[str]:
        return [name for name in self.actions if self.is_a(name, types)]

    def is_end(self, name: str) -> bool:
        return not any(targets(self.actions[name]))

    def next_of(self, name: str) -> str:
        return str(self.actions[name]["Transitions"]["NextAction"])

    def _parameter(self, name: str, key: str) -> object:
        return (self.actions[name].get("Parameters") or {}).get(key)

    def media_starts(self) -> list[str]:
        """Each *Start media streaming*."""
        return [name for name in self.of_type({_STREAMING}) if self._state(name) == "Enabled"]

    def media_stops(self) -> list[str]:
        """Each *Stop media streaming*."""
        return [name for name in self.of_type({_STREAMING}) if self._state(name) == "Disabled"]

    def _state(self, name: str) -> object:
        return self._parameter(name, "MediaStreamingState")

    def missing_direction(self, name: str) -> str:
        """The direction that a media streaming block lacks: ``From``, ``To``, or ``""``."""
        listed = [each["MediaDirections"] for each in self._with_directions(name)]
        for direction in ("From", "To"):
            if listed and all(direction not in each for each in listed):
                return direction
        return ""

    def stream_both_directions(self, name: str) -> None:
        for each in self._with_directions(name):
            each["MediaDirections"] = ["From", "To"]
        drawn = self._drawn().get(name)
        if isinstance(drawn, dict):
            drawn |= {"toCustomer": True, "fromCustomer": True}

    def _with_directions(self, name: str) -> list[dict[str, Any]]:
        participants = self._parameter(name, "Participants")
        return [
            each
            for each in (participants if isinstance(participants, list) else ())
            if isinstance(each, dict) and isinstance(each.get("MediaDirections"), list)
        ]

    def hooks(self) -> set[str]:
        """The events for which a block sets a flow, such as ``AgentWhisper``."""
        found: set[str] = set()
        for name in self.of_type({UpdateContactEventHooks.TYPE}):
            hooks = self._parameter(name, "EventHooks")
            found |= set(hooks) if isinstance(hooks, dict) else set()
        return found

    def callers(self, function_arn: str) -> set[str]:
        """The blocks that invoke this function."""
        return {
            name
            for name in self.of_type({_LAMBDA})
            if self._parameter(name, "LambdaFunctionARN") == function_arn
        }

    def reachable(self, name: str, *, until: str) -> set[str]:
        """This block and every block that it leads to; not those after a block of type `until`."""
        return reachable([name], self.actions, until=until)

    def behind(self, names: Iterable[str]) -> set[str]:
        """Every block that these lead to."""
        return reachable((to for name in names for to in targets(self.actions[name])), self.actions)

    def without_streaming(self) -> set[str]:
        """The blocks after which media streaming is off, on every path to them.

        A module counts as a start of media streaming, because its content is not known here.
        """
        stops = set(self.media_stops())
        starts = {*self.media_starts(), *self.of_type({"InvokeFlowModule"})}
        first = [self.start, *(to for name in starts for to in targets(self.actions[name]))]
        not_stopping = {name: self.actions[name] for name in self.actions if name not in stops}
        return set(self.actions) - reachable(first, not_stopping) - starts

    def edges(
        self, into: Collection[str] | None = None, *, not_from: Collection[str] = ()
    ) -> list[Edge]:
        """The edges of the flow.

        :param into: Only edges that lead to these blocks. Default: all blocks.
        :param not_from: No edges that lead from these blocks.
        """
        every = [self.entry, *(e for name, a in self.actions.items() for e in _edges_of(name, a))]
        return [e for e in every if e.source not in not_from and (into is None or e.target in into)]

    def not_yet_calling(self, edges: Iterable[Edge], function_arn: str) -> list[Edge]:
        """The edges that do not lead directly to a block that invokes this function."""
        callers = self.callers(function_arn)
        return [edge for edge in edges if edge.target not in callers]

    def insert(self, blocks: list[Block], edges: Iterable[Edge]) -> None:
        """Put new blocks on these edges. Edges with the same target share the new blocks.

        :param blocks: The blocks, in order. Their names and targets are replaced.
        :raises CannotWeave: if a block after them reads the answer of an earlier Lambda block.
        """
        by_target: dict[str, list[Edge]] = {}
        for edge in edges:
            by_target.setdefault(edge.target, []).append(edge)
        for target, group in by_target.items():
            self._insert_before(target, blocks, group)

    def _insert_before(self, target: str, blocks: list[Block], edges: list[Edge]) -> None:
        if reader := self._reader_of_answer(target):
            raise CannotWeave(
                f"{reader!r} reads the answer of a Lambda block ($.External), and a new Lambda "
                f"block before {target!r} would overwrite it: first copy the answer into contact "
                "attributes, and read those instead"
            )
        names = [self._free_name(block.name) for block in blocks]
        for block, name, following in zip(blocks, names, [*names[1:], target], strict=True):
            action = block.action()
            action["Identifier"] = name
            # If Start media streaming fails there is no audio, so transcription is not started.
            starts = action["Parameters"].get("MediaStreamingState") == "Enabled"
            action["Transitions"]["NextAction"] = following
            action["Transitions"]["Errors"][0]["NextAction"] = target if starts else following
            self.content["Actions"].append(action)
            self.actions[name] = action
        for edge in edges:
            self._redirect(edge, names[0])
        self._draw(blocks, names, target)
        self.insertions.append(Insertion(tuple(names), target))

    def _redirect(self, edge: Edge, target: str) -> None:
        if not edge.source:
            self.content["StartAction"] = target
            return
        transitions = self.actions[edge.source]["Transitions"]
        kind, _, number = edge.place.partition(".")
        branch = transitions[kind][int(number)] if number else transitions
        branch["NextAction"] = target

    def _reader_of_answer(self, name: str) -> str:
        """The first block from here on that reads the answer of a Lambda before this point."""
        for reader in sorted(reachable([name], self.actions, until=_LAMBDA)):
            if _READS_ANSWER.search(json.dumps(self.actions[reader])):
                return reader
        return ""

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self.actions or free in self._drawn():
            number += 1
            free = f"{name} {number}"
        return free

    def _drawn(self) -> dict[str, Any]:
        """The flow designer's entries for the blocks; empty if the flow has no such metadata."""
        metadata = self.content.get("Metadata")
        drawn = metadata.get("ActionMetadata") if isinstance(metadata, dict) else None
        return drawn if isinstance(drawn, dict) else {}

    def _draw(self, blocks: list[Block], names: list[str], before: str) -> None:
        """Draw the new blocks in a free row above the next block. No other block moves."""
        drawn = self._drawn()
        if not drawn:
            return
        entry = {"position": self.content["Metadata"].get("entryPointPosition")}
        taken = [_position(each) for each in (entry, *drawn.values())]
        x, y = _position(drawn.get(before))
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


def _edges_of(name: str, action: Mapping[str, Any]) -> Iterator[Edge]:
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield Edge(name, "NextAction", transitions["NextAction"])
    for kind in ("Errors", "Conditions"):
        for number, branch in enumerate(transitions.get(kind) or ()):
            yield Edge(name, f"{kind}.{number}", branch["NextAction"])


def _position(entry: object) -> tuple[float, float]:
    """The position of a block in the flow designer; the origin if the metadata do not say."""
    position = entry.get("position") if isinstance(entry, dict) else None
    if isinstance(position, dict):
        x, y = position.get("x"), position.get("y")
        if isinstance(x, int | float) and isinstance(y, int | float) and abs(x) + abs(y) < 1e9:
            return x, y
    return 0, 0
