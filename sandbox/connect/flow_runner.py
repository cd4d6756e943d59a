"""Runs a flow's content block by block for one simulated contact, as Amazon Connect would.

What `connect_flows.rules` refuses is refused here before the first block, and a
block that the runner does not know is an error when a call reaches it: a flow that it runs to the
end was really run. Whatever fails during a call takes the block's error branch, as in Connect.
Where Connect's pages are silent, it takes the stricter reading.

Sources, under https://docs.aws.amazon.com/connect/latest: adminguide/connect-lambda-functions.html,
adminguide/connect-attrib-list.html, devguide/flow-language-actions.html.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connect_flows.action_rules import (
    AGENT_TRANSFER,
    FLOW_TYPES,
    HOLDS,
    LOOP_PROMPTS,
    MODULE,
    NOT_BEFORE_LOOP_PROMPTS,
    RULES,
    WHISPERS,
)
from connect_flows.rules import NotAFlow, check, parse
from sandbox.connect.aws_blocks import LambdaFailed
from sandbox.connect.contact import Agent, Contact, Endpoint, MediaStream, Queue, lambda_event
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
from sandbox.connect.flow_values import look_up

__all__ = [
    "Agent",
    "Contact",
    "Endpoint",
    "FlowError",
    "FlowRun",
    "FlowRunner",
    "InvokeLambda",
    "LambdaFailed",
    "MediaStream",
    "Queue",
    "Step",
    "lambda_event",
]

InvokeLambda = Callable[[str, dict[str, Any], float], Any]
"""``(function ARN, event, seconds left) -> decoded answer``.

Raises `LambdaFailed` for a function error, a throttle or a 5xx, `TimeoutError` when the seconds are
over. Anything else that it raises is a mistake in the caller and comes out of `FlowRunner.run`.
"""

AGENT_KNOWN_TYPES = WHISPERS | HOLDS | {AGENT_TRANSFER}
MAX_STEPS = 1_000
MAX_MODULE_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One block on the way.

    :param block: Its identifier.
    :param type: Its action type.
    :param branch: ``NextAction``, an error type, the condition that held (``Equals x``), or how it
        ended: ``Loops``, ``Ends``, ``Returns``, ``Disconnects``, ``Transfers to queue``, ``… to
        agent``, ``… to flow``.
    :param ms: How long it took.
    :param detail: Why an error branch was taken, what was said, or where to. Never of interest to a
        flow.
    :param module: The module that the block stands in, ``""`` for the flow itself.
    """

    block: str
    type: str
    branch: str
    ms: int
    detail: str = ""
    module: str = ""


class FlowRunner:
    """Runs flows for simulated contacts.

    :param invoke_lambda: Calls a function; see `InvokeLambda`.
    :param modules: Contents of flow modules by what flows invoke them with, an id or an ARN.
    :param queues: Queues by id or ARN, agents' own by the agent's.
    :param now: The time in seconds since 1970. Default: the machine's.
    :param rng: Where ids of contacts, streams and fragments come from; seed it for the same ones
        every time.
    :param stream_prefix: The prefix under *Live media streaming*.
    :param instance_alias: The instance's alias, a part of stream names.
    :param failing: Identifiers of blocks that fail, as every block of Connect's can; as a mapping,
        each with its error type. Default error type: ``NoMatchingError``.
    :param interruptions: How often looped prompts that allow it are interrupted in a customer queue
        flow, before an agent is found.
    :raises FlowError: where Connect would refuse a module.

    .. code-block:: python

        runner = FlowRunner(invoke_lambda=lambda arn, event, seconds: {"status": "started"})
        contact = Contact("5ca3…", instance_arn, agent=Agent("jane"))
        path = runner.run(content, contact, "AGENT_WHISPER")
    """

    def __init__(
        self,
        *,
        invoke_lambda: InvokeLambda,
        modules: Mapping[str, Mapping[str, Any]] | None = None,
        queues: Mapping[str, Queue] | None = None,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        stream_prefix: str = "autotranscribe",
        instance_alias: str = "sandbox",
        failing: Collection[str] | Mapping[str, str] = (),
        interruptions: int = 0,
    ) -> None:
        self.invoke_lambda = invoke_lambda
        self.modules = {
            name: _accepted(content, MODULE, f"module {name!r}")
            for name, content in (modules or {}).items()
        }
        self.queues = dict(queues or {})
        self.now = now
        self.rng = rng or random.Random()  # noqa: S311 (ids of a simulation, not secrets)
        self.stream_prefix = stream_prefix
        self.instance_alias = instance_alias
        self.failing = failing
        self.interruptions = interruptions

    def run(self, content: Mapping[str, Any], contact: Contact, flow_type: str) -> list[Step]:
        """Run one flow to its end and return the path taken.

        :param content: A flow's content, Version 2019-10-30.
        :param contact: Changed as the flow's blocks change a contact.
        :param flow_type: CloudFormation's name for it, such as ``AGENT_WHISPER``.
        :raises FlowError: where Connect would refuse the flow, or the runner does not know it.
        """
        run = self.start(content, contact, flow_type)
        run.to_the_end()
        return run.steps

    def start(self, content: Mapping[str, Any], contact: Contact, flow_type: str) -> FlowRun:
        """The same, standing before the first block."""
        if flow_type not in FLOW_TYPES:
            raise FlowError(f"no flow type {flow_type!r}; one of {', '.join(sorted(FLOW_TYPES))}")
        return FlowRun(self, _accepted(content, flow_type, "the flow"), contact, flow_type)


