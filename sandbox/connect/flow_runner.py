"""Runs a flow's content block by block for one simulated contact, as Amazon Connect would.

The runner refuses a flow before the first block if `connect_flows.rules` refuses it or has a note
on it. If a call reaches a block that the runner does not know, that is an error. So if a flow runs
to its end, all of its blocks were really performed. If a block fails during a call, its error
branch follows, as in Connect. If Connect's pages do not say something, the runner is strict.

Sources, under https://docs.aws.amazon.com/connect/latest: adminguide/connect-lambda-functions.html,
adminguide/connect-attrib-list.html, devguide/flow-language-actions.html.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connect_flows.action_rules import LOOP_PROMPTS, NOT_BEFORE_LOOP_PROMPTS, RULES
from connect_flows.flow_content import NotAFlow, parse
from connect_flows.flow_types import FLOW_TYPES, MODULE
from connect_flows.rules import examine
from sandbox.connect.contact import Contact
from sandbox.connect.flow_blocks import BLOCKS
from sandbox.connect.flow_outcome import (
    ENDS,
    RETURNS,
    Action,
    BlockFailed,
    FlowError,
    Outcome,
    leads_on,
    parameter,
    takes_error_branch,
)
from sandbox.connect.flow_state import FlowState, SimulatedInstance
from sandbox.connect.flow_values import look_up

MAX_STEPS = 1_000
MAX_MODULE_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One block of the path.

    :param block: Its identifier.
    :param type: Its action type.
    :param branch: ``NextAction``, an error type, the condition that was true (``Equals x``), or how
        the flow ended: ``Loops``, ``Ends``, ``Returns``, ``Disconnects``, ``Transfers to queue``,
        ``… to agent``, ``… to flow``.
    :param ms: How long it took.
    :param detail: Why an error branch was taken, what was said, or where the flow led. Flows do not
        see it.
    :param module: The module of the block, ``""`` for the flow itself.
    """

    block: str
    type: str
    branch: str
    ms: int
    detail: str = ""
    module: str = ""


@dataclass(kw_only=True)
class FlowRunner(SimulatedInstance):
    """A simulated instance that runs flows for simulated contacts.

    :raises FlowError: if Connect would refuse a module.

    .. code-block:: python

        runner = FlowRunner(invoke_lambda=lambda arn, event, seconds: {"status": "started"})
        contact = Contact("5ca3…", instance_arn, agent=Agent("jane"))
        path = runner.run(content, contact, "AGENT_WHISPER")
    """

    def __post_init__(self) -> None:
        self.modules = {
            name: _accepted(content, MODULE, f"module {name!r}")
            for name, content in self.modules.items()
        }

    def run(self, content: Mapping[str, Any], contact: Contact, flow_type: str) -> list[Step]:
        """Run one flow to its end, and return its path.

        :param content: A flow's content, Version 2019-10-30.
        :param contact: The flow's blocks change it.
        :param flow_type: CloudFormation's name for it, such as ``AGENT_WHISPER``.
        :raises FlowError: if Connect would refuse the flow, or the runner does not know it.
        """
        run = self.start(content, contact, flow_type)
        run.to_the_end()
        return run.steps

    def start(self, content: Mapping[str, Any], contact: Contact, flow_type: str) -> FlowRun:
        """Like `run`, but stop before the first block."""
        if flow_type not in FLOW_TYPES:
            raise FlowError(f"no flow type {flow_type!r}; one of {', '.join(sorted(FLOW_TYPES))}")
        return FlowRun(self, _accepted(content, flow_type, "the flow"), contact, flow_type)


