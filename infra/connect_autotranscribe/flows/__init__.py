"""Flows and flow modules: the blocks that they are made of, the ready-made ones, the constructs."""

from connect_autotranscribe.flows.blocks import Prompt
from connect_autotranscribe.flows.flow import Flow, FlowModule
from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.ready_made import (
    DEFAULT_HOLD_PROMPTS,
    agent_whisper,
    customer_hold,
    disconnect,
    start_module,
    stop_module,
)
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule

__all__ = [
    "DEFAULT_HOLD_PROMPTS",
    "Flow",
    "FlowFunction",
    "FlowModule",
    "Prompt",
    "TranscriptionFlow",
    "TranscriptionModule",
    "agent_whisper",
    "customer_hold",
    "disconnect",
    "start_module",
    "stop_module",
]