class FlowRun:
    """A flow that runs for a contact.

    :ivar steps: The path so far.
    :ivar ending: How the flow ended; None until then.
    :ivar external: The last Lambda's result.
    :ivar turns: How often each *Loop* has been passed.
    """

    def __init__(
        self, runner: FlowRunner, content: Mapping[str, Any], contact: Contact, flow_type: str
    ) -> None:
        self.runner = runner
        self.contact = contact
        self.flow_type = flow_type
        self.steps: list[Step] = []
        self.ending: Outcome | None = None
        self.external: Any = {}
        self.flow_attributes: dict[str, str] = {}
        self.turns: dict[str, int] = {}
        self.lambda_chain_seconds = 0.0
        self.interruptions_left = runner.interruptions
        self._modules: tuple[str, ...] = ()
        self._ahead_of_loop_prompts = ""
        self._has_looped_prompts = False
        self._blocks = self._walk(content)
        self._ahead = next(self._blocks, None)

    def until(self, type: str) -> None:
        """Go on to the first block of an action type, and stand before it; or to the end."""
        while self._ahead is not None and self._ahead["Type"] != type:
            self._ahead = next(self._blocks, None)

    def to_the_end(self) -> Outcome:
        """Go on to the end; how the flow ended."""
        self.until("")
        if self.ending is None:
            raise AssertionError("a flow came to no end")
        return self.ending

    @property
    def is_in_module(self) -> bool:
        return bool(self._modules)

    def known(self) -> dict[str, Any]:
        """What a JSONPath of this flow can begin with."""
        agent = self.contact.agent if self.flow_type in AGENT_KNOWN_TYPES else None
        return {
            **self.contact.data(),
            "Agent": agent.data() if agent else None,
            "External": self.external,
            "LambdaInvocation": {"ResultData": self.external},
            "FlowAttributes": self.flow_attributes,
        }

    def _walk(self, content: Mapping[str, Any]) -> Generator[Action, None, Outcome]:
        """Stand before each block in turn, then perform it; how the flow or the module ends."""
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
            module = self._modules[-1] if self._modules else ""
            # A module's own steps come after the block that invoked it.
            self.steps.append(Step(action["Identifier"], action["Type"], "", 0, module=module))
            began = self.runner.now()
            outcome = yield from self._perform(action)
            self.steps[place] = replace(
                self.steps[place],
                branch=outcome.branch,
                detail=outcome.detail,
                ms=round((self.runner.now() - began) * 1000),
            )
            if outcome.target is None:
                if outcome.branch != RETURNS:
                    self.ending = self.ending or outcome
                return outcome
            action = actions[outcome.target]

    def _perform(self, action: Action) -> Generator[Action, None, Outcome]:
        kind, name = action["Type"], action["Identifier"]
        if kind not in BLOCKS and kind != "InvokeFlowModule":
            raise FlowError(f"{name!r} is a {kind}, which the runner does not know")
        try:
            # Connect does not look into modules before the call.
            if self._modules and not _suits(kind, self.flow_type):
                raise BlockFailed(f"{kind} is not allowed in a flow of type {self.flow_type}")
            failing = self.runner.failing
            if name in failing:
                by_type = failing if isinstance(failing, Mapping) else {}
                raise BlockFailed("made to fail", by_type.get(name, "NoMatchingError"))
            if kind == "InvokeFlowModule":
                return (yield from self._invoke_module(action))
            self._keep_off_loop_prompts(kind, name)
            return BLOCKS[kind](self, action)
        except BlockFailed as failure:
            return takes_error_branch(action, failure)

    def _keep_off_loop_prompts(self, kind: str, name: str) -> None:
        """What `check` does within a flow, across the boundaries of its modules."""
        if kind == LOOP_PROMPTS:
            if self._ahead_of_loop_prompts:
                raise FlowError(f"{self._ahead_of_loop_prompts} may not come before {name!r}")
            self._has_looped_prompts = True
        # What comes behind looped prompts may lead back to them.
        elif kind in NOT_BEFORE_LOOP_PROMPTS and not self._has_looped_prompts:
            self._ahead_of_loop_prompts = f"{name!r}, a {kind},"

    def _invoke_module(self, action: Action) -> Generator[Action, None, Outcome]:
        name = look_up(parameter(action, "FlowModuleId"), self.known())
        if name not in self.runner.modules:
            raise FlowError(f"{action['Identifier']!r}: the runner was given no module {name!r}")
        if len(self._modules) == MAX_MODULE_DEPTH:
            raise FlowError(
                f"{action['Identifier']!r}: modules nest {MAX_MODULE_DEPTH} deep at most"
            )
        if action["Transitions"].get("Conditions"):
            raise FlowError(
                f"{action['Identifier']!r}: the runner does not know a module's own branches"
            )
        # Neither a Lambda's result nor flow attributes cross the boundary, in or out.
        outside = self.external, self.flow_attributes, self.turns
        self.external, self.flow_attributes, self.turns = {}, {}, {}
        self._modules += (name,)
        ended = yield from self._walk(self.runner.modules[name])
        self._modules = self._modules[:-1]
        self.external, self.flow_attributes, self.turns = outside
        if ended.branch == RETURNS:
            return leads_on(action)
        return Outcome(ENDS, detail="the module ended the flow")


def _suits(kind: str, flow_type: str) -> bool:
    """Whether a block of a module may run in the flow that invoked it."""
    types = RULES[kind].flow_types
    return flow_type in types or types == {MODULE}


def _accepted(content: Mapping[str, Any], type: str, what: str) -> dict[str, Any]:
    """The content, where Connect would take it."""
    try:
        parsed = parse(json.dumps(content))
    except NotAFlow as problem:
        raise FlowError(f"Connect would refuse {what}: {problem}") from None
    if problems := check(parsed, type):
        raise FlowError(f"Connect would refuse {what}: " + "; ".join(map(str, problems)))
    return parsed
