"""What the ready-made flows do in a call, on every path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations, product
from typing import Any

import pytest

from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_runner import FlowRunner, Step
from sandbox.connect.flow_state import LambdaFailed
from tests.flows.ready_made.made import (
    DISCONNECT_FLOW,
    FLOWS,
    HOLD_FLOW,
    HOOKS,
    INSTANCE,
    LOOPING,
    MODULES,
    READY_MADE,
    START,
    STOP,
    STOPPING,
    STREAMING,
    TRANSFERS,
    WHISPER_FLOW,
    actions,
    every_ready_made,
)

STATUSES = {
    "started",
    "already_started",
    "stopped",
    "already_stopped",
    "no_media_stream",
    "rejected",
    "unavailable",
}


STARTING = ("start module", "agent whisper", "customer whisper", "outbound whisper")


class Call:
    """A call in which a given way of the function's and given blocks' failing is tried."""

    def __init__(self, way: str, failing: tuple[str, ...]) -> None:
        self.seconds = 1_750_000_000.0
        self.way = way
        self.invoked: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self.streams: list[str | None] = []
        self.runner = FlowRunner(
            invoke_lambda=self.invoke,
            modules={name: module.content() for name, module in MODULES.items()},
            now=lambda: self.seconds,
            failing=failing,
        )
        self.contact = Contact(
            contact_id="5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
            instance_arn=INSTANCE,
            customer_endpoint=Endpoint("+11234567890"),
            queue=Queue(f"{INSTANCE}/queue/1", "Billing"),
            agent=Agent("jane", "arn:of:jane"),
        )

    def invoke(self, arn: str, event: dict[str, Any], seconds: float) -> Any:
        assert set(event["Details"]["Parameters"]) <= {"customerId", "agentId", "agentArn"}
        self.invoked.append(arn)
        self.parameters.append(event["Details"]["Parameters"])
        audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
        self.streams.append(audio["StreamARN"])
        return WAYS[self.way](self, arn, seconds)

    def hang(self, seconds: float) -> None:
        self.seconds += seconds
        raise TimeoutError

    def fail(self) -> None:
        self.seconds += 0.5
        raise LambdaFailed("boom")

    def run(self, name: str) -> list[Step]:
        """Run a flow as it is, a module inside an inbound flow that goes on with the call."""
        if name in FLOWS:
            flow = FLOWS[name]
            return self.runner.run(flow.content(), self.contact, flow.type)
        return self.runner.run(inbound_flow(name), self.contact, "CONTACT_FLOW")


def inbound_flow(module: str) -> dict[str, Any]:
    def errors(target: str) -> list[dict[str, str]]:
        return [{"NextAction": target, "ErrorType": "NoMatchingError"}]

    return {
        "Version": "2019-10-30",
        "StartAction": "Use",
        "Actions": [
            {
                "Identifier": "Use",
                "Type": "InvokeFlowModule",
                "Parameters": {"FlowModuleId": module},
                "Transitions": {"NextAction": "Go on", "Errors": errors("Lost")},
            },
            {
                "Identifier": "Go on",
                "Type": "MessageParticipant",
                "Parameters": {"Text": "How may we help?"},
                "Transitions": {"NextAction": "Bye", "Errors": errors("Lost")},
            },
            {
                "Identifier": "Bye",
                "Type": "DisconnectParticipant",
                "Parameters": {},
                "Transitions": {},
            },
            {
                "Identifier": "Lost",
                "Type": "DisconnectParticipant",
                "Parameters": {},
                "Transitions": {},
            },
        ],
    }


WAYS: dict[str, Callable[[Call, str, float], Any]] = {
    "works": lambda call, arn, seconds: {
        "status": "started" if arn == START else "stopped",
        "reason": "",
    },
    "rejects": lambda call, arn, seconds: {"status": "rejected", "reason": "400-202"},
    "fails": lambda call, arn, seconds: call.fail(),
    "hangs": lambda call, arn, seconds: call.hang(seconds),
    "answers null": lambda call, arn, seconds: None,
    "answers a number": lambda call, arn, seconds: {"status": 1},
    "answers a nested map": lambda call, arn, seconds: {"status": {"code": "started"}},
    "answers 40 KB": lambda call, arn, seconds: {"status": "x" * 40_000},
}


LAST = {
    "start module": ("Bye", "Disconnects"),
    "stop module": ("Bye", "Disconnects"),
    "agent whisper": ("End the whisper", "Ends"),
    "customer whisper": ("End the whisper", "Ends"),
    "outbound whisper": ("End the whisper", "Ends"),
    "customer hold": ("Loop hold prompts", "Loops"),
    "customer queue": ("Loop queue prompts", "Loops"),
    "agent transfer": ("Transfer to the agent", "Transfers to agent"),
    "queue transfer": ("Transfer to the queue", "Transfers to queue"),
    "disconnect": ("Hang up", "Disconnects"),
}


def last(name: str, failing: tuple[str, ...]) -> tuple[str, str]:
    """The block where a flow ends, and how."""
    return ("Hang up", "Disconnects") if "Transfer to the queue" in failing else LAST[name]


def ways_to_fail(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every way of the function's, with every set of blocks that can fail by themselves."""
    can_fail = [
        identifier
        for identifier, action in actions(name).items()
        if action["Transitions"].get("Errors") and action["Type"] != "InvokeLambdaFunction"
    ]
    sets = chain.from_iterable(combinations(can_fail, size) for size in range(len(can_fail) + 1))
    return product(WAYS, sets)


