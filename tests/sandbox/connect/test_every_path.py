"""Every ready-made flow and module runs to its end, whatever fails on the way."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from connect_flows import ready_made
from connect_flows.flow import Flow, FlowModule
from connect_flows.rules import check
from sandbox.connect.contact import Contact
from sandbox.connect.flow_runner import FlowRunner, Step
from sandbox.connect.flow_state import LambdaFailed
from tests.sandbox.simulated import (
    FUNCTION,
    Clock,
    FakeLambda,
    action,
    caller,
    flow,
    invoke,
    note,
    streaming,
    terminal,
)

WHISPER, HOLD, DISCONNECT = "arn:whisper", "arn:hold", "arn:disconnect"
ARGUMENTS: Mapping[str, Any] = {
    "start_function_arn": FUNCTION,
    "stop_function_arn": FUNCTION.replace("start", "stop"),
    "customer_id_path": "$.CustomerEndpoint.Address",
    "agent_id_path": "$.Agent.UserName",
    "agent_whisper_flow_arn": WHISPER,
    "customer_hold_flow_arn": HOLD,
    "disconnect_flow_arn": DISCONNECT,
}
ANSWERS: tuple[Any, ...] = (
    *({"status": status} for status in ("started", "already_started", "no_media_stream")),
    *({"status": status} for status in ("stopped", "rejected", "unavailable")),
    {"status": None},
    LambdaFailed("down"),
)
NEVER_ON = {"MessageParticipantIteratively", "TransferContactToQueue", "TransferContactToAgent"}
"""Blocks that end a flow where they succeed, though they may have a NextAction."""

ENDINGS = {
    "AGENT_WHISPER": {"Ends"},
    "CUSTOMER_WHISPER": {"Ends"},
    "OUTBOUND_WHISPER": {"Ends"},
    "CUSTOMER_HOLD": {"Loops"},
    "CUSTOMER_QUEUE": {"Loops"},
    "CONTACT_FLOW": {"Disconnects"},
    "AGENT_TRANSFER": {"Transfers to agent"},
    "QUEUE_TRANSFER": {"Transfers to queue", "Disconnects"},
}

Build = Callable[..., Flow | FlowModule]


def builders() -> Iterator[Build]:
    for found in pkgutil.iter_modules(ready_made.__path__, f"{ready_made.__name__}."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            made = function.__annotations__.get("return")
            if not name.startswith("_") and made in ("Flow", "FlowModule"):
                yield function


def build(builder: Build) -> Flow | FlowModule:
    """The flow; an argument that this test does not know must have a default."""
    names = inspect.signature(builder).parameters
    return builder(**{name: value for name, value in ARGUMENTS.items() if name in names})


FLOWS = [made for made in map(build, builders()) if isinstance(made, Flow)]
MODULES = [made for made in map(build, builders()) if isinstance(made, FlowModule)]


def every_path(
    content: Mapping[str, Any], run: Callable[[Mapping[str, str]], list[Step]]
) -> Iterator[list[Step]]:
    """The paths on which each block of the content succeeds or fails, in every combination.

    :param run: Runs it, with the blocks given failing with the error types given.
    """
    errors = {
        each["Identifier"]: [e["ErrorType"] for e in each["Transitions"].get("Errors") or ()]
        for each in content["Actions"]
    }
    seen: set[tuple[tuple[str, str], ...]] = set()
    ahead: list[dict[str, str]] = [{}]
    tried = [*ahead]
    while ahead:
        failing = ahead.pop()
        path = run(failing)
        taken = tuple((step.block, step.branch) for step in path)
        if taken in seen:
            continue
        seen.add(taken)
        yield path
        for block in {step.block for step in path} - set(failing):
            for error in errors.get(block, ()):
                worse = failing | {block: error}
                if worse not in tried:
                    tried.append(worse)
                    ahead.append(worse)


def every_branch(content: Mapping[str, Any]) -> set[tuple[str, str]]:
    """All that can be taken of a flow: blocks with their branches."""
    found = set()
    for each in content["Actions"]:
        name, transitions = each["Identifier"], each["Transitions"]
        if transitions.get("NextAction") and each["Type"] not in NEVER_ON | {"Compare"}:
            found.add((name, "NextAction"))
        found |= {(name, error["ErrorType"]) for error in transitions.get("Errors") or ()}
        for branch in transitions.get("Conditions") or ():
            operator, operands = branch["Condition"]["Operator"], branch["Condition"]["Operands"]
            found.add((name, f"{operator} {', '.join(operands)}"))
    return found


def runs(
    content: Mapping[str, Any], flow_type: str, module: Mapping[str, Any] | None = None
) -> Iterator[tuple[list[Step], Contact]]:
    """Every path, whatever the function answers, for a contact that streams and one that does not.

    :param module: What the content invokes as ``m``, and whose paths are meant.
    """
    for answer, streams in itertools.product(ANSWERS, (False, True)):
        contacts: list[Contact] = []

        def run(
            failing: Mapping[str, str],
            answer: Any = answer,
            streams: bool = streams,
            contacts: list[Contact] = contacts,
        ) -> list[Step]:
            clock = Clock()
            runner = FlowRunner(
                invoke_lambda=FakeLambda(clock, answer),
                modules={"m": module} if module else {},
                now=clock,
            )
            contact = caller()
            if streams:
                runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
            contacts.append(contact)
            runner.failing = failing
            return runner.run(content, contact, flow_type)

        for path in every_path(module or content, run):
            yield path, contacts[-1]


def using(module: FlowModule) -> dict[str, Any]:
    """An inbound flow that invokes the module and goes on."""
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Go on", on_error="Go on")
    return flow(use, note("Go on", next="Bye", went_on="yes"), terminal("Bye", "EndFlowExecution"))


def test_all_ready_made_flows_and_modules_are_here() -> None:
    assert {made.type for made in FLOWS} == set(ENDINGS)
    assert [made.name for made in MODULES] == ["Start transcription", "Stop transcription"]


@pytest.mark.parametrize("made", [*FLOWS, *MODULES], ids=lambda made: str(made.name))
def test_a_ready_made_content_is_one_that_connect_takes(made: Flow | FlowModule) -> None:
    assert check(made.content(), made.type if isinstance(made, Flow) else "MODULE") == []


@pytest.mark.parametrize("made", FLOWS, ids=lambda made: str(made.name))
def test_every_path_of_a_ready_made_flow_comes_to_its_right_end(made: Flow) -> None:
    paths = [path for path, _ in runs(made.content(), made.type)]
    assert {path[-1].branch for path in paths} == ENDINGS[made.type]
    taken = {(step.block, step.branch) for path in paths for step in path}
    assert every_branch(made.content()) - taken == set(), "branches that no path took"


@pytest.mark.parametrize("made", MODULES, ids=lambda made: str(made.name))
def test_the_call_goes_on_after_every_path_of_a_ready_made_module(made: FlowModule) -> None:
    taken: set[tuple[str, str]] = set()
    for path, contact in runs(using(made), "CONTACT_FLOW", made.content()):
        taken |= {(step.block, step.branch) for step in path if step.module}
        assert contact.attributes["went_on"] == "yes"
    assert every_branch(made.content()) - taken == set(), "branches that no path took"


@pytest.mark.parametrize("made", FLOWS, ids=lambda made: str(made.name))
def test_a_call_hears_and_does_the_same_whether_transcription_works_or_not(made: Flow) -> None:
    ours = {"InvokeLambdaFunction", "UpdateContactMediaStreamingBehavior"}
    kept = {
        tuple(step.block for step in path if step.type not in ours)
        for path, _ in runs(made.content(), made.type)
        if all(step.branch == "NextAction" or step.type in ours for step in path[:-1])
    }
    assert len(kept) == 1


def test_the_explorer_finds_every_combination_and_what_no_path_takes() -> None:
    content = flow(invoke("A", next="B"), note("B", next="End", x="1"))
    content["Actions"][0]["Transitions"]["Errors"][0]["NextAction"] = "B"
    content["Actions"][1]["Transitions"]["Errors"][0]["NextAction"] = "End"
    content["Actions"].pop()
    paths = {tuple(step.branch for step in path[:-1]) for path, _ in runs(content, "CONTACT_FLOW")}
    both = ("NextAction", "NoMatchingError")
    assert paths == set(itertools.product(both, both))
    compare = action(
        "Which",
        "Compare",
        {"ComparisonValue": "$.Attributes.absent"},
        next="End",
        on_error="End",
        error_type="NoMatchingCondition",
        conditions=[
            {"NextAction": "A", "Condition": {"Operator": "Equals", "Operands": ["present"]}}
        ],
    )
    wider = content | {"StartAction": "Which", "Actions": [compare, *content["Actions"]]}
    taken = {(s.block, s.branch) for path, _ in runs(wider, "CONTACT_FLOW") for s in path}
    assert ("Which", "Equals present") in every_branch(wider) - taken
