"""Walks through all that a call can meet, from one phone number, quick connect or queue.

It follows pairs of a block and a state of the call: the flows that are set for later moments, media
streaming, and what our functions did. It assumes that blocks of transcription work, and takes
every other branch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from connect_flows.action_rules import LOOP_PROMPTS, RULES
from connect_flows.audit.findings import CallPath, Finding, Kind
from connect_flows.audit.instance import HOOKS, AuditedFlow, Instance, is_open
from connect_flows.blocks import (
    InvokeLambdaFunction,
    UpdateContactEventHooks,
    UpdateContactMediaStreamingBehavior,
)
from connect_flows.flow_content import Action, targets
from connect_flows.flow_graph import FlowGraph
from connect_flows.flow_types import OUTBOUND_WHISPER

MAX_POSITIONS = 200_000

KNOWN_BLOCKS = frozenset(RULES) | {
    "CheckHoursOfOperation",
    "CheckMetricData",
    "CheckOutboundCallStatus",
    "ConnectParticipantWithLexBot",
    "CreateCallbackContact",
    "CreateTask",
    "DistributeByPercentage",
    "GetParticipantInput",
    "ShowView",
    "TransferParticipantToThirdParty",
    "UpdateContactCallbackNumber",
    "UpdateContactData",
    "UpdateContactRoutingBehavior",
    "UpdateContactTextToSpeechVoice",
    "UpdatePreviousContactParticipantState",
}
"""The action types that surely do not transcribe: those with a rule, and these of the developer
guide."""

Moment = Literal[
    "call",
    "queue",
    "agent whisper",
    "customer whisper",
    "outbound whisper",
    "hold",
    "disconnect",
]
_STREAMING = UpdateContactMediaStreamingBehavior.TYPE
_LAMBDA = InvokeLambdaFunction.TYPE
_HOOKS = UpdateContactEventHooks.TYPE
_MODULE = "InvokeFlowModule"
_QUEUES = frozenset({"DequeueContactAndTransferToQueue", "TransferContactToQueue"})
_RETURNS = frozenset({"EndFlowExecution", "EndFlowModuleExecution"})
_HANGS_UP = "DisconnectParticipant"
_UNKNOWN = "?"
TALK: tuple[str, str] = ("talk", "")


@dataclass(frozen=True, slots=True)
class State:
    """What was done to a call so far.

    :param hooks: Pairs: the event, and the id of the flow that is set for it, or ``?``.
    :param streaming: ``off``, ``on``, ``From`` or ``To`` (that direction only), or ``?``.
    :param transcription: ``off``, ``started``, ``stopped`` or ``?``.
    :param one_sided: The flow and the block that stream one direction only.
    """

    hooks: frozenset[tuple[str, str]] = frozenset()
    streaming: str = "off"
    transcription: str = "off"
    one_sided: tuple[str, str] = ("", "")

    def hook(self, event: str) -> str:
        return dict(self.hooks).get(event, "")

    def setting(self, event: str, flow: str) -> State:
        return replace(self, hooks=frozenset((dict(self.hooks) | {event: flow}).items()))

    def unknown(self) -> State:
        """The state after something that nobody knows: it may have started transcription."""
        if self.transcription == "started":
            return self
        return replace(self, streaming=_UNKNOWN, transcription=_UNKNOWN)


class Origin(NamedTuple):
    """Where a call was handed over to an agent: a block, or a queue's setting."""

    flow: str
    block: str
    queue: str = ""


class _Position(NamedTuple):
    flow: str
    block: str
    state: State
    moment: Moment
    origin: Origin
    modules: tuple[tuple[str, str], ...] = ()
    """The blocks that invoked the modules in which this one is."""
    runs: str = ""
    """The flow that Connect runs, if ``flow`` is one of its modules."""


