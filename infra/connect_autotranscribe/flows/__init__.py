"""The flow language: blocks, ready-made flows and modules, the rules, and weaving.

Nothing here needs AWS CDK: ``python -m connect_autotranscribe.flows`` works on a customer's files.
"""

from connect_autotranscribe.flows.blocks import Prompt
from connect_autotranscribe.flows.flow import Flow, FlowModule
from connect_autotranscribe.flows.ready_made import (
    DEFAULT_CONNECTED_PROMPT,
    DEFAULT_FAILED_TRANSFER_PROMPT,
    DEFAULT_HOLD_PROMPTS,
    DEFAULT_QUEUE_PROMPTS,
    DEFAULT_TRANSFER_PROMPT,
    SILENCE,
    agent_transfer,
    agent_whisper,
    customer_hold,
    customer_queue,
    customer_whisper,
    disconnect,
    outbound_whisper,
    queue_transfer,
    start_attributes,
    start_module,
    stop_module,
)
from connect_autotranscribe.flows.rules import NotAFlow, Problem, check, parse
from connect_autotranscribe.flows.weave import CannotWeave, Start, Stop, Woven, weave

__all__ = [
    "DEFAULT_CONNECTED_PROMPT",
    "DEFAULT_FAILED_TRANSFER_PROMPT",
    "DEFAULT_HOLD_PROMPTS",
    "DEFAULT_QUEUE_PROMPTS",
    "DEFAULT_TRANSFER_PROMPT",
    "SILENCE",
    "CannotWeave",
    "Flow",
    "FlowModule",
    "NotAFlow",
    "Problem",
    "Prompt",
    "Start",
    "Stop",
    "Woven",
    "agent_transfer",
    "agent_whisper",
    "check",
    "customer_hold",
    "customer_queue",
    "customer_whisper",
    "disconnect",
    "outbound_whisper",
    "parse",
    "queue_transfer",
    "start_attributes",
    "start_module",
    "stop_module",
    "weave",
]
