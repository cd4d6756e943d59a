"""Draws the ready-made flows for ``docs/flows.md``, and writes its table of places.

``python -m tools.flows`` writes ``docs/flows/*.svg``, the same bytes every time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connect_flows.flow import Flow, FlowModule
from connect_flows.pictures.drawing import draw
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold, customer_queue
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from tools.flows.places import write as write_places

FOLDER = Path(__file__).parents[2] / "docs" / "flows"


def ready_made() -> dict[str, Flow | FlowModule]:
    """Each picture's file name, without its ending, and what it shows."""
    start, stop, customer, agent = "start", "stop", "$.CustomerEndpoint.Address", "$.Agent.UserName"
    next_agents: dict[str, Any] = {
        "agent_whisper_flow_arn": "agent whisper",
        "customer_hold_flow_arn": "customer hold",
    }
    return {
        "start-module": start_module(start_function_arn=start, customer_id_path=customer),
        "stop-module": stop_module(stop_function_arn=stop),
        "agent-whisper": agent_whisper(
            start_function_arn=start, customer_id_path=customer, agent_id_path=agent
        ),
        "customer-whisper": customer_whisper(
            start_function_arn=start, customer_id_path=customer, agent_id_path=agent
        ),
        "outbound-whisper": outbound_whisper(
            start_function_arn=start,
            customer_id_path=customer,
            agent_id_path=agent,
            customer_hold_flow_arn="customer hold",
            disconnect_flow_arn="disconnect",
        ),
        "customer-hold": customer_hold(stop_function_arn=stop),
        "customer-queue": customer_queue(stop_function_arn=stop),
        "agent-transfer": agent_transfer(stop_function_arn=stop, **next_agents),
        "queue-transfer": queue_transfer(stop_function_arn=stop, **next_agents),
        "disconnect": disconnect(stop_function_arn=stop),
    }


def main() -> None:
    """Write every picture, and the table of places."""
    write_places()
    FOLDER.mkdir(exist_ok=True)
    for name, flow in ready_made().items():
        (FOLDER / f"{name}.svg").write_text(draw(flow), "utf-8")


if __name__ == "__main__":
    main()
