"""The flow language: blocks, ready-made flows and modules, the rules, and weaving.

Nothing here needs AWS CDK: ``python -m connect_autotranscribe.flows`` works on a customer's files.
"""

from connect_autotranscribe.flows.blocks import Prompt
from connect_autotranscribe.flows.flow import Flow, FlowModule
from connect_autotranscribe.flows.ready_made import (
    DEFAULT_HOLD_PROMPTS,
    agent_whisper,
    customer_hold,
    disconnect,
    start_module,
    stop_module,
)
from connect_autotranscribe.flows.rules import NotAFlow, Problem, check, parse
from connect_autotranscribe.flows.weave import CannotWeave, Start, Stop, Woven, weave

__all__ = [
    "DEFAULT_HOLD_PROMPTS",
    "CannotWeave",
    "Flow",
    "FlowModule",
    "NotAFlow",
    "Problem",
    "Prompt",
    "Start",
    "Stop",
    "Woven",
    "agent_whisper",
    "check",
    "customer_hold",
    "disconnect",
    "parse",
    "start_module",
    "stop_module",
    "weave",
]