@dataclass(frozen=True)
class Played:
    """A call that has run a flow or a module.

    :param seconds: How long the caller waited in it.
    :param how: For the message of an assertion.
    """

    call: Call
    failing: tuple[str, ...]
    path: list[Step]
    seconds: float
    how: str


@cache
def every_call(name: str) -> Sequence[Played]:
    """One for each way to fail. They take long to play, so all tests look at the same ones."""

    def play(way: str, failing: tuple[str, ...]) -> Played:
        call = Call(way, failing)
        began = call.seconds
        path = call.run(name)
        how = f"the function {way}, and these fail: {failing}"
        return Played(call, failing, path, call.seconds - began, how)

    return [play(way, failing) for way, failing in ways_to_fail(name)]


@every_ready_made
def test_whatever_fails_the_call_goes_on_to_the_flows_own_end(name: str) -> None:
    for each in every_call(name):
        end = each.path[-1]
        assert (end.block, end.branch) == last(name, each.failing), each.how
        assert "Disconnects" not in {step.branch for step in each.path[:-1]}, each.how


@every_ready_made
def test_whatever_fails_the_call_waits_eight_seconds_at_most(name: str) -> None:
    for each in every_call(name):
        assert each.seconds <= 8, each.how


@pytest.mark.parametrize("name", MODULES)
def test_whatever_fails_a_module_leaves_a_status_that_its_flow_can_compare(name: str) -> None:
    for each in every_call(name):
        (noted,) = (step for step in each.path if step.type == "UpdateContactAttributes")
        attributes = each.call.contact.attributes
        if noted.branch == "NextAction":
            assert set(attributes) == {"autotranscribe_status"}, each.how
            assert attributes["autotranscribe_status"] in STATUSES, each.how
        else:
            assert attributes == {}, each.how


@pytest.mark.parametrize("name", STOPPING)
def test_whatever_fails_a_stop_is_asked_for_and_streaming_stops_where_it_can(name: str) -> None:
    for way, failing in ways_to_fail(name):
        how = f"the function {way}, and these fail: {failing}"
        call = Call("works", ())
        call.run("agent whisper")
        call.way, call.runner.failing = way, failing
        path = call.run(name)
        assert STOP in call.invoked, how
        stops = [step for step in path if step.type == STREAMING]
        if name in LOOPING:
            assert stops == [], how
            assert call.contact.is_streaming, how
        else:
            assert len(stops) == 1, how
            assert call.contact.is_streaming == (stops[0].branch == "NoMatchingError"), how


def test_every_block_is_on_some_path() -> None:
    for name in READY_MADE:
        seen = {step.block for each in every_call(name) for step in each.path}
        assert set(actions(name)) <= seen


@pytest.mark.parametrize("name", STARTING)
def test_without_media_streaming_no_start_is_asked_for(name: str) -> None:
    call = Call("works", ("Start media streaming",))
    call.run(name)
    assert call.invoked == []


@pytest.mark.parametrize("name", STARTING)
def test_a_start_is_asked_for_with_the_stream_that_has_just_begun(name: str) -> None:
    call = Call("works", ())
    call.run(name)
    assert call.invoked == [START]
    assert call.contact.media_stream
    assert call.streams == [call.contact.media_stream.stream_arn]


