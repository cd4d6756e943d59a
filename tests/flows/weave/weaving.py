"""What tests of weaving share: what was put where, and that nothing else changed."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import connect_flow.diff
import connect_flow.flow
import connect_flow.lint

from connect_flows.flow_content import targets
from connect_flows.flow_types import WHISPERS
from connect_flows.places import Before
from connect_flows.rules import check
from connect_flows.weave import Start, Stop, Woven, weave
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner
from tests.flow_builders import (
    HANG_UP,
    PROMPT,
    START_ARN,
    STOP_ARN,
    Json,
    action,
    blocks,
    error,
    flow,
)

ATTRIBUTES = {
    "customerId": "$.CustomerEndpoint.Address",
    "agentId": "$.Agent.UserName",
    "agentArn": "$.Agent.ARN",
}


START = Start(function_arn=START_ARN, attributes=ATTRIBUTES)


STOP = Stop(function_arn=STOP_ARN)


INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"


Way = tuple[str, str]


def ways(content: Json) -> dict[Way, str]:
    """Where each branch of each block leads, and the entry, by the block and the branch."""
    found: dict[Way, str] = {("", "entry"): content["StartAction"]}
    for name, one in blocks(content).items():
        transitions = one["Transitions"]
        if transitions.get("NextAction"):
            found[name, "next"] = transitions["NextAction"]
        for number, branch in enumerate(transitions.get("Errors") or ()):
            found[name, f"{branch['ErrorType']} {number}"] = branch["NextAction"]
        for number, branch in enumerate(transitions.get("Conditions") or ()):
            found[name, f"{branch['Condition']['Operands']} {number}"] = branch["NextAction"]
    return found


def leads(content: Json) -> dict[str, list[str]]:
    """The same, by the block alone: all its branches' targets in order."""
    found: dict[str, list[str]] = {}
    for (name, _), target in ways(content).items():
        found.setdefault(name, []).append(target)
    return found


START_AND_MEDIA = ["Start media streaming", "Start transcription"]


def kind(one: Json) -> str:
    """What an inserted block is, whatever its name."""
    state = one["Parameters"].get("MediaStreamingState")
    arn = one["Parameters"].get("LambdaFunctionARN")
    if one["Type"] == PROMPT:
        return "silence"
    return {START_ARN: "start", STOP_ARN: "stop", None: f"media {state}"}[arn]


def inserted(before: Json, woven: Woven) -> set[str]:
    return set(blocks(woven.content)) - set(blocks(before))


def on_the_way(before: Json, woven: Woven) -> dict[Way, list[str]]:
    """What was put on each branch of the flow, along the happy path; nothing where nothing was.

    Every other path through what was put there comes to the same block: else it fails.
    """
    after, new = blocks(woven.content), inserted(before, woven)
    found = {}
    for way, target in ways(before).items():
        name, passed = ways(woven.content)[way], []
        ahead, reached = {name}, set()
        while ahead:
            one = ahead.pop()
            reached.add(one)
            ahead |= ({*targets(after[one])} if one in new else set()) - reached
        assert reached - new == {target}, f"{way} led to {target}, now to {reached - new}"
        while name in new:
            passed.append(kind(after[name]))
            name = after[name]["Transitions"]["NextAction"]
        if passed:
            found[way] = passed
    return found


def assert_nothing_else_changed(before: Json, woven: Woven) -> None:
    """But for where the blocks lead, which `on_the_way` checks."""
    new = inserted(before, woven)

    def without_leads(content: Json) -> Json:
        """What is left when nobody knows where anything leads, and nothing new is there."""
        left: Json = json.loads(json.dumps(content))
        left["StartAction"] = ""
        left["Actions"] = [one for one in left["Actions"] if one["Identifier"] not in new]
        for one in left["Actions"]:
            branches = one["Transitions"]
            for branch in (
                branches,
                *(branches.get("Errors") or ()),
                *(branches.get("Conditions") or ()),
            ):
                if branch.get("NextAction"):
                    branch["NextAction"] = ""
        drawn = (left.get("Metadata") or {}).get("ActionMetadata") or {}
        for name in new & {*drawn}:
            del drawn[name]
        return left

    # Compared as text: the order of everything is kept, too.
    assert json.dumps(without_leads(woven.content)) == json.dumps(without_leads(before))


