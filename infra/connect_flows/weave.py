"""Puts start and stop into a flow that a customer already has, and changes nothing else.

Where they go is said in `connect_flows.places`.
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
    Place.MEDIA_STREAMING: "it has no Start media streaming, and no place of its own where a call "
    "meets its agent: weave start into the agent whisper flow, or add Start media streaming first",
    Place.NOT_AT_RESUME: "nothing runs when a call comes back from hold: weave start into the "
    "agent whisper flow",
    Place.NOT_IN_A_WHISPER: "a whisper ends as the conversation begins, and a stop there would end "
    "what start has just begun: weave stop into the hold, transfer and disconnect flows",
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
    :param attributes: ``customerId`` and ``agentId``, as JSONPaths that the flow's type has.
    """

    function_arn: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The function that stops transcription, and where.

    :param function_arn: The ARN that is associated with the instance.
    :param before: Blocks before which it stops; in hold and customer queue flows it stops at the
        entry instead. Default: all of them.
    """

    function_arn: str
    before: Collection[Before] = EVERY_ENDING


@dataclass(frozen=True, slots=True)
class Woven:
    """The result of weaving.

    :param content: The new flow. The flow that was given is unchanged.
    :param insertions: Empty if everything was there already.
    :param widened: The media streaming blocks that now stream both directions.
    :param notes: What the person who weaves must know.
    :param remarks: What differs from the rules, although Connect takes it.
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
    """Put start and stop where they belong in a flow of this type; see `connect_flows.places`.

    Every path keeps its blocks, their parameters, their order, and the state of media streaming.
    *Start media streaming* is added only to a whisper that has none; *Stop media streaming* is
    never added, because another system may read the same audio. Weaving twice changes nothing.

    What stands before the first prompt of an outbound whisper runs before the call is placed. So
    start goes behind that prompt, and a path without a prompt gets a silent one at its end.

    :param both_directions: Whether a flow that streams one direction is changed to stream both.
        Default: it is refused if start goes in, because ASAPP would hear one side only.
    :param margin: Characters to keep free under Connect's limit, for ARNs that are known only at
        deployment.
    :raises CannotWeave: if that would change what the flow does, if there is no place for it, or if
        Connect would refuse the flow, as it is or as it would be.
    """
    before = examine(content, type)
    _refuse(
        [each for each in before if each.refuses],
        "as it is",
        f"mend it in the flow designer and export it again, or correct the type if {type} is not "
        "its",
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
        "give it that room before transcription is woven in",
    )
    notes = tuple(_notes(graph, PLACES[type].start, start, stop))
    return Woven(graph.content, tuple(graph.insertions), widened, notes, tuple(after))


def _refuse(problems: Collection[Problem], when: str, remedy: str) -> None:
    if problems:
        reasons = (f"Connect would refuse it {when}: {problem}" for problem in problems)
        raise CannotWeave(*reasons, remedy=remedy)


def _hear_both_sides(graph: FlowGraph, both_directions: bool) -> tuple[str, ...]:
    """Refuse, or widen, what streams one direction only."""
    one_sided = [name for name in graph.media_starts() if graph.missing_direction(name)]
    if one_sided and not both_directions:
        unheard = {"From": "the customer", "To": "the agent"}
        raise CannotWeave(
            *(
                f"{name!r} streams one direction only, so that ASAPP would not hear "
                f"{unheard[graph.missing_direction(name)]}: stream both in the flow designer, or "
                "have it changed (--both-directions, in Python both_directions=True)"
                for name in one_sided
            )
        )
    if not one_sided:
        return ()
    # What is widened must be stopped in both directions, too.
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
    """Start behind each first prompt from this edge on, and before each end without a prompt."""
    unplaced = graph.reachable(first.target, until=_PROMPT)
    answered, silent = [], []
    for edge in (first, *(edge for edge in graph.edges() if edge.source in unplaced)):
        ends = graph.is_end(edge.target)
        if not graph.is_a(edge.source, {_PROMPT}):
            silent += [edge] if ends else []
        elif ends or edge.target not in unplaced:  # else a prompt or an end is still to come
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
        if start is None:  # else what starts behind the entry must stop as well
            return
    for name in graph.media_stops():
        graph.insert(blocks, graph.edges({name}, not_from=graph.callers(arn)))
    stopped = graph.callers(arn) | graph.without_streaming()
    graph.insert(blocks, graph.edges(_endings(graph, stop), not_from=stopped))
    if not graph.callers(arn):
        raise CannotWeave(
            "it has no place for a stop: no Stop media streaming, and no block of those that stop "
            f"is asked for ahead of ({', '.join(stop.before)})"
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
                ", or let transcription go on through the queue: --stop-before transfer-out "
                "disconnect end"
            )
        elif name in graph.behind(graph.media_stops()):
            remedy = ""
        else:
            continue
        yield (
            f"transcription stops before {name!r}, and this flow sets no whisper flow that starts "
            "it again: the talk with the agent has no transcript unless the queue's own whisper "
            f"starts it. Set a whisper flow that starts{remedy}"
        )


def _start_blocks(start: Start, *, media: bool = True) -> list[Block]:
    block = start_transcription(start.function_arn, start.attributes, next="", on_error="")
    return [media_streaming(True, next="", on_error=""), block] if media else [block]


def _stop_block(stop: Stop) -> Block:
    return stop_transcription(stop.function_arn, next="", on_error="")
