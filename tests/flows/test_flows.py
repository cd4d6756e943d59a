"""The ready-made flows lead every call on; the stack puts them into the instance one by one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import connect_flow.flow
import connect_flow.lint
import pytest
from aws_cdk import App, CfnWaitConditionHandle, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_flows.blocks import (
    EndFlowExecution,
    InvokeLambdaFunction,
    MessageParticipant,
    MessageParticipantIteratively,
    Prompt,
)
from connect_flows.flow import Flow, FlowModule
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold, customer_queue
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from connect_flows.rules import check
from connect_flows.start_attributes import start_attributes
from connect_flows.transcription_blocks import SILENCE
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_runner import FlowRunner, Step
from sandbox.connect.flow_state import LambdaFailed
from tools.flows import __main__ as draw_flows
from tools.flows.drawing import draw

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
START = "arn:aws:lambda:us-east-1:111122223333:function:start:live"
STOP = "arn:aws:lambda:us-east-1:111122223333:function:stop:live"
WHISPER_FLOW = f"{INSTANCE}/contact-flow/whisper"
HOLD_FLOW = f"{INSTANCE}/contact-flow/hold"
DISCONNECT_FLOW = f"{INSTANCE}/contact-flow/disconnect"
CUSTOMER_PATH = "$.CustomerEndpoint.Address"
AGENT_PATH = "$.Agent.UserName"
WHISPERED = {"customerId": CUSTOMER_PATH, "agentId": AGENT_PATH, "agentArn": "$.Agent.ARN"}
STREAMING = "UpdateContactMediaStreamingBehavior"
HOOKS = "UpdateContactEventHooks"
NEXT_AGENTS: dict[str, Any] = {
    "agent_whisper_flow_arn": WHISPER_FLOW,
    "customer_hold_flow_arn": HOLD_FLOW,
    "disconnect_flow_arn": DISCONNECT_FLOW,
}

STATUSES = {
    "started",
    "already_started",
    "stopped",
    "already_stopped",
    "no_media_stream",
    "rejected",
    "unavailable",
}

MODULES: dict[str, FlowModule] = {
    "start module": start_module(start_function_arn=START, customer_id_path=CUSTOMER_PATH),
    "stop module": stop_module(stop_function_arn=STOP),
}
FLOWS: dict[str, Flow] = {
    "agent whisper": agent_whisper(
        start_function_arn=START, customer_id_path=CUSTOMER_PATH, agent_id_path=AGENT_PATH
    ),
    "customer whisper": customer_whisper(
        start_function_arn=START, customer_id_path=CUSTOMER_PATH, agent_id_path=AGENT_PATH
    ),
    "outbound whisper": outbound_whisper(
        start_function_arn=START,
        customer_id_path=CUSTOMER_PATH,
        agent_id_path=AGENT_PATH,
        customer_hold_flow_arn=HOLD_FLOW,
        disconnect_flow_arn=DISCONNECT_FLOW,
    ),
    "customer hold": customer_hold(stop_function_arn=STOP),
    "customer queue": customer_queue(stop_function_arn=STOP),
    "agent transfer": agent_transfer(stop_function_arn=STOP, **NEXT_AGENTS),
    "queue transfer": queue_transfer(stop_function_arn=STOP, **NEXT_AGENTS),
    "disconnect": disconnect(stop_function_arn=STOP),
}
READY_MADE: dict[str, Flow | FlowModule] = {**MODULES, **FLOWS}
TYPES = {
    "start module": "MODULE",
    "stop module": "MODULE",
    "agent whisper": "AGENT_WHISPER",
    "customer whisper": "CUSTOMER_WHISPER",
    "outbound whisper": "OUTBOUND_WHISPER",
    "customer hold": "CUSTOMER_HOLD",
    "customer queue": "CUSTOMER_QUEUE",
    "agent transfer": "AGENT_TRANSFER",
    "queue transfer": "QUEUE_TRANSFER",
    "disconnect": "CONTACT_FLOW",
}
STARTING = ("start module", "agent whisper", "customer whisper", "outbound whisper")
STOPPING = (
    "stop module",
    "customer hold",
    "customer queue",
    "agent transfer",
    "queue transfer",
    "disconnect",
)
LOOPING = ("customer hold", "customer queue")
TRANSFERS = ("agent transfer", "queue transfer")
every_ready_made = pytest.mark.parametrize("name", READY_MADE)


def actions(name: str) -> dict[str, dict[str, Any]]:
    return {action["Identifier"]: action for action in READY_MADE[name].content()["Actions"]}


def wiring(name: str) -> dict[str, tuple[Any, ...]]:
    """Each block's type, where it leads, and where its errors lead, a full queue's first."""
    wires = {}
    for identifier, action in actions(name).items():
        transitions = action["Transitions"]
        errors = transitions.get("Errors", [])
        to_queue = ["QueueAtCapacity"] if action["Type"] == "TransferContactToQueue" else []
        assert [error["ErrorType"] for error in errors] in ([], [*to_queue, "NoMatchingError"])
        assert not transitions.get("Conditions")
        wires[identifier] = (
            action["Type"],
            transitions.get("NextAction"),
            *(error["NextAction"] for error in errors),
        )
    return wires


# What the flows say.


def test_the_start_module_streams_then_starts_then_notes_the_outcome() -> None:
    assert wiring("start module") == {
        "Start media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Start transcription",
            "Note no media stream",
        ),
        "Start transcription": (
            "InvokeLambdaFunction",
            "Note the outcome",
            "Note unavailable",
        ),
        "Note the outcome": ("UpdateContactAttributes", "End the module", "End the module"),
        "End the module": ("EndFlowModuleExecution", None),
        "Note no media stream": ("UpdateContactAttributes", "End the module", "End the module"),
        "Note unavailable": ("UpdateContactAttributes", "End the module", "End the module"),
    }


def test_the_stop_module_stops_streaming_directly_after_transcription_whatever_came_of_it() -> None:
    assert wiring("stop module") == {
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming anyway",
        ),
        "Stop media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Note the outcome",
            "Note the outcome",
        ),
        "Note the outcome": ("UpdateContactAttributes", "End the module", "End the module"),
        "End the module": ("EndFlowModuleExecution", None),
        "Stop media streaming anyway": (
            "UpdateContactMediaStreamingBehavior",
            "Note unavailable",
            "Note unavailable",
        ),
        "Note unavailable": ("UpdateContactAttributes", "End the module", "End the module"),
    }


def test_the_agent_whisper_starts_and_then_announces_the_queue_as_the_default_does() -> None:
    assert wiring("agent whisper") == {
        "Start media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Start transcription",
            "Announce the queue",
        ),
        "Start transcription": (
            "InvokeLambdaFunction",
            "Announce the queue",
            "Announce the queue",
        ),
        "Announce the queue": ("MessageParticipant", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    assert actions("agent whisper")["Announce the queue"]["Parameters"] == {"Text": "$.Queue.Name"}


def test_the_customer_hold_flow_stops_and_loops_prompts_without_an_end() -> None:
    assert wiring("customer hold") == {
        "Stop transcription": ("InvokeLambdaFunction", "Loop hold prompts", "Loop hold prompts"),
        "Loop hold prompts": ("MessageParticipantIteratively", None),
    }
    loop = actions("customer hold")["Loop hold prompts"]
    assert loop["Transitions"] == {"Errors": [], "Conditions": []}


def test_the_disconnect_flow_stops_and_only_then_hangs_up() -> None:
    assert FLOWS["disconnect"].type == "CONTACT_FLOW"
    assert wiring("disconnect") == {
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": ("UpdateContactMediaStreamingBehavior", "Hang up", "Hang up"),
        "Hang up": ("DisconnectParticipant", None),
    }


def test_the_customer_whisper_tells_the_customer_in_place_of_the_beep_and_then_starts() -> None:
    assert wiring("customer whisper") == {
        "Announce the agent": (
            "MessageParticipant",
            "Start media streaming",
            "Start media streaming",
        ),
        "Start media streaming": (STREAMING, "Start transcription", "End the whisper"),
        "Start transcription": ("InvokeLambdaFunction", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    assert actions("customer whisper")["Announce the agent"]["Parameters"] == {
        "Text": "You are now connected."
    }


def test_the_outbound_whisper_sets_later_flows_places_the_call_and_starts_when_answered() -> None:
    assert wiring("outbound whisper") == {
        "Set the hold flow": (
            "UpdateContactEventHooks",
            "Set the disconnect flow",
            "Set the disconnect flow",
        ),
        "Set the disconnect flow": ("UpdateContactEventHooks", "Place the call", "Place the call"),
        # What stands before the first prompt runs before the call is placed.
        "Place the call": ("MessageParticipant", "Start media streaming", "Start media streaming"),
        "Start media streaming": (STREAMING, "Start transcription", "End the whisper"),
        "Start transcription": ("InvokeLambdaFunction", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    blocks = actions("outbound whisper")
    assert [blocks[name]["Parameters"] for name in list(blocks)[:3]] == [
        {"EventHooks": {"CustomerHold": HOLD_FLOW}},
        {"EventHooks": {"CustomerRemaining": DISCONNECT_FLOW}},
        SILENCE.parameters(),
    ]


@pytest.mark.parametrize(
    ("build", "first"),
    [
        (
            partial(
                outbound_whisper,
                start_function_arn=START,
                customer_id_path=CUSTOMER_PATH,
                agent_id_path=AGENT_PATH,
            ),
            "Place the call",
        ),
        (partial(agent_transfer, stop_function_arn=STOP), "Stop transcription"),
        (partial(queue_transfer, stop_function_arn=STOP), "Stop transcription"),
    ],
    ids=["outbound whisper", *TRANSFERS],
)
def test_a_flow_sets_only_the_flows_that_it_was_given(
    build: Callable[..., Flow], first: str
) -> None:
    names = {
        "agent_whisper_flow_arn": "Set the whisper flow",
        "customer_hold_flow_arn": "Set the hold flow",
        "disconnect_flow_arn": "Set the disconnect flow",
    }
    if first == "Place the call":
        del names["agent_whisper_flow_arn"]
    for size in range(len(names) + 1):
        for given in combinations(names, size):
            flow = build(**{name: NEXT_AGENTS[name] for name in given})
            expected = [*(names[name] for name in given), first]
            assert [block.name for block in flow.blocks][: size + 1] == expected
            assert flow.content()["StartAction"] == expected[0]
            assert check(flow.content(), flow.type) == []


def test_the_customer_queue_flow_stops_and_loops_prompts_without_an_end() -> None:
    assert wiring("customer queue") == {
        "Stop transcription": ("InvokeLambdaFunction", "Loop queue prompts", "Loop queue prompts"),
        "Loop queue prompts": ("MessageParticipantIteratively", None),
    }
    (message,) = actions("customer queue")["Loop queue prompts"]["Parameters"]["Messages"]
    assert "Thank you for waiting." in message["SSML"]
    assert message["SSML"].count('<break time="10s"/>') == 2


SETTING_HOOKS = {
    "Set the whisper flow": (HOOKS, "Set the hold flow", "Set the hold flow"),
    "Set the hold flow": (HOOKS, "Set the disconnect flow", "Set the disconnect flow"),
    "Set the disconnect flow": (HOOKS, "Stop transcription", "Stop transcription"),
}


def test_the_transfer_to_an_agent_sets_his_flows_stops_announces_and_transfers() -> None:
    assert wiring("agent transfer") == {
        **SETTING_HOOKS,
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": (STREAMING, "Announce the transfer", "Announce the transfer"),
        "Announce the transfer": (
            "MessageParticipant",
            "Transfer to the agent",
            "Transfer to the agent",
        ),
        "Transfer to the agent": ("TransferContactToAgent", None),
    }
    assert actions("agent transfer")["Transfer to the agent"]["Transitions"] == {}


def test_the_transfer_to_a_queue_says_so_where_the_queue_is_full_or_it_fails() -> None:
    failed = "Say that it failed"
    assert wiring("queue transfer") == {
        **SETTING_HOOKS,
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": (STREAMING, "Announce the transfer", "Announce the transfer"),
        "Announce the transfer": (
            "MessageParticipant",
            "Transfer to the queue",
            "Transfer to the queue",
        ),
        "Transfer to the queue": ("TransferContactToQueue", failed, failed, failed),
        failed: ("MessageParticipant", "Hang up", "Hang up"),
        "Hang up": ("DisconnectParticipant", None),
    }
    texts = [
        action["Parameters"]["Text"]
        for action in actions("queue transfer").values()
        if action["Type"] == "MessageParticipant"
    ]
    assert texts == ["Transferring now.", "The transfer is not possible now."]


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_transfer_sets_one_hook_a_block(name: str) -> None:
    assert actions(name)[READY_MADE[name].content()["StartAction"]]["Type"] == HOOKS
    assert [
        action["Parameters"] for action in actions(name).values() if action["Type"] == HOOKS
    ] == [
        {"EventHooks": {"AgentWhisper": WHISPER_FLOW}},
        {"EventHooks": {"CustomerHold": HOLD_FLOW}},
        {"EventHooks": {"CustomerRemaining": DISCONNECT_FLOW}},
    ]


def test_each_flow_has_the_type_of_its_moment_in_the_call() -> None:
    assert {name: flow.type for name, flow in FLOWS.items()} == {
        name: type for name, type in TYPES.items() if type != "MODULE"
    }


@every_ready_made
def test_connect_would_refuse_nothing_in_it(name: str) -> None:
    assert check(READY_MADE[name].content(), TYPES[name]) == []


@pytest.mark.parametrize("name", LOOPING)
def test_no_media_streaming_block_stands_in_a_flow_that_loops_prompts(name: str) -> None:
    assert STREAMING not in {action["Type"] for action in actions(name).values()}


@every_ready_made
def test_media_streaming_always_names_both_directions_of_the_customer(name: str) -> None:
    for action in actions(name).values():
        if action["Type"] == "UpdateContactMediaStreamingBehavior":
            starts = action["Identifier"].startswith("Start")
            assert action["Parameters"] == {
                "MediaStreamingState": "Enabled" if starts else "Disabled",
                "MediaStreamType": "Audio",
                "Participants": [
                    {"ParticipantType": "Customer", "MediaDirections": ["From", "To"]}
                ],
            }


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("start module", {"customerId": CUSTOMER_PATH}),
        ("agent whisper", WHISPERED),
        ("customer whisper", WHISPERED),
        ("outbound whisper", WHISPERED),
    ],
)
def test_a_start_passes_the_ids_that_its_flow_knows(name: str, attributes: dict[str, str]) -> None:
    assert actions(name)["Start transcription"]["Parameters"] == {
        "LambdaFunctionARN": START,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "LambdaInvocationAttributes": attributes,
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }


@pytest.mark.parametrize("name", STOPPING)
def test_a_stop_passes_nobodys_id(name: str) -> None:
    assert actions(name)["Stop transcription"]["Parameters"] == {
        "LambdaFunctionARN": STOP,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }


def test_the_default_hold_prompt_is_spoken_and_leaves_twenty_seconds_between() -> None:
    (message,) = actions("customer hold")["Loop hold prompts"]["Parameters"]["Messages"]
    assert set(message) == {"SSML"}
    assert "You are on hold." in message["SSML"]
    assert message["SSML"].count('<break time="10s"/>') == 2


def test_hold_prompts_can_be_music_and_words_in_turn() -> None:
    flow = customer_hold(
        stop_function_arn=STOP,
        prompts=[Prompt(prompt_id=f"{INSTANCE}/prompt/1"), Prompt(text="Please hold.")],
    )
    assert flow.content()["Actions"][-1]["Parameters"] == {
        "Messages": [{"PromptId": f"{INSTANCE}/prompt/1"}, {"Text": "Please hold."}]
    }


@pytest.mark.parametrize("name", MODULES)
def test_module_content_carries_the_settings_without_which_connect_refuses_it(name: str) -> None:
    assert READY_MADE[name].content()["Settings"] == {
        "InputParameters": [],
        "OutputParameters": [],
        "Transitions": [
            {"DisplayName": "Success", "ReferenceName": "Success", "Description": ""},
            {"DisplayName": "Error", "ReferenceName": "Error", "Description": ""},
        ],
    }


@pytest.mark.parametrize("name", FLOWS)
def test_flow_content_carries_no_settings(name: str) -> None:
    assert "Settings" not in READY_MADE[name].content()


# What the flow designer shows.


@every_ready_made
def test_the_linter_of_connect_flow_finds_nothing(name: str) -> None:
    flow = connect_flow.flow.parse(READY_MADE[name].to_json())
    assert connect_flow.lint.check(flow) == []


@every_ready_made
def test_every_block_has_its_own_place_on_the_designers_grid(name: str) -> None:
    metadata = READY_MADE[name].content()["Metadata"]
    assert list(metadata) == ["entryPointPosition", "ActionMetadata", "Annotations"]
    assert set(metadata["ActionMetadata"]) == set(actions(name))
    places = [metadata["entryPointPosition"]]
    places += [block["position"] for block in metadata["ActionMetadata"].values()]
    assert len({(place["x"], place["y"]) for place in places}) == len(places)
    assert all(place["x"] % 280 == 0 and place["y"] % 260 == 0 for place in places)
    assert all(block["isFriendlyName"] for block in metadata["ActionMetadata"].values())


@every_ready_made
def test_the_happy_path_runs_left_to_right_on_top_and_errors_stand_below(name: str) -> None:
    content = READY_MADE[name].content()
    places = {
        identifier: (block["position"]["x"], block["position"]["y"])
        for identifier, block in content["Metadata"]["ActionMetadata"].items()
    }
    happy, current = [], content["StartAction"]
    while current:
        happy.append(current)
        action = actions(name)[current]
        # A contact that is in the queue leaves the flow; its NextAction is that of the failure.
        ends = action["Type"] == "TransferContactToQueue"
        current = None if ends else action["Transitions"].get("NextAction")
    assert [places[block] for block in happy] == [(280 * (i + 1), 0) for i in range(len(happy))]
    assert all(y > 0 for block, (_, y) in places.items() if block not in happy)


def test_blocks_that_only_errors_reach_stand_below_even_beside_the_end_and_never_on_another() -> (
    None
):
    flow = Flow(
        name="n",
        type="AGENT_WHISPER",
        description="",
        blocks=(
            say("Say", next="End", on_error="Sorry"),
            EndFlowExecution(name="End"),
            say("Sorry", next="More", on_error="Less"),
            say("More", next="End"),
            say("Less", next="End"),
        ),
    )
    metadata = flow.content()["Metadata"]["ActionMetadata"]
    assert {name: block["position"] for name, block in metadata.items()} == {
        "Say": {"x": 280, "y": 0},
        "End": {"x": 560, "y": 0},
        "Sorry": {"x": 560, "y": 260},
        "More": {"x": 840, "y": 260},
        "Less": {"x": 840, "y": 520},
    }


def test_the_designer_learns_what_is_dynamic_and_how_the_function_is_called() -> None:
    metadata = FLOWS["agent whisper"].content()["Metadata"]["ActionMetadata"]
    lambda_block, queue = metadata["Start transcription"], metadata["Announce the queue"]
    assert lambda_block["parameters"]["LambdaFunctionARN"] == {"displayName": "start_streaming"}
    assert lambda_block["dynamicMetadata"] == {
        "customerId": True,
        "agentId": True,
        "agentArn": True,
    }
    assert queue["useDynamic"] is True
    streaming = metadata["Start media streaming"]
    assert (streaming["toCustomer"], streaming["fromCustomer"]) == (True, True)


def test_the_same_settings_give_the_same_bytes_in_every_process() -> None:
    program = (
        "from connect_flows.ready_made.disconnect import *\n"
        "from connect_flows.ready_made.hold_and_queue import *\n"
        "from connect_flows.ready_made.modules import *\n"
        "from connect_flows.ready_made.transfers import *\n"
        "from connect_flows.ready_made.whispers import *\n"
        f"start = {{'start_function_arn': {START!r}, 'customer_id_path': '$.A'}}\n"
        f"stop = {{'stop_function_arn': {STOP!r}}}\n"
        "print(start_module(**start).to_json())\n"
        "for flow in (agent_whisper, customer_whisper, outbound_whisper):\n"
        "    print(flow(**start, agent_id_path='$.B').to_json())\n"
        "for flow in (stop_module, customer_hold, customer_queue, agent_transfer, queue_transfer,\n"
        "             disconnect):\n"
        "    print(flow(**stop).to_json())\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    first, second = (run.communicate()[0] for run in runs)
    assert first == second
    assert len(first.splitlines()) == len(READY_MADE)


# The pictures in the guide.


def test_the_pictures_are_those_of_the_flows_as_they_are() -> None:
    drawn = {f"{name}.svg": draw(flow) for name, flow in draw_flows.ready_made().items()}
    committed = {file.name: file.read_text("utf-8") for file in draw_flows.FOLDER.iterdir()}
    assert committed == drawn, "run python -m tools.flows"


def test_every_ready_made_flow_has_its_picture_in_the_guide() -> None:
    drawn = draw_flows.ready_made()
    assert {flow.name for flow in drawn.values()} == {flow.name for flow in READY_MADE.values()}
    guide = (draw_flows.FOLDER.parent / "flows.md").read_text("utf-8")
    assert sorted(re.findall(r"\]\(flows/([\w-]+)\.svg\)", guide)) == sorted(drawn)


@every_ready_made
def test_a_picture_shows_every_block_and_every_way(name: str) -> None:
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(draw(READY_MADE[name]))  # noqa: S314 (our own)
    words = " ".join(text.text or "" for text in root.iter(f"{svg}text"))
    for identifier, action in actions(name).items():
        assert identifier in words
        assert action["Type"] in words.replace(" ", "")
    lines = list(root.iter(f"{svg}path"))
    dashed = [line for line in lines if "stroke-dasharray" in line.attrib]
    failures = {
        error["NextAction"]
        for action in actions(name).values()
        for error in action["Transitions"].get("Errors", [])
    }
    arrows = [line for line in dashed if "marker-end" in line.attrib]
    assert len(arrows) >= len(failures) + 1  # and the legend's


@every_ready_made
def test_a_picture_brings_its_own_ground_and_nothing_from_elsewhere(name: str) -> None:
    drawn = draw(READY_MADE[name])
    assert 'fill="#ffffff"' in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in drawn
    assert "<image" not in drawn


# What the flows do in a call: on every path.


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


def every_call(name: str) -> Iterator[tuple[Call, str]]:
    for way, failing in ways_to_fail(name):
        yield Call(way, failing), f"the function {way}, and these fail: {failing}"


@every_ready_made
def test_whatever_fails_the_call_goes_on_to_the_flows_own_end(name: str) -> None:
    for way, failing in ways_to_fail(name):
        how = f"the function {way}, and these fail: {failing}"
        path = Call(way, failing).run(name)
        assert (path[-1].block, path[-1].branch) == last(name, failing), how
        assert "Disconnects" not in {step.branch for step in path[:-1]}, how


@every_ready_made
def test_whatever_fails_the_call_waits_eight_seconds_at_most(name: str) -> None:
    for call, how in every_call(name):
        began = call.seconds
        call.run(name)
        assert call.seconds - began <= 8, how


@pytest.mark.parametrize("name", MODULES)
def test_whatever_fails_a_module_leaves_a_status_that_its_flow_can_compare(name: str) -> None:
    for call, how in every_call(name):
        (noted,) = (step for step in call.run(name) if step.type == "UpdateContactAttributes")
        attributes = call.contact.attributes
        if noted.branch == "NextAction":
            assert set(attributes) == {"autotranscribe_status"}, how
            assert attributes["autotranscribe_status"] in STATUSES, how
        else:
            assert attributes == {}, how


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
        seen = {step.block for call, _ in every_call(name) for step in call.run(name)}
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
    for call, how in every_call(name):
        kinds = [step.type for step in call.run(name)]
        said = [at for at, kind in enumerate(kinds) if kind.startswith("MessageParticipant")]
        assert said, how
        assert kinds.index("InvokeLambdaFunction") < said[0], how


@pytest.mark.parametrize("name", TRANSFERS)
def test_whatever_fails_a_transfer_sets_every_flow_of_the_next_agent_that_can_be_set(
    name: str,
) -> None:
    of_block = {
        "Set the whisper flow": ("AgentWhisper", WHISPER_FLOW),
        "Set the hold flow": ("CustomerHold", HOLD_FLOW),
        "Set the disconnect flow": ("CustomerRemaining", DISCONNECT_FLOW),
    }
    for way, failing in ways_to_fail(name):
        call = Call(way, failing)
        kinds = [step.type for step in call.run(name)]
        assert call.contact.hooks == dict(
            hook for block, hook in of_block.items() if block not in failing
        ), f"the function {way}, and these fail: {failing}"
        assert kinds[:4] == [HOOKS] * 3 + ["InvokeLambdaFunction"], "nobody waits for a hook"


def test_no_function_runs_before_an_outbound_call_is_placed() -> None:
    for call, how in every_call("outbound whisper"):
        kinds = [step.type for step in call.run("outbound whisper")]
        for kind in ("InvokeLambdaFunction", STREAMING):
            if kind in kinds:
                assert kinds.index("MessageParticipant") < kinds.index(kind), how


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


# Mistakes are told at synth, all at once.


@pytest.mark.parametrize("path", ["jane", "Agent.UserName", "", "$jane"])
def test_an_id_that_is_not_looked_up_is_refused_because_it_would_be_everybodys(path: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)customer_id_path is .* and agent_id_path is .*"):
        agent_whisper(start_function_arn=START, customer_id_path=path, agent_id_path=path)


@pytest.mark.parametrize("path", ["$.Agent.UserName", "$['Agent']['UserName']"])
def test_the_start_module_refuses_a_path_that_inbound_flows_do_not_have(path: str) -> None:
    with pytest.raises(ValueError, match="know no agent"):
        start_module(start_function_arn=START, customer_id_path=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "not 0 of them"),
        ({"text": "a", "prompt_id": "b"}, "not 2 of them"),
        ({"text": "x" * 6_001}, "6001 characters"),
        ({"ssml": "hello"}, "one <speak>"),
    ],
)
def test_a_prompt_is_exactly_one_thing(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prompt(**arguments)


def test_a_hold_without_a_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        customer_hold(stop_function_arn=STOP, prompts=[])


@pytest.mark.parametrize("type", ["CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER"])
def test_flows_that_know_no_agent_pass_none(type: str) -> None:
    customer = {"customerId": CUSTOMER_PATH}
    assert customer == start_attributes(
        type, customer_id_path=CUSTOMER_PATH, agent_id_path=AGENT_PATH
    )
    assert {**customer, "agentId": "$.Attributes.agent"} == start_attributes(
        type, customer_id_path=CUSTOMER_PATH, agent_id_path="$.Attributes.agent"
    )


@pytest.mark.parametrize(
    "type",
    [
        "AGENT_WHISPER",
        "CUSTOMER_WHISPER",
        "OUTBOUND_WHISPER",
        "CUSTOMER_HOLD",
        "AGENT_HOLD",
        "AGENT_TRANSFER",
    ],
)
def test_flows_that_know_the_agent_pass_it(type: str) -> None:
    attributes = start_attributes(type, customer_id_path=AGENT_PATH, agent_id_path=AGENT_PATH)
    assert attributes == {
        "customerId": AGENT_PATH,
        "agentId": AGENT_PATH,
        "agentArn": "$.Agent.ARN",
    }


def say(name: str, next: str, on_error: str = "End") -> MessageParticipant:
    return MessageParticipant(name=name, prompt=Prompt(text="x"), next=next, on_error=on_error)


def test_everything_that_is_wrong_with_a_flow_is_in_one_error() -> None:
    flow = Flow(
        name="n" * 128,
        type="AGENT_WHISPER",
        description="d" * 500,
        blocks=(
            say("Twice", next="Nowhere"),
            say("Twice", next="End", on_error="Lost"),
            say("a (b)", next="End"),
            say("constructor", next="End"),
            say("l" * 51, next="End"),
            EndFlowExecution(name="End"),
        ),
    )
    with pytest.raises(ValueError, match="is not a flow that Connect takes") as error:
        flow.content()
    for problem in (
        "the name has 128 characters",
        "the description has more than 500",
        "'Twice': 2 actions have this identifier",
        "'Twice' transitions to 'Nowhere', which does not exist",
        "'Twice' transitions to 'Lost', which does not exist",
        "'a (b)': the identifier holds one of",
        "'constructor': no action may have this identifier",
        "the identifier has 51 characters",
    ):
        assert problem in str(error.value)


@pytest.mark.parametrize("count", [0, 251])
def test_a_flow_of_no_block_or_of_more_than_connect_takes_is_refused(count: int) -> None:
    ends = tuple(EndFlowExecution(name=f"End {n}") for n in range(count))
    with pytest.raises(ValueError, match=f"it has {count} actions"):
        Flow(name="n", type="AGENT_WHISPER", description="", blocks=ends).content()


def test_a_block_that_its_type_of_flow_does_not_take_is_refused() -> None:
    blocks = (say("Say", next="Loop", on_error="Loop"),)
    loop = MessageParticipantIteratively(name="Loop", prompts=(Prompt(text="x"),))
    flow = Flow(name="Mine", type="CUSTOMER_HOLD", description="", blocks=(*blocks, loop))
    with pytest.raises(
        ValueError, match=r"'Mine' is not .*: 'Say': .*not allowed in a flow of type CUSTOMER_HOLD"
    ):
        flow.to_json()


def test_a_flow_with_very_much_wrong_names_ten_problems_and_how_many_more() -> None:
    ends = tuple(EndFlowExecution(name=f"End {n}") for n in range(13))
    flow = Flow(name="n", type="AGENT_WHISPER", description="", blocks=ends)
    with pytest.raises(ValueError, match=r"and 2 more$") as error:
        flow.content()
    assert str(error.value).count("not reachable") == 10


def test_letters_beyond_ascii_count_once_as_connect_counts_them() -> None:
    prompt = Prompt(text="ü" * 6_000)
    flow = Flow(
        name="n",
        type="CUSTOMER_HOLD",
        description="",
        blocks=(MessageParticipantIteratively(name="Loop", prompts=(prompt,) * 30),),
    )
    assert len(flow.to_json()) < 200_000
    assert json.loads(flow.to_json()) == flow.content()


def test_content_that_nears_connects_limit_is_refused_before_the_deploy() -> None:
    long = Prompt(text="x" * 6_000)
    flow = Flow(
        name="Long",
        type="CUSTOMER_HOLD",
        description="",
        blocks=(MessageParticipantIteratively(name="Loop", prompts=(long,) * 40),),
    )
    with pytest.raises(ValueError, match="move a part of it into a module"):
        flow.to_json()


def test_changing_content_that_a_flow_gave_changes_no_other() -> None:
    content = MODULES["start module"].content()
    content["Settings"]["Transitions"].clear()
    content["Actions"][0]["Parameters"]["Participants"].clear()
    again = MODULES["start module"].content()
    assert again["Settings"]["Transitions"]
    assert again["Actions"][0]["Parameters"]["Participants"]


# The stack.


def a_flows_stack(
    app: App, start: lambda_.IFunction, stop: lambda_.IFunction, **arguments: Any
) -> FlowsStack:
    return FlowsStack(
        app,
        "Flows",
        instance_arn=INSTANCE,
        start_streaming=start,
        stop_streaming=stop,
        customer_id_path=CUSTOMER_PATH,
        agent_id_path=AGENT_PATH,
        env=Environment(account="111122223333", region="us-east-1"),
        description="Flows of the test.",
        **arguments,
    )


def synth_with_aliases(folder: Path) -> Template:
    """The functions in a stack of their own, as in the app."""
    app = App(outdir=str(folder))
    functions = Stack(app, "Functions", env=Environment(account="111122223333", region="us-east-1"))

    def alias(name: str) -> lambda_.Alias:
        function = lambda_.Function(
            functions,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): return {}"),
        )
        return lambda_.Alias(
            functions, f"{name}Alias", alias_name="live", version=function.current_version
        )

    return Template.from_stack(a_flows_stack(app, alias("Start"), alias("Stop")))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return synth_with_aliases(tmp_path_factory.mktemp("cdk"))


def resources(template: Template, kind: str) -> list[dict[str, Any]]:
    found = template.find_resources(f"AWS::Connect::{kind}")
    return [dict(resource) for resource in found.values()]


STACKS_FLOWS = {
    "AgentWhisper": WHISPER_FLOW,
    "CustomerHold": HOLD_FLOW,
    "Disconnect": DISCONNECT_FLOW,
}
"""Those that others of the stack name, by their construct ids."""


def text(value: Any) -> str:
    """A template value as CloudFormation would resolve it, with an ARN for every import."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(text(part) for part in argument[1])
    if function == "Fn::GetAtt":
        flow, attribute = argument
        assert attribute == "ContactFlowArn"
        (arn,) = (arn for id, arn in STACKS_FLOWS.items() if flow.startswith(id))
        return arn
    assert function == "Fn::ImportValue"
    name = "start" if "Start" in str(argument) else "stop"
    return {"start": START, "stop": STOP}[name]


