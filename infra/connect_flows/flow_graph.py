"""A flow's content as blocks and the ways between them, and putting more blocks on such a way."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flows.blocks import (
    Block,
    InvokeLambdaFunction,
    UpdateContactMediaStreamingBehavior,
)
from connect_flows.flow import COLUMN_WIDTH, ROW_HEIGHT
from connect_flows.rules import reach, targets

_STREAMING = UpdateContactMediaStreamingBehavior.TYPE
_LAMBDA = InvokeLambdaFunction.TYPE
_READS_AN_ANSWER = re.compile(r"\$\W{1,3}(External|LambdaInvocation)\b")
"""In JSON: ``$.External``, ``$['External']``, ``$[\\"External\\"]``."""


class CannotWeave(ValueError):
    """It would not be right in this flow; each argument says why, and what to do."""

    def __str__(self) -> str:
        return "; ".join(str(reason) for reason in self.args)


@dataclass(frozen=True, slots=True)
class Insertion:
    """What was put where: the new blocks in order, and the block that follows them."""

    blocks: tuple[str, ...]
    before: str

    def __str__(self) -> str:
        return f"{' → '.join(self.blocks)}, before {self.before!r}"


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one block to another.

    :param source: The block it comes from; ``""`` for the flow's entry.
    :param place: Where it stands in that block's transitions: ``NextAction``, ``Errors.0``,
        ``Conditions.2``.
    :param target: The block it leads to.
    """

    source: str
    place: str
    target: str


class FlowGraph:
    """A flow's content, and the ways between its blocks."""

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

    def is_an_end(self, name: str) -> bool:
        return not any(targets(self.actions[name]))

    def next_of(self, name: str) -> str:
        return str(self.actions[name]["Transitions"]["NextAction"])

    def _parameter(self, name: str, key: str) -> object:
        return (self.actions[name].get("Parameters") or {}).get(key)

    def enables(self, name: str) -> bool:
        """Whether the block, which is one of media streaming, starts it."""
        return self._parameter(name, "MediaStreamingState") == "Enabled"

    def callers(self, function_arn: str) -> set[str]:
        """The blocks that invoke this function."""
        return {
            name
            for name in self.of_type({_LAMBDA})
            if self._parameter(name, "LambdaFunctionARN") == function_arn
        }

    def reach(self, name: str, *, until: str) -> set[str]:
        """This block and all that it leads to, but nothing behind a block of one type."""
        return reach([name], self.actions, until=until)

    def without_streaming(self, *, behind: Collection[str]) -> set[str]:
        """The blocks that a call leaves with media streaming off, whichever way it has come.

        :param behind: Blocks behind which it will be.
        """
        stops = {name for name in self.of_type({_STREAMING}) if not self.enables(name)}
        starts = set(self.of_type({_STREAMING, "InvokeFlowModule"})) - stops
        ahead = [self.start, *(target for name in starts for target in targets(self.actions[name]))]
        others = {name: self.actions[name] for name in {*self.actions} - stops - {*behind}}
        return set(self.actions) - reach(ahead, others) - starts

    def edges(
        self, into: Collection[str] | None = None, *, but_from: Collection[str] = ()
    ) -> list[Edge]:
        """Every way, or only those into some blocks; none from some others."""
        every = [self.entry, *(e for name, a in self.actions.items() for e in _ways_out(name, a))]
        return [e for e in every if e.source not in but_from and (into is None or e.target in into)]

    def leading_on(self, edges: Iterable[Edge], function_arn: str) -> list[Edge]:
        """Those of these ways that do not lead to a block that invokes this function."""
        callers = self.callers(function_arn)
        return [edge for edge in edges if edge.target not in callers]

    def insert(self, blocks: list[Block], edges: Iterable[Edge]) -> None:
        """Lead these ways through new blocks to where they led."""
        by_target: dict[str, list[Edge]] = {}
        for edge in edges:
            by_target.setdefault(edge.target, []).append(edge)
        for target, ways in by_target.items():
            self._insert_before(target, blocks, ways)

    def _insert_before(self, target: str, blocks: list[Block], ways: list[Edge]) -> None:
        if reader := self._reader_of_an_answer(target):
            raise CannotWeave(
                f"{reader!r} reads the answer of a Lambda block ($.External), and a Lambda block "
                f"put before {target!r} would replace it: copy the answer into contact attributes "
                "first, and read those"
            )
        names = [self._free_name(block.name) for block in blocks]  # each block has its own
        for block, name, following in zip(blocks, names, [*names[1:], target], strict=True):
            action = block.action()
            action["Identifier"] = name
            # Where Start media streaming fails there is nothing to hear; all else goes on.
            starts = action["Parameters"].get("MediaStreamingState") == "Enabled"
            action["Transitions"]["NextAction"] = following
            action["Transitions"]["Errors"][0]["NextAction"] = target if starts else following
            self.content["Actions"].append(action)
            self.actions[name] = action
        for way in ways:
            self._lead(way, names[0])
        self._draw(blocks, names, target)
        self.insertions.append(Insertion(tuple(names), target))

    def _lead(self, way: Edge, target: str) -> None:
        if not way.source:
            self.content["StartAction"] = target
            return
        transitions = self.actions[way.source]["Transitions"]
        kind, _, number = way.place.partition(".")
        branch = transitions[kind][int(number)] if number else transitions
        branch["NextAction"] = target

    def _reader_of_an_answer(self, name: str) -> str:
        """A block from here on that reads a Lambda's answer before another Lambda runs."""
        for reader in sorted(reach([name], self.actions, until=_LAMBDA)):
            if _READS_AN_ANSWER.search(json.dumps(self.actions[reader])):
                return reader
        return ""

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self.actions or free in self._drawn():
            number += 1
            free = f"{name} {number}"
        return free

    def _drawn(self) -> dict[str, Any]:
        """The designer's entries for the blocks; none where the flow has no such metadata."""
        metadata = self.content.get("Metadata")
        drawn = metadata.get("ActionMetadata") if isinstance(metadata, dict) else None
        return drawn if isinstance(drawn, dict) else {}

    def _draw(self, blocks: list[Block], names: list[str], before: str) -> None:
        """Place the new blocks in a free row above the block that follows; no other one moves."""
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


def _ways_out(name: str, action: Mapping[str, Any]) -> Iterator[Edge]:
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield Edge(name, "NextAction", transitions["NextAction"])
    for kind in ("Errors", "Conditions"):
        for number, branch in enumerate(transitions.get(kind) or ()):
            yield Edge(name, f"{kind}.{number}", branch["NextAction"])


def _position(entry: object) -> tuple[float, float]:
    """Where a block is drawn; the origin where its metadata do not say."""
    position = entry.get("position") if isinstance(entry, dict) else None
    if isinstance(position, dict):
        x, y = position.get("x"), position.get("y")
        if isinstance(x, int | float) and isinstance(y, int | float) and abs(x) + abs(y) < 1e9:
            return x, y
    return 0, 0
