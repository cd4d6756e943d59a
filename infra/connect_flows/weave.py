"""Puts start and stop into a flow that a customer already has, and changes nothing else."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connect_flows.blocks import (
    Block,
    InvokeLambdaFunction,
    MessageParticipant,
    Prompt,
    UpdateContactMediaStreamingBehavior,
)
from connect_flows.flow_graph import CannotWeave, Edge, FlowGraph, Insertion
from connect_flows.rules import HOLDS, OUTBOUND_WHISPER, WHISPERS, Problem, check

__all__ = ["Before", "CannotWeave", "Insertion", "Start", "Stop", "Woven", "weave"]

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
_STREAMING = UpdateContactMediaStreamingBehavior.TYPE
_PROMPT = MessageParticipant.TYPE
_SILENCE = Prompt(ssml='<speak><break time="100ms"/></speak>')


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
    streaming and start go to the entry of a whisper. What stands before the first prompt of an
    outbound whisper runs before the call is placed: there, start goes behind that prompt, and a way
    that has none gets a silent one at its end.

    Stop goes directly before each *Stop media streaming*, and with one of its own before those
    endings asked for that media streaming may still reach; in a hold flow it goes to the entry,
    alone.

    Every path keeps its blocks, their parameters and their order. Weaving twice changes nothing.

    :raises CannotWeave: where that would change what the flow does, where there is no place for it,
        or where Connect would refuse the flow, as it is or as it would be.
    """
    _refuse(check(content, type), "as it is")
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
    _refuse(check(graph.content, type), "with transcription in it")
    return Woven(graph.content, tuple(graph.insertions))


def _refuse(problems: Collection[Problem], when: str) -> None:
    if problems:
        raise CannotWeave(*(f"Connect would refuse it {when}: {problem}" for problem in problems))


def _weave_start(graph: FlowGraph, type: str, start: Start) -> None:
    arn = start.function_arn
    streaming = [name for name in graph.of_type({_STREAMING}) if graph.enables(name)]
    unplaced = graph.reach(graph.start, until=_PROMPT) if type == OUTBOUND_WHISPER else set()
    for name in streaming:
        way = Edge(name, "NextAction", graph.next_of(name))
        if name in unplaced:
            _start_when_placed(graph, way, start, media=False)
        else:
            graph.insert(_start_blocks(start, media=False), graph.leading_on([way], arn))
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


def _start_when_placed(graph: FlowGraph, way: Edge, start: Start, *, media: bool) -> None:
    """From this way on, behind each first prompt, and before each end that no prompt leads to."""
    early = graph.reach(way.target, until=_PROMPT)
    answered, silent = [], []
    for edge in (way, *(edge for edge in graph.edges() if edge.source in early)):
        ends = graph.is_an_end(edge.target)
        if not graph.is_a(edge.source, {_PROMPT}):
            silent += [edge] if ends else []
        elif ends or edge.target not in early:  # else a prompt or an end is still to come
            answered.append(edge)
    graph.insert(_start_blocks(start, media=media), graph.leading_on(answered, start.function_arn))
    graph.insert([_silence(), *_start_blocks(start, media=media)], silent)


def _weave_stop(graph: FlowGraph, type: str, stop: Stop) -> None:
    arn = stop.function_arn
    if type in HOLDS:
        graph.insert([_stop_block(stop)], graph.leading_on([graph.entry], arn))
        return
    for name in graph.of_type({_STREAMING}):
        if not graph.enables(name):
            graph.insert([_stop_block(stop)], graph.edges({name}, but_from=graph.callers(arn)))
    endings = graph.of_type(frozenset[str]().union(*(_ENDINGS[each] for each in stop.before)))
    over = graph.callers(arn) | graph.without_streaming(behind=endings)
    blocks = [_stop_block(stop), _stop_media_streaming()]
    graph.insert(blocks, graph.edges(endings, but_from=over))
    if not graph.callers(arn):
        raise CannotWeave(
            "it has no place for a stop: no Stop media streaming, and no block of those that stop "
            f"is asked for ahead of ({', '.join(stop.before)})"
        )


def _silence() -> Block:
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
