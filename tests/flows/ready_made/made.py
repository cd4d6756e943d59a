"""What tests of the ready-made flows share."""

from __future__ import annotations

from typing import Any

import pytest

from connect_flows.blocks import (
    MessageParticipant,
    Prompt,
)
from connect_flows.flow import Flow, FlowModule
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold, customer_queue
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"


START = "arn:aws:lambda:us-east-1:111122223333:function:start:live"


STOP = "arn:aws:lambda:us-east-1:111122223333:function:stop:live"


WHISPER_FLOW = f"{INSTANCE}/contact-flow/whisper"


HOLD_FLOW = f"{INSTANCE}/contact-flow/hold"


DISCONNECT_FLOW = f"{INSTANCE}/contact-flow/disconnect"


CUSTOMER_PATH = "$.CustomerEndpoint.Address"


AGENT_PATH = "$.Agent.UserName"


STREAMING = "UpdateContactMediaStreamingBehavior"


HOOKS = "UpdateContactEventHooks"


NEXT_AGENTS: dict[str, Any] = {
    "agent_whisper_flow_arn": WHISPER_FLOW,
    "customer_hold_flow_arn": HOLD_FLOW,
    "disconnect_flow_arn": DISCONNECT_FLOW,
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


def say(name: str, next: str, on_error: str = "End") -> MessageParticipant:
    return MessageParticipant(name=name, prompt=Prompt(text="x"), next=next, on_error=on_error)


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