class FlowRun:
    """A flow that runs for a contact.

    :ivar steps: The path so far.
    :ivar ending: How the flow ended; None until then.
    """

    def __init__(
        self, runner: FlowRunner, content: Mapping[str, Any], contact: Contact, flow_type: str
    ) -> None:
        self.steps: list[Step] = []
        self.ending: Outcome | None = None
        self._state = FlowState(instance=runner, contact=contact, flow_type=flow_type)
        self._ahead_of_loop_prompts = ""
        self._has_looped_prompts = False
        self._blocks = self._walk(content)
        self._ahead = next(self._blocks, None)

    def until(self, type: str) -> None:
        """Go on until before the first block of an action type, or to the end."""
        while self._ahead is not None and self._ahead["Type"] != type:
            self._ahead = next(self._blocks, None)

    def to_the_end(self) -> Outcome:
        """Go on to the end, and return how the flow ended."""
        self.until("")
        if self.ending is None:
            raise AssertionError("a flow came to no end")
        return self.ending

    def _walk(self, content: Mapping[str, Any]) -> Generator[Action, None, Outcome]:
        """Yield each block, then perform it. Return how the flow or the module ends."""
        actions: dict[str, Action] = {
            each["Identifier"]: each
            | {name: each.get(name) or {} for name in ("Parameters", "Transitions")}
            for each in content["Actions"]
        }
        action = actions[content["StartAction"]]
        while True:
            yield action
            place = len(self.steps)
            if place >= MAX_STEPS:
                raise FlowError(
                    f"{MAX_STEPS} blocks and no end; the flow goes round in "
                    + " → ".join(step.block for step in self.steps[-5:])
                )
            module = self._state.modules[-1] if self._state.modules else ""
            # A module's own steps come after the block that invoked it.
            self.steps.append(Step(action["Identifier"], action["Type"], "", 0, module=module))
            began = self._state.instance.now()
            outcome = yield from self._perform(action)
            self.steps[place] = replace(
                self.steps[place],
                branch=outcome.branch,
                detail=outcome.detail,
                ms=round((self._state.instance.now() - began) * 1000),
            )
            if outcome.target is None:
                if outcome.branch != RETURNS:
                    self.ending = self.ending or outcome
                return outcome
            action = actions[outcome.target]

    def _perform(self, action: Action) -> Generator[Action, None, Outcome]:
        kind, name, state = action["Type"], action["Identifier"], self._state
        if kind not in BLOCKS and kind != "InvokeFlowModule":
            raise FlowError(f"{name!r} is a {kind}, which the runner does not know")
        try:
            # Connect does not look into modules before the call.
            if state.modules and not _suits(kind, state.flow_type):
                raise BlockFailed(f"{kind} is not allowed in a flow of type {state.flow_type}")
            failing = state.instance.failing
            if name in failing:
                by_type = failing if isinstance(failing, Mapping) else {}
                raise BlockFailed("made to fail", by_type.get(name, "NoMatchingError"))
            if kind == "InvokeFlowModule":
                return (yield from self._invoke_module(action))
            self._keep_off_loop_prompts(kind, name)
            return BLOCKS[kind](state, action)
        except BlockFailed as failure:
            return takes_error_branch(action, failure)

    def _keep_off_loop_prompts(self, kind: str, name: str) -> None:
        """Check the rule on Loop prompts across modules; `check` does so within a flow only."""
        if kind == LOOP_PROMPTS:
            if self._ahead_of_loop_prompts:
                raise FlowError(f"{self._ahead_of_loop_prompts} may not come before {name!r}")
            self._has_looped_prompts = True
        # Blocks after looped prompts may lead back to them.
        elif kind in NOT_BEFORE_LOOP_PROMPTS and not self._has_looped_prompts:
            self._ahead_of_loop_prompts = f"{name!r}, a {kind},"

    def _invoke_module(self, action: Action) -> Generator[Action, None, Outcome]:
        state = self._state
        name = look_up(parameter(action, "FlowModuleId"), state.known())
        if name not in state.instance.modules:
            raise FlowError(f"{action['Identifier']!r}: the runner was given no module {name!r}")
        if len(state.modules) == MAX_MODULE_DEPTH:
            raise FlowError(
                f"{action['Identifier']!r}: modules nest {MAX_MODULE_DEPTH} deep at most"
            )
        if action["Transitions"].get("Conditions"):
            raise FlowError(
                f"{action['Identifier']!r}: the runner does not know a module's own branches"
            )
        # Neither a Lambda's result nor flow attributes cross the boundary, in or out.
        outside = state.external, state.flow_attributes, state.turns
        state.external, state.flow_attributes, state.turns = {}, {}, {}
        state.modules += (name,)
        ended = yield from self._walk(state.instance.modules[name])
        state.modules = state.modules[:-1]
        state.external, state.flow_attributes, state.turns = outside
        if ended.branch == RETURNS:
            return leads_on(action)
        return Outcome(ENDS, detail="the module ended the flow")


def _suits(kind: str, flow_type: str) -> bool:
    """Whether a block of a module may run in the flow that invoked it."""
    types = RULES[kind].flow_types
    return flow_type in types or types == {MODULE}


def _accepted(content: Mapping[str, Any], type: str, what: str) -> dict[str, Any]:
    """The parsed content; `FlowError` if Connect would refuse it."""
    try:
        parsed = parse(json.dumps(content))
    except NotAFlow as problem:
        raise FlowError(f"Connect would refuse {what}: {problem}") from None
    if problems := examine(parsed, type):
        raise FlowError(f"Connect would refuse {what}: " + "; ".join(map(str, problems)))
    return parsed