def assert_the_new_blocks_stand_apart(before: Json, woven: Woven) -> None:
    """Each on a place of its own in the designer, where the flow was drawn at all."""
    drawn = (before.get("Metadata") or {}).get("ActionMetadata")
    if not drawn:
        return
    metadata = woven.content["Metadata"]
    places = {
        name: (entry["position"]["x"], entry["position"]["y"])
        for name, entry in metadata["ActionMetadata"].items()
    }
    places["the entry"] = (metadata["entryPointPosition"]["x"], metadata["entryPointPosition"]["y"])
    for name in inserted(before, woven):
        x, y = places.pop(name)
        for other, (left, top) in places.items():
            assert abs(x - left) >= 220 or abs(y - top) >= 220, f"{name} lies on {other}"


def assert_woven_well(before: Json, type: str, woven: Woven) -> None:
    """What is true of every weaving."""
    assert check(woven.content, type) == []
    document = parsed(woven.content)
    assert connect_flow.lint.check(document) == []
    new = inserted(before, woven)
    # Media streaming is as it was at every block that is not ours; only a whisper may start it.
    kinds = {kind(blocks(woven.content)[name]) for name in new}
    assert "media Disabled" not in kinds
    assert type in WHISPERS or "media Enabled" not in kinds
    assert {name for each in woven.insertions for name in each.blocks} == new
    assert sum(len(each.blocks) for each in woven.insertions) == len(new)
    assert_nothing_else_changed(before, woven)
    changed = on_the_way(before, woven)
    difference = connect_flow.diff.compare(
        parsed(before), document, label_a="before", label_b="after", functional=True
    )
    assert not difference.removed
    assert len(difference.added) == len(new)
    # A part of a compound block has another name in the difference.
    if not any("children" in entry for entry in document.action_metadata.values()):
        assert set(difference.added) == new
        assert set(difference.changed) == {name for name, _ in changed} - {""}
    assert difference.flow_level_changed is (("", "entry") in changed)
    assert_the_new_blocks_stand_apart(before, woven)


def parsed(content: Json) -> connect_flow.flow.Flow:
    metadata = {"ActionMetadata": {}} | (content.get("Metadata") or {})
    return connect_flow.flow.parse(json.dumps(content | {"Metadata": metadata}))


def weave_well(
    content: Json, type: str, start: Start | None = None, stop: Stop | None = None
) -> dict[Way, list[str]]:
    """What was put on each branch; that all else is as it was, and stays so, is checked."""
    text = json.dumps(content)
    assert check(content, type) == []
    woven = weave(content, type, start=start, stop=stop)
    assert json.dumps(content) == text
    assert_woven_well(content, type, woven)
    again = weave(woven.content, type, start=start, stop=stop)
    assert again.insertions == ()
    assert json.dumps(again.content) == json.dumps(woven.content)
    return on_the_way(content, woven)


class Call:
    """One simulated call, whose functions answer what they are told to."""

    def __init__(self, *answers: Json, failing: Any = (), modules: Any = None) -> None:
        self.invoked: list[str] = []
        self.answers = deque(answers)
        self.runner = FlowRunner(
            invoke_lambda=self._answer,
            modules=modules or {},
            failing=failing,
            queues={"queue": Queue("queue", "Billing")},
            interruptions=2,
            now=lambda: 1_700_000_000.0,
        )
        self.contact = Contact(
            "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
            INSTANCE,
            customer_endpoint=Endpoint("+15550100"),
            agent=Agent("jane"),
            queue=Queue("queue", "Billing"),
        )

    def _answer(self, arn: str, event: Json, seconds: float) -> Json:
        self.invoked.append(arn)
        if arn in (START_ARN, STOP_ARN):
            return {"status": "ours"}
        return self.answers.popleft() if self.answers else {"status": "gold"}

    def path(self, content: Json, type: str, module: str = "") -> tuple[list[Way], bool]:
        """The blocks and the branches that they took, and whether they came to an end.

        :param module: Those of this module alone.
        """
        run = self.runner.start(content, self.contact, type)
        ended = True
        try:
            run.to_the_end()
        except FlowError:
            ended = False  # it goes round for ever, and was cut off in the midst of a step
        path = [(step.block, step.branch) for step in run.steps if step.module == module]
        return path if ended else path[:-1], ended


def calling(module: str) -> Json:
    parameters = {"FlowModuleId": module}
    errors = [error("Hang up")]
    invokes = action("Module", "InvokeFlowModule", parameters, NextAction="Hang up", Errors=errors)
    return flow(invokes, HANG_UP)


BEFORE: tuple[Before, ...] = ("queue", "transfer-out", "disconnect", "end")
