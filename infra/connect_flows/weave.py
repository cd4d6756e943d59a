"""Puts start and stop into a flow that a customer already has, and changes nothing else."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connect_flows.blocks import (
    Block,
    MessageParticipant,
)
from connect_flows.flow_graph import CannotWeave, Edge, FlowGraph, Insertion
from connect_flows.flow_types import HOLDS, OUTBOUND_WHISPER, WHISPERS
from connect_flows.rules import Problem, examine
from connect_flows.transcription_blocks import (
    SILENCE,
    media_streaming,
    say,
    start_transcription,
    stop_transcription,
)

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
_PROMPT = MessageParticipant.TYPE
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
    :param before: Blocks ahead of which it stops: ``transfer``, ``disconnect``, ``end``. In a hold
        flow it stops at the entry. Default: all three.
    """

    function_arn: str
    before: Collection[Before] = ("transfer", "disconnect", "end")


@dataclass(frozen=True, slots=True)
class Woven:
    """The result of weaving.

    :param content: The new flow. The flow that was given is unchanged.
    :param insertions: Empty if everything was there already.
    :param notes: What the person who weaves must know.
    :param remarks: What differs from the rules, although Connect takes it.
    """

    content: dict[str, Any]
    insertions: tuple[Insertion, ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()


def weave(
    content: Mapping[str, Any],
    type: str,
    *,
    start: Start | None = None,
    stop: Stop | None = None,
    margin: int = 0,
) -> Woven:
    """Put start and stop where they belong in a flow of this type.

    Start goes behind each *Start media streaming* that the flow has. Where it has none, media
    streaming and start go to the entry of a whisper. What stands before the first prompt of an
    outbound whisper runs before the call is placed: there, start goes behind that prompt, and a way
    that has none gets a silent one at its end.

    Stop goes directly before each *Stop media streaming*, and with one of its own before those
    endings asked for that media streaming may still reach; in a hold flow it goes to the entry,
    alone.

    Every path keeps its blocks, their parameters and their order. Weaving twice changes nothing.

    :param margin: Characters to keep free under Connect's limit, for ARNs that are known only at
        deployment.
    :raises CannotWeave: where that would change what the flow does, where there is no place for it,
        or where Connect would refuse the flow, as it is or as it would be.
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
    if start is not None:
        _weave_start(graph, type, start)
    if stop is not None:
        if start is not None and type in WHISPERS and "end" in stop.before:
            raise CannotWeave(
                "a whisper ends as the conversation begins, and a stop there would end what start "
                "has just begun: weave start alone"
            )
        _weave_stop(graph, type, stop)
    after = examine(graph.content, type, margin=margin)
    _refuse(
        [each for each in after if each not in before],
        "with transcription in it",
        "give it that room before transcription is woven in",
    )
    notes = (_NOTHING_RUNS_AT_RESUME,) if stop is not None and type in HOLDS else ()
    return Woven(graph.content, tuple(graph.insertions), notes, tuple(after))


def _refuse(problems: Collection[Problem], when: str, remedy: str) -> None:
    if problems:
        reasons = (f"Connect would refuse it {when}: {problem}" for problem in problems)
        raise CannotWeave(*reasons, remedy=remedy)


def _weave_start(graph: FlowGraph, type: str, start: Start) -> None:
    arn = start.function_arn
    streaming = graph.media_starts()
    unplaced = graph.reachable(graph.start, until=_PROMPT) if type == OUTBOUND_WHISPER else set()
    for name in streaming:
        edge = Edge(name, "NextAction", graph.next_of(name))
        if name in unplaced:
            _start_when_placed(graph, edge, start, media=False)
        else:
            graph.insert(_start_blocks(start, media=False), graph.not_yet_calling([edge], arn))
    if streaming or graph.callers(arn):
        return
    if type not in WHISPERS:
        raise CannotWeave(
            "nothing runs when a call comes back from hold: weave start into the agent whisper flow"
            if type in HOLDS
            else "it has no Start media streaming, and no place of its own where a call meets its "
            "agent: weave start into the agent whisper flow, or add Start media streaming first"
        )
    if type == OUTBOUND_WHISPER:
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


def _weave_stop(graph: FlowGraph, type: str, stop: Stop) -> None:
    arn = stop.function_arn
    if type in HOLDS:
        graph.insert([_stop_block(stop)], graph.not_yet_calling([graph.entry], arn))
        return
    for name in graph.media_stops():
        graph.insert([_stop_block(stop)], graph.edges({name}, not_from=graph.callers(arn)))
    endings = graph.of_type(frozenset[str]().union(*(_ENDINGS[each] for each in stop.before)))
    stopped = graph.callers(arn) | graph.without_streaming(stopped_before=endings)
    blocks = [_stop_block(stop), media_streaming(False, next="", on_error="")]
    graph.insert(blocks, graph.edges(endings, not_from=stopped))
    if not graph.callers(arn):
        raise CannotWeave(
            "it has no place for a stop: no Stop media streaming, and no block of those that stop "
            f"is asked for ahead of ({', '.join(stop.before)})"
        )


def _start_blocks(start: Start, *, media: bool = True) -> list[Block]:
    block = start_transcription(start.function_arn, start.attributes, next="", on_error="")
    return [media_streaming(True, next="", on_error=""), block] if media else [block]


def _stop_block(stop: Stop) -> Block:
    return stop_transcription(stop.function_arn, next="", on_error="")