def test_the_content_in_the_template_is_that_of_the_ready_made_flows(template: Template) -> None:
    contents = {
        resource["Properties"]["Name"]: json.loads(text(resource["Properties"]["Content"]))
        for kind in ("ContactFlow", "ContactFlowModule")
        for resource in resources(template, kind)
    }
    next_agents = {
        name: flow for name, flow in NEXT_AGENTS.items() if name != "disconnect_flow_arn"
    }
    ours = READY_MADE | {
        "agent transfer": agent_transfer(stop_function_arn=STOP, **next_agents),
        "queue transfer": queue_transfer(stop_function_arn=STOP, **next_agents),
    }
    assert contents == {flow.name: flow.content() for flow in ours.values()}


def test_function_arns_come_from_the_other_stack(template: Template) -> None:
    for resource in resources(template, "IntegrationAssociation"):
        assert "Fn::ImportValue" in resource["Properties"]["IntegrationArn"]


def test_two_synths_give_the_same_template_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        synth_with_aliases(tmp_path / name)
    one, two = ((tmp_path / name / "Flows.template.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_functions_known_by_arn_do_as_well_as_aliases(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    functions = Stack(app, "Functions")
    CfnWaitConditionHandle(functions, "Nothing")  # A stack without a resource warns.
    stack = a_flows_stack(
        app,
        lambda_.Function.from_function_arn(functions, "Start", START),
        lambda_.Function.from_function_arn(functions, "Stop", STOP),
    )
    for resource in resources(Template.from_stack(stack), "ContactFlow"):
        assert "Fn::ImportValue" not in json.dumps(resource)
        json.loads(text(resource["Properties"]["Content"]))


def test_what_the_stacks_flows_say_can_be_chosen() -> None:
    app = App()
    functions = Stack(app, "Functions")
    CfnWaitConditionHandle(functions, "Nothing")
    function = lambda_.Function.from_function_arn(functions, "Stop", STOP)
    stack = a_flows_stack(
        app,
        function,
        function,
        connected_prompt=Prompt(prompt_id="beep"),
        outbound_prompt=Prompt(text="This call is transcribed."),
        hold_prompts=[Prompt(prompt_id="music")],
        queue_prompts=[Prompt(prompt_id="queue music")],
        transfer_prompt=Prompt(text="Un instant."),
        failed_transfer_prompt=Prompt(text="Impossible."),
    )
    said: dict[str, list[Any]] = {}
    for resource in resources(Template.from_stack(stack), "ContactFlow"):
        for action in json.loads(text(resource["Properties"]["Content"]))["Actions"]:
            if action["Type"].startswith("MessageParticipant"):
                said.setdefault(resource["Properties"]["Type"], []).append(action["Parameters"])
    assert said == {
        "AGENT_WHISPER": [{"Text": "$.Queue.Name"}],
        "CUSTOMER_WHISPER": [{"PromptId": "beep"}],
        "OUTBOUND_WHISPER": [{"Text": "This call is transcribed."}],
        "CUSTOMER_HOLD": [{"Messages": [{"PromptId": "music"}]}],
        "CUSTOMER_QUEUE": [{"Messages": [{"PromptId": "queue music"}]}],
        "AGENT_TRANSFER": [{"Text": "Un instant."}],
        "QUEUE_TRANSFER": [{"Text": "Un instant."}, {"Text": "Impossible."}],
    }


def test_each_function_is_associated_with_the_instance_by_the_arn_that_flows_invoke(
    template: Template,
) -> None:
    associated = [
        (
            properties["InstanceId"],
            properties["IntegrationType"],
            text(properties["IntegrationArn"]),
        )
        for properties in (r["Properties"] for r in resources(template, "IntegrationAssociation"))
    ]
    assert sorted(associated) == [
        (INSTANCE, "LAMBDA_FUNCTION", START),
        (INSTANCE, "LAMBDA_FUNCTION", STOP),
    ]
    invoked = {
        action["Parameters"]["LambdaFunctionARN"]
        for name in READY_MADE
        for action in actions(name).values()
        if action["Type"] == "InvokeLambdaFunction"
    }
    assert invoked == {START, STOP}


def test_names_are_stable_and_carry_the_type_and_descriptions_say_who_manages(
    template: Template,
) -> None:
    flows = resources(template, "ContactFlow")
    assert {(r["Properties"]["Name"], r["Properties"]["Type"]) for r in flows} == {
        ("Transcription agent whisper", "AGENT_WHISPER"),
        ("Transcription customer whisper", "CUSTOMER_WHISPER"),
        ("Transcription outbound whisper", "OUTBOUND_WHISPER"),
        ("Transcription customer hold", "CUSTOMER_HOLD"),
        ("Transcription customer queue", "CUSTOMER_QUEUE"),
        ("Transcription transfer to agent", "AGENT_TRANSFER"),
        ("Transcription transfer to queue", "QUEUE_TRANSFER"),
        ("Transcription disconnect", "CONTACT_FLOW"),
    }
    modules = resources(template, "ContactFlowModule")
    assert {r["Properties"]["Name"] for r in modules} == {
        "Start transcription",
        "Stop transcription",
    }
    for resource in [*flows, *modules]:
        assert resource["Properties"]["InstanceArn"] == INSTANCE
        assert "Managed by CDK" in resource["Properties"]["Description"]
        assert "overwritten by the next deploy" in resource["Properties"]["Description"]
        assert len(resource["Properties"]["Description"]) <= 500


def test_connect_resources_are_made_one_after_the_other(template: Template) -> None:
    every = {
        identifier: resource
        for identifier, resource in template.to_json()["Resources"].items()
        if resource["Type"].startswith("AWS::Connect::")
    }
    assert len(every) == 12
    # Nothing but a chain has a dependency from each one to the one before.
    order: list[str] = []
    while len(order) < len(every):
        ready = [
            identifier
            for identifier, resource in every.items()
            if identifier not in order and set(resource.get("DependsOn", [])) <= set(order)
        ]
        assert len(ready) == 1, f"{ready} would be made at the same time"
        order += ready
    assert [every[identifier]["Type"].removeprefix("AWS::Connect::") for identifier in order] == [
        "IntegrationAssociation",
        "IntegrationAssociation",
        "ContactFlowModule",
        "ContactFlowModule",
        *["ContactFlow"] * 8,
    ]


def test_the_stack_tells_the_arn_of_each_flow_and_module(template: Template) -> None:
    outputs = {
        name: output["Value"]["Fn::GetAtt"]
        for name, output in template.to_json()["Outputs"].items()
    }
    attributes = {name: attribute for name, (_, attribute) in outputs.items()}
    assert attributes == {
        "StartModuleArn": "ContactFlowModuleArn",
        "StopModuleArn": "ContactFlowModuleArn",
        "AgentWhisperFlowArn": "ContactFlowArn",
        "CustomerWhisperFlowArn": "ContactFlowArn",
        "OutboundWhisperFlowArn": "ContactFlowArn",
        "CustomerHoldFlowArn": "ContactFlowArn",
        "CustomerQueueFlowArn": "ContactFlowArn",
        "AgentTransferFlowArn": "ContactFlowArn",
        "QueueTransferFlowArn": "ContactFlowArn",
        "DisconnectFlowArn": "ContactFlowArn",
    }
    assert len({target for target, _ in outputs.values()}) == 10


def test_the_stack_makes_connect_resources_and_nothing_else(template: Template) -> None:
    types = {resource["Type"] for resource in template.to_json()["Resources"].values()}
    assert types - {"AWS::CDK::Metadata"} == {
        "AWS::Connect::IntegrationAssociation",
        "AWS::Connect::ContactFlow",
        "AWS::Connect::ContactFlowModule",
    }


def test_every_ready_made_content_is_far_below_connects_limit(template: Template) -> None:
    for kind in ("ContactFlow", "ContactFlowModule"):
        for resource in resources(template, kind):
            assert len(text(resource["Properties"]["Content"])) < 10_000


def test_a_function_whose_arn_connect_would_refuse_is_told_at_synth() -> None:
    stack = Stack(App(), "Stack")
    long = lambda_.Function.from_function_arn(stack, "Long", START + "x" * 140)
    with pytest.raises(ValueError, match=r"takes 140: shorten its name; instance_arn is 'acme'"):
        FlowFunction(stack, "Function", instance_arn="acme", function=long)


def test_the_examples_in_the_docstrings_work() -> None:
    stack = Stack(App(), "Stack")
    start = FlowFunction(
        stack,
        "StartStreaming",
        instance_arn=INSTANCE,
        function=lambda_.Function.from_function_arn(stack, "Start", START),
    )
    TranscriptionFlow(
        stack,
        "AgentWhisper",
        instance_arn=INSTANCE,
        flow=agent_whisper(
            start_function_arn=start.arn,
            customer_id_path="$.CustomerEndpoint.Address",
            agent_id_path="$.Agent.UserName",
        ),
    )
    TranscriptionModule(
        stack,
        "StopModule",
        instance_arn=INSTANCE,
        module=stop_module(stop_function_arn=STOP),
    )
    Template.from_stack(stack).resource_count_is("AWS::Connect::ContactFlow", 1)


def test_a_function_block_without_dynamic_parameters_says_so_to_the_designer() -> None:
    block = InvokeLambdaFunction(
        name="Invoke", function_arn=START, display_name="start", next="End", on_error="End"
    )
    assert block.designer() == {
        "parameters": {"LambdaFunctionARN": {"displayName": "start"}},
        "dynamicMetadata": {},
    }