@pytest.mark.parametrize("name", STOPPING)
def test_a_stop_is_asked_for_while_the_audio_still_streams(name: str) -> None:
    call = Call("works", ())
    call.run("agent whisper")
    path = call.run(name)
    kinds = [step.type for step in path if step.type in ("InvokeLambdaFunction", STREAMING)]
    assert call.invoked == [START, STOP]
    assert kinds == (
        ["InvokeLambdaFunction"] if name in LOOPING else ["InvokeLambdaFunction", STREAMING]
    )


@pytest.mark.parametrize("name", ["customer whisper", "outbound whisper"])
def test_what_the_customer_hears_from_a_whisper_is_said_before_the_audio_streams(name: str) -> None:
    kinds = [step.type for step in Call("works", ()).run(name)]
    assert kinds.index("MessageParticipant") < kinds.index(STREAMING)


@pytest.mark.parametrize("name", [*LOOPING, "agent transfer", "queue transfer"])
def test_what_is_heard_from_a_stopping_flow_is_said_after_the_stop(name: str) -> None:
    for each in every_call(name):
        kinds = [step.type for step in each.path]
        said = [at for at, kind in enumerate(kinds) if kind.startswith("MessageParticipant")]
        assert said, each.how
        assert kinds.index("InvokeLambdaFunction") < said[0], each.how


@pytest.mark.parametrize("name", TRANSFERS)
def test_whatever_fails_a_transfer_sets_every_flow_of_the_next_agent_that_can_be_set(
    name: str,
) -> None:
    of_block = {
        "Set the whisper flow": ("AgentWhisper", WHISPER_FLOW),
        "Set the hold flow": ("CustomerHold", HOLD_FLOW),
        "Set the disconnect flow": ("CustomerRemaining", DISCONNECT_FLOW),
    }
    for each in every_call(name):
        kinds = [step.type for step in each.path]
        assert each.call.contact.hooks == dict(
            hook for block, hook in of_block.items() if block not in each.failing
        ), each.how
        assert kinds[:4] == [HOOKS] * 3 + ["InvokeLambdaFunction"], "nobody waits for a hook"


def test_no_function_runs_before_an_outbound_call_is_placed() -> None:
    for each in every_call("outbound whisper"):
        kinds = [step.type for step in each.path]
        for kind in ("InvokeLambdaFunction", STREAMING):
            if kind in kinds:
                assert kinds.index("MessageParticipant") < kinds.index(kind), each.how


@pytest.mark.parametrize("name", ["agent whisper", "customer whisper", "outbound whisper"])
def test_a_whisper_tells_the_function_who_calls_and_who_answers(name: str) -> None:
    call = Call("works", ())
    call.run(name)
    told = {"customerId": "+11234567890", "agentId": "jane", "agentArn": "arn:of:jane"}
    assert call.parameters == [told]


def test_the_start_module_tells_the_function_who_calls() -> None:
    call = Call("works", ())
    call.run("start module")
    assert call.parameters == [{"customerId": "+11234567890"}]


@pytest.mark.parametrize(
    ("name", "way", "failing", "status"),
    [
        ("start module", "works", (), "started"),
        ("start module", "rejects", (), "rejected"),
        ("start module", "hangs", (), "unavailable"),
        ("start module", "works", ("Start media streaming",), "no_media_stream"),
        ("stop module", "works", (), "stopped"),
        ("stop module", "works", ("Stop media streaming",), "stopped"),
        ("stop module", "fails", (), "unavailable"),
    ],
)
def test_a_module_says_what_came_of_it_in_a_contact_attribute(
    name: str, way: str, failing: tuple[str, ...], status: str
) -> None:
    call = Call(way, failing)
    call.run(name)
    assert call.contact.attributes == {"autotranscribe_status": status}


def test_the_whisper_says_the_queues_name_as_connects_default_does() -> None:
    path = Call("works", ()).run("agent whisper")
    assert [step.detail for step in path if step.type == "MessageParticipant"] == ["Billing"]


def test_a_whisper_without_a_queue_still_connects_the_agent() -> None:
    call = Call("works", ())
    call.contact.queue = None
    assert call.run("agent whisper")[-1].branch == "Ends"
