"""What the flow designer shows of the ready-made flows."""

from __future__ import annotations

import os
import subprocess
import sys

import connect_flow.flow
import connect_flow.lint

from connect_flows.blocks import (
    EndFlowExecution,
)
from connect_flows.flow import Flow
from tests.flows.ready_made.made import (
    FLOWS,
    READY_MADE,
    START,
    STOP,
    actions,
    every_ready_made,
    say,
)


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