class Walk:
    """All walks through one instance.

    :ivar notes: What could not be followed.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._found: dict[tuple[Kind, str, str, str], tuple[Finding, dict[str, None]]] = {}
        self._about_transcription: dict[str, bool] = {}
        self.notes: dict[str, None] = {}

    @property
    def findings(self) -> list[Finding]:
        return [replace(each, calls=tuple(calls)) for each, calls in self._found.values()]

    def from_flow(self, entry: str, flow: str) -> CallPath:
        """Walk a call that begins with a flow: that of a phone number or a quick connect."""
        return _Walker(self, self._instance, entry).walk("call", flow, Origin(flow, ""))

    def from_queue(self, entry: str, queue: str, flow: str) -> CallPath:
        """Walk a call that an agent makes from a queue."""
        return _Walker(self, self._instance, entry).walk(
            "outbound whisper", flow, Origin("", "", queue)
        )

    def find(self, entry: str, finding: Finding) -> None:
        key = finding.kind, finding.flow_id, finding.block, finding.setting
        self._found.setdefault(key, (finding, {}))[1][entry] = None

    def is_about_transcription(self, flow: AuditedFlow) -> bool:
        """Whether a module starts, stops or sets something: then its error branch is a failure."""
        if flow.id not in self._about_transcription:
            self._about_transcription[flow.id] = False  # a module may lead back to itself
            kinds = {action["Type"] for action in flow.actions.values()}
            inner = (
                self._instance.named(flow, name, "FlowModuleId") for name in flow.of_type(_MODULE)
            )
            self._about_transcription[flow.id] = (
                bool(kinds & {_STREAMING, _HOOKS})
                or bool(self._instance.roles_in(flow))
                or any(self.is_about_transcription(each) for each in inner if each)
            )
        return self._about_transcription[flow.id]


class _Walker:
    def __init__(self, walk: Walk, instance: Instance, entry: str) -> None:
        self._walk, self._instance, self._entry = walk, instance, entry
        self._ahead: deque[_Position] = deque()
        self._seen: set[_Position] = set()
        self.path = CallPath(entry)

    def walk(self, moment: Moment, flow: str, origin: Origin) -> CallPath:
        begin = ("", "")
        if flow:
            self._run(self._instance.flows.get(flow), flow, State(), moment, origin, begin)
        else:
            self._after(moment, State(), origin, self._add_way(begin, (moment, "")))
        while self._ahead:
            self._perform(self._ahead.popleft())
            if len(self._seen) > MAX_POSITIONS:
                self._note(f"{self._entry}: there are too many ways to follow all of them")
                break
        return self.path

    def _note(self, text: str) -> None:
        self._walk.notes[text] = None

    def _add_way(self, source: tuple[str, str], target: tuple[str, str]) -> tuple[str, str]:
        self.path.flows[target] = None
        if source != ("", ""):
            self.path.ways[source, target] = None
        return target

    def _enqueue(self, position: _Position) -> None:
        if position not in self._seen:
            self._seen.add(position)
            self._ahead.append(position)

    def _run(
        self,
        flow: AuditedFlow | None,
        asked: str,
        state: State,
        moment: Moment,
        origin: Origin,
        source: tuple[str, str],
    ) -> None:
        """Go into a flow. If nobody knows it, nobody knows what it does."""
        here = self._add_way(source, (moment, flow.id if flow else asked))
        if flow is None or flow.content is None:
            name = repr(flow.name) if flow else f"the flow {asked}"
            why = flow.unread if flow else "it is not here"
            self._note(f"{name} is not followed, because {why}")
            self._after(moment, state.unknown(), origin, here)
            return
        self._enqueue(_Position(flow.id, flow.start, state, moment, origin, runs=flow.id))

    def _perform(self, at: _Position) -> None:
        flow = self._instance.flows[at.flow]
        action = flow.actions.get(at.block)
        if action is None:  # `check` says so
            return
        kind = action["Type"]
        if kind == _STREAMING:
            self._follow(at, self._streams(flow, at), _works(action))
        elif kind == _LAMBDA:
            self._invoke(at, flow, action)
        elif kind == _HOOKS:
            self._follow(at, self._sets(flow, at), _works(action))
        elif kind == _MODULE:
            self._into_module(at, flow, action)
        elif kind in _QUEUES:
            self._follow(at, at.state, _errors(action))
            self._to_queue(at.state, Origin(flow.id, at.block), self._here(at))
        elif kind == "TransferContactToAgent":
            self._to_agent(at.state, Origin(flow.id, at.block), self._here(at))
        elif kind == "TransferToFlow":
            self._follow(at, at.state, _errors(action))
            self._to_flow(at, flow)
        else:
            self._others(at, flow, action, kind)

    def _others(self, at: _Position, flow: AuditedFlow, action: Action, kind: str) -> None:
        following = list(targets(action))
        if kind == "TransferParticipantToThirdParty" and at.state.transcription == "started":
            self._goes_on(at, flow)
            at = at._replace(state=replace(at.state, transcription="stopped"))  # one finding
        if kind == LOOP_PROMPTS and at.moment == "queue":  # here the customer waits
            self._to_agent(at.state, at.origin, self._here(at))
            self._follow(at, at.state, following)
        elif kind == _HANGS_UP:
            self._over(at.state, flow, at.block)
        elif kind in _RETURNS or not following:
            self._ends(at, flow)
        else:
            state = at.state if kind in KNOWN_BLOCKS else at.state.unknown()
            self._follow(at, state, following)

    def _here(self, at: _Position) -> tuple[str, str]:
        return (at.moment, at.runs)

    def _follow(self, at: _Position, state: State, to: Iterable[str]) -> None:
        for target in to:
            self._enqueue(at._replace(block=target, state=state))

    # What blocks do.

    def _streams(self, flow: AuditedFlow, at: _Position) -> State:
        parameters = flow.parameters(at.block)
        if parameters.get("MediaStreamingState") != "Enabled":
            return replace(at.state, streaming="off", one_sided=("", ""))
        missing = FlowGraph({"Actions": [flow.actions[at.block]]}).missing_direction(at.block)
        if not missing:
            return replace(at.state, streaming="on", one_sided=("", ""))
        heard = "To" if missing == "From" else "From"
        return replace(at.state, streaming=heard, one_sided=(flow.id, at.block))

    def _invoke(self, at: _Position, flow: AuditedFlow, action: Action) -> None:
        arn = flow.parameters(at.block).get("LambdaFunctionARN")
        role = self._instance.role(arn)
        if role == "start":
            state = at.state
            if state.streaming != "off":  # without a stream there is nothing to transcribe
                state = replace(state, transcription="started")
            self._follow(at, state, _works(action))
        elif role == "stop":
            if at.moment == "hold" and at.state.transcription == "started":
                self._stopped_at_hold(flow, at.block)
            self._follow(at, replace(at.state, transcription="stopped"), _works(action))
        elif self._instance.function(arn) is None:  # perhaps one of ours: `functions` has the note
            self._follow(at, at.state.unknown(), targets(action))
        else:
            self._follow(at, at.state, targets(action))

    def _sets(self, flow: AuditedFlow, at: _Position) -> State:
        state = at.state
        hooks = flow.parameters(at.block).get("EventHooks")
        for event, value in hooks.items() if isinstance(hooks, dict) else ():
            if event not in HOOKS:
                continue
            named = self._instance.named(flow, at.block, "EventHooks", event)
            if named is None:
                self._unknown_name(flow, at.block, f"the flow for {event}", value)
            state = state.setting(event, named.id if named else _UNKNOWN)
        return state

    def _into_module(self, at: _Position, flow: AuditedFlow, action: Action) -> None:
        module = self._instance.named(flow, at.block, "FlowModuleId")
        if module is None or module.content is None:
            value = flow.parameters(at.block).get("FlowModuleId")
            self._unknown_name(flow, at.block, "the module", value)
            self._follow(at, at.state.unknown(), targets(action))
            return
        if not self._walk.is_about_transcription(module):
            self._follow(at, at.state, _errors(action))
        if (at.flow, at.block) not in at.modules:
            modules = (*at.modules, (at.flow, at.block))
            self._enqueue(at._replace(flow=module.id, block=module.start, modules=modules))

    def _to_flow(self, at: _Position, flow: AuditedFlow) -> None:
        named = self._instance.named(flow, at.block, "ContactFlowId")
        if named is None:
            value = flow.parameters(at.block).get("ContactFlowId")
            self._unknown_name(flow, at.block, "the next flow", value)
            return
        self._run(named, named.id, at.state, at.moment, at.origin, self._here(at))

    def _unknown_name(self, flow: AuditedFlow, block: str, what: str, value: object) -> None:
        if is_open(value):
            self._note(
                f"{flow.name} / {block}: {what} is known only during a call ({value}), so it is "
                "not followed"
            )
        else:
            self._note(f"{flow.name} / {block}: {what} ({value}) is not here, or not published")

    # Where a call goes when a flow ends.

    def _ends(self, at: _Position, flow: AuditedFlow) -> None:
        if at.modules:
            caller, block = at.modules[-1]
            back = at._replace(flow=caller, block=block, modules=at.modules[:-1])
            action = self._instance.flows[caller].actions[block]
            self._follow(back, at.state, _returns(action))
        elif at.moment in ("call", "disconnect"):
            self._over(at.state, flow, at.block)
        else:
            self._after(at.moment, at.state, at.origin, self._here(at))

    def _after(self, moment: Moment, state: State, origin: Origin, source: tuple[str, str]) -> None:
        if moment == "queue":
            self._to_agent(state, origin, source)
        elif moment == "agent whisper":
            self._hooked("CustomerWhisper", "customer whisper", state, origin, source)
        elif moment in ("customer whisper", "outbound whisper"):
            self._talk(state, origin, source)

    def _hooked(
        self,
        event: str,
        moment: Moment,
        state: State,
        origin: Origin,
        source: tuple[str, str],
    ) -> None:
        """Run the flow that is set for an event, or Connect's default, or go on without."""
        flow = state.hook(event)
        if flow == _UNKNOWN:
            self._after(moment, state.unknown(), origin, self._add_way(source, (moment, _UNKNOWN)))
            return
        default = None if flow else self._instance.default(HOOKS[event])
        if flow or default:
            found = self._instance.flows.get(flow) or default
            self._run(found, flow, state, moment, origin, source)
        else:
            self._after(moment, state, origin, source)

    def _to_queue(self, state: State, origin: Origin, source: tuple[str, str]) -> None:
        self._hooked("CustomerQueue", "queue", state, origin, source)

    def _to_agent(self, state: State, origin: Origin, source: tuple[str, str]) -> None:
        self._hooked("AgentWhisper", "agent whisper", state, origin, source)

    def _talk(self, state: State, origin: Origin, source: tuple[str, str]) -> None:
        here = self._add_way(source, TALK)
        if state.transcription != "?" and state.streaming != "?":
            if state.transcription != "started" or state.streaming == "off":
                self._no_transcript(state, origin)
            elif state.streaming != "on":
                self._one_sided(state)
        if state.hook("CustomerHold"):
            self._hooked("CustomerHold", "hold", state, origin, here)
        if state.hook("CustomerRemaining") not in ("", _UNKNOWN):
            self._hooked("CustomerRemaining", "disconnect", state, origin, here)
        elif not state.hook("CustomerRemaining") and state.transcription == "started":
            self._no_disconnect_flow(origin)

    # What is wrong.

    def _find(
        self, kind: Kind, flow: str, block: str, setting: str, what: str, remedy: str
    ) -> None:
        found = self._instance.flows.get(flow)
        name = found.name if found else flow
        finding = Finding(kind, name, flow, block, setting, what, remedy)
        self._walk.find(self._entry, finding)

    def _no_transcript(self, state: State, origin: Origin) -> None:
        stopped = state.transcription == "stopped"
        what = (
            "transcription stops before, and nothing starts it for the agent's talk"
            if stopped
            else "nothing starts transcription for the agent's talk"
        )
        if origin.queue:
            flow = self._instance.default(OUTBOUND_WHISPER)
            queue = next(each for each in self._instance.queues if each.id == origin.queue)
            runs = self._instance.flows.get(queue.flow) or flow
            setting = f"Outbound whisper flow of the queue {queue.name!r}"
            now = f"now {runs.name!r}" if runs else "none is set"
            self._find(
                "no-transcript",
                "",
                "",
                setting,
                f"{what}, if an agent calls out from the queue {queue.name!r} ({now})",
                "set our outbound whisper flow, or weave a start into that one",
            )
            return
        whisper = self._instance.flows.get(state.hook("AgentWhisper"))
        customer = self._instance.flows.get(state.hook("CustomerWhisper"))
        if theirs := whisper or customer:
            block = "Set whisper flow"
            setting = f"{block} (now {theirs.name!r})"
            remedy = f"weave a start into {theirs.name!r}, or set our whisper flow instead"
        else:
            setting = "Set whisper flow"
            remedy = f"put the block *Set whisper flow* with our flow before {origin.block!r}"
        self._find("no-transcript", origin.flow, origin.block, setting, what, remedy)

    def _one_sided(self, state: State) -> None:
        heard = "the customer" if state.streaming == "From" else "the agent"
        self._find(
            "one-side-only",
            *state.one_sided,
            "MediaDirections",
            f"media streaming has one direction only, so ASAPP hears {heard} alone",
            "stream both directions, or weave with --both-directions",
        )

    def _stopped_at_hold(self, flow: AuditedFlow, block: str) -> None:
        if not self._instance.lifecycle:
            self._find(
                "stopped-at-hold",
                flow.id,
                block,
                "[lifecycle] mode",
                "no flow runs when the hold ends, so the rest of the call has no transcript",
                'set [lifecycle] mode to "manage" or "adopt", or take the block out',
            )

    def _goes_on(self, at: _Position, flow: AuditedFlow) -> None:
        """A call that is transferred to somebody outside goes on, and no event shows it."""
        self._find(
            "never-stopped",
            flow.id,
            at.block,
            f"stop before {at.block!r}",
            "the call goes on outside, and everything that is said there is transcribed",
            "weave a stop into the flow (--stop)",
        )

    def _over(self, state: State, flow: AuditedFlow, block: str) -> None:
        # With a lifecycle, the event of the hang-up stops it.
        if state.transcription == "started" and not self._instance.lifecycle:
            self._find(
                "never-stopped",
                flow.id,
                block,
                f"stop before {block!r}",
                "the flow ends the call, and has not stopped transcription",
                'weave a stop into the flow (--stop), or set [lifecycle] mode to "manage"',
            )

    def _no_disconnect_flow(self, origin: Origin) -> None:
        if self._instance.lifecycle:
            return
        setting = "Set disconnect flow"
        if origin.queue:
            setting += " in the outbound whisper flow"
        self._find(
            "never-stopped",
            origin.flow,
            origin.block,
            setting,
            "no disconnect flow is set, so nothing stops transcription when the agent has left",
            'set our disconnect flow before, or set [lifecycle] mode to "manage"',
        )


def _works(action: Action) -> Iterator[str]:
    """The branches of a block that did what it is for."""
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield transitions["NextAction"]
    yield from (each["NextAction"] for each in transitions.get("Conditions") or ())


def _errors(action: Action) -> Iterator[str]:
    transitions = action.get("Transitions") or {}
    yield from (each["NextAction"] for each in transitions.get("Errors") or ())


def _returns(action: Action) -> Iterator[str]:
    """The branches of *Invoke module* after the module has returned."""
    yield from _works(action)
    for error in (action.get("Transitions") or {}).get("Errors") or ():
        if error["ErrorType"] == "NoMatchingCondition":
            yield error["NextAction"]
