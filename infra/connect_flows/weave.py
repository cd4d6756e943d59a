"""Puts start and stop into a customer's own flow, and changes nothing else.

`connect_flows.places` says where they go.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connect_flows.blocks import Block, MessageParticipant
from connect_flows.flow_graph import CannotWeave, Edge, FlowGraph, Insertion
from connect_flows.places import ENDINGS, EVERY_ENDING, PLACES, Before, Place
from connect_flows.rules import Problem, examine
from connect_flows.transcription_blocks import (
    SILENCE,
    media_streaming,
    say,
    start_transcription,
    stop_transcription,
)

_PROMPT = MessageParticipant.TYPE
_STARTING_HOOKS = frozenset({"AgentWhisper", "CustomerWhisper"})

_REFUSED = {
    Place.MEDIA_STREAMING: "it has no Start media streaming, so there is no place for a start: "
    "weave start into the agent whisper flow, or add Start media streaming first",
    Place.NOT_AT_RESUME: "no flow runs when a hold ends: weave start into the agent whisper flow",
    Place.NOT_IN_A_WHISPER: "a whisper ends when the conversation begins, so a stop in it would "
    "end transcription at once: weave stop into the hold, transfer and disconnect flows",
}
_NOTHING_RUNS_AT_RESUME = (
    "transcription stops at each hold, and no flow runs when the hold ends: without [lifecycle] in "
    "the settings (mode manage or adopt) it does not start again, and the rest of the call has no "
    "transcript"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The function that starts transcription, with its parameters.

    :param function_arn: The ARN that is associated with the instance.
    :param attributes: ``customerId`` and ``agentId``, as JSONPaths; see `start_attributes`.
    """

    function_arn: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The function that stops transcription, and the places to stop.

    :param function_arn: The ARN that is associated with the instance.
    :param before: Stop before these blocks. Hold and customer queue flows stop at the entry
        instead. Default: all of them.
    """

    function_arn: str
    before: Collection[Before] = EVERY_ENDING


@dataclass(frozen=True, slots=True)
class Woven:
    """The result of weaving.

    :param content: The new flow. The given flow is not changed.
    :param insertions: Empty if the flow had all blocks already.
    :param widened: The media streaming blocks that now stream both directions.
    :param notes: Consequences that you must know.
    :param remarks: Differences from the rules that Connect may accept.
    """

    content: dict[str, Any]
    insertions: tuple[Insertion, ...]
    widened: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()


def weave(
    content: Mapping[str, Any],
    type: str,
    *,
    start: Start | None = None,
    stop: Stop | None = None,
    both_directions: bool = False,
    margin: int = 0,
) -> Woven:
    """Put start and stop into a flow of this type; `connect_flows.places` says where.

    Every path keeps its blocks, their parameters, their order, and the state of media streaming.
    *Start media streaming* is added only to a whisper that has none. *Stop media streaming* is
    never added, because another system may read the same audio. Weaving again changes nothing.

    In an outbound whisper, the blocks before the first prompt run before the call is placed. So
    start goes after that prompt, and a path without a prompt gets a silent one at its end.

    :param both_directions: Whether to change a flow that streams one direction, so that it streams
        both. Default: weaving a start into it is refused, because ASAPP would transcribe one side
        only.
    :param margin: Characters to keep free below Connect's limit, for ARNs that are known only at
        deployment.
    :raises CannotWeave: if weaving would change what the flow does, if there is no place for a
        block, or if Connect would refuse the flow, with or without the new blocks.
    """
    before = examine(content, type)
    _refuse(
        [each for each in before if each.refuses],
        "as it is",
        f"correct it in the flow designer and export it again, or correct the type {type}",
    )
    if start and stop and start.function_arn == stop.function_arn:
        raise CannotWeave("start and stop are the same function: give the ARN of each")
    graph = FlowGraph(copy.deepcopy(dict(content)))
    widened: tuple[str, ...] = ()
    if start is not None:
        widened = _hear_both_sides(graph, both_directions)
        _weave_start(graph, PLACES[type].start, start)
    if stop is not None:
        _weave_stop(graph, PLACES[type].stop, stop, start)
    after = examine(graph.content, type, margin=margin)
    _refuse(
        [each for each in after if each not in before],
        "with transcription in it",
        "change the flow so that it allows the new blocks, and weave again",
    )
    notes = tuple(_notes(graph, PLACES[type].start, start, stop))
    return Woven(graph.content, tuple(graph.insertions), widened, notes, tuple(after))


def _refuse(problems: Collection[Problem], when: str, remedy: str) -> None:
    if problems:
        reasons = (f"Connect would refuse it {when}: {problem}" for problem in problems)
        raise CannotWeave(*reasons, remedy=remedy)


def _hear_both_sides(graph: FlowGraph, both_directions: bool) -> tuple[str, ...]:
    """Refuse a flow that streams one direction only, or change it to both directions."""
    one_sided = [name for name in graph.media_starts() if graph.missing_direction(name)]
    if one_sided and not both_directions:
        unheard = {"From": "the customer", "To": "the agent"}
        raise CannotWeave(
            *(
                f"{name!r} streams one direction only, and ASAPP would not hear "
                f"{unheard[graph.missing_direction(name)]}: stream both in the flow designer, or "
                "let weaving change it (--both-directions, in Python both_directions=True)"
                for name in one_sided
            )
        )
    if not one_sided:
        return ()
    # If a start now streams both directions, its stop must stop both.
    widened = [*one_sided, *(name for name in graph.media_stops() if graph.missing_direction(name))]
    for name in widened:
        graph.stream_both_directions(name)
    return tuple(widened)


def _weave_start(graph: FlowGraph, place: Place, start: Start) -> None:
    arn = start.function_arn
    streaming = graph.media_starts()
    outbound = place is Place.FIRST_PROMPT
    unplaced = graph.reachable(graph.start, until=_PROMPT) if outbound else set()
    for name in streaming:
        edge = Edge(name, "NextAction", graph.next_of(name))
        if name in unplaced:
            _start_when_placed(graph, edge, start, media=False)
        else:
            graph.insert(_start_blocks(start, media=False), graph.not_yet_calling([edge], arn))
    if streaming or graph.callers(arn):
        return
    if place in _REFUSED:
        raise CannotWeave(_REFUSED[place])
    if outbound:
        _start_when_placed(graph, graph.entry, start, media=True)
    else:
        graph.insert(_start_blocks(start), [graph.entry])


def _start_when_placed(graph: FlowGraph, first: Edge, start: Start, *, media: bool) -> None:
    """Start after each first prompt from this edge on, and before each end without a prompt."""
    unplaced = graph.reachable(first.target, until=_PROMPT)
    answered, silent = [], []
    for edge in (first, *(edge for edge in graph.edges() if edge.source in unplaced)):
        ends = graph.is_end(edge.target)
        if not graph.is_a(edge.source, {_PROMPT}):
            silent += [edge] if ends else []
        elif ends or edge.target not in unplaced:  # else there is a prompt or an end later
            answered.append(edge)
    blocks = _start_blocks(start, media=media)
    graph.insert(blocks, graph.not_yet_calling(answered, start.function_arn))
    graph.insert([say("Silence", SILENCE, next=""), *blocks], silent)


def _weave_stop(graph: FlowGraph, place: Place, stop: Stop, start: Start | None) -> None:
    if place in _REFUSED:
        raise CannotWeave(_REFUSED[place])
    arn, blocks = stop.function_arn, [_stop_block(stop)]
    if place is Place.ENTRY:
        graph.insert(blocks, graph.not_yet_calling([graph.entry], arn))
        if start is None:  # else a start after the entry needs its own stop
            return
    for name in graph.media_stops():
        graph.insert(blocks, graph.edges({name}, not_from=graph.callers(arn)))
    stopped = graph.callers(arn) | graph.without_streaming()
    graph.insert(blocks, graph.edges(_endings(graph, stop), not_from=stopped))
    if not graph.callers(arn):
        raise CannotWeave(
            "there is no place for a stop: it has no Stop media streaming, and none of the blocks "
            f"before which to stop ({', '.join(stop.before)})"
        )


def _endings(graph: FlowGraph, stop: Stop) -> list[str]:
    return graph.of_type(frozenset[str]().union(*(ENDINGS[each] for each in stop.before)))


def _notes(graph: FlowGraph, place: Place, start: Start | None, stop: Stop | None) -> Iterator[str]:
    if stop is not None and place is Place.NOT_AT_RESUME:
        yield _NOTHING_RUNS_AT_RESUME
    if start is None or graph.hooks() & _STARTING_HOOKS:
        return
    behind = graph.behind(graph.callers(start.function_arn))
    endings = set(_endings(graph, stop)) if stop is not None else set[str]()
    for name in sorted(behind & set(graph.of_type(ENDINGS["queue"]))):
        if name in endings:
            remedy = (
                ", or let transcription go on in the queue: --stop-before transfer-out disconnect "
                "end"
            )
        elif name in graph.behind(graph.media_stops()):
            remedy = ""
        else:
            continue
        yield (
            f"transcription stops before {name!r}, and this flow sets no whisper flow that starts "
            "it again: the talk with the agent has no transcript, unless the queue's own whisper "
            f"starts it. Set a whisper flow that starts transcription{remedy}"
        )


def _start_blocks(start: Start, *, media: bool = True) -> list[Block]:
    block = start_transcription(start.function_arn, start.attributes, next="", on_error="")
    return [media_streaming(True, next="", on_error=""), block] if media else [block]


def _stop_block(stop: Stop) -> Block:
    return stop_transcription(stop.function_arn, next="", on_error="")
