"""What tests of the rules share: what our reference on Connect says of each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connect_flows.flow import Flow, FlowModule
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold, customer_queue
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from connect_flows.rules import Problem
from tests.flow_builders import END, START_ARN, Json, action, condition, errors, flow, invoke

LETTERS = {
    "I": "CONTACT_FLOW",
    "Q": "CUSTOMER_QUEUE",
    "CW": "CUSTOMER_WHISPER",
    "AW": "AGENT_WHISPER",
    "OW": "OUTBOUND_WHISPER",
    "CH": "CUSTOMER_HOLD",
    "AH": "AGENT_HOLD",
    "TA": "AGENT_TRANSFER",
    "TQ": "QUEUE_TRANSFER",
    "M": "MODULE",
}


EVERYWHERE = " ".join(LETTERS)


NO_HOLD = "I Q CW AW OW TA TQ M"


TALKING = "I Q TA TQ M"


ERRORS = (
    "NoMatchingError",
    "NoMatchingCondition",
    "QueueAtCapacity",
    "ChannelMismatch",
    "ParticipantNotFound",
    "InputTimeLimitExceeded",
)


@dataclass(frozen=True)
class Row:
    """What section 3 of our reference on Connect says of one action, written down once more.

    :param source: A part of the page's name, or who found it out.
    :param missing: Whether a branch that is missing in `errors` is ``refused`` or ``noted``.
    :param refused_errors: Those of other actions with which it is refused.
    """

    where: str
    source: str
    errors: str = ""
    more_errors: str = ""
    next: str = "required"
    conditions: bool = False
    operands: str = ""
    missing: str = "refused"
    refused_errors: str = ""

    @property
    def flow_types(self) -> set[str]:
        return {LETTERS[letter] for letter in self.where.split()}


TABLE = {
    "Compare": Row(
        EVERYWHERE,
        "API",
        "NoMatchingCondition",
        conditions=True,
        missing="noted",
        refused_errors="NoMatchingError",
    ),
    "DequeueContactAndTransferToQueue": Row(
        "Q M", "dequeuecontact", "", "NoMatchingError QueueAtCapacity", "optional"
    ),
    "DisconnectParticipant": Row(TALKING, "disconnectparticipant", next="none"),
    "EndFlowExecution": Row(EVERYWHERE, "endflowexecution", next="none"),
    "EndFlowModuleExecution": Row("M", "endflowmoduleexecution", next="none"),
    "InvokeFlowModule": Row(
        EVERYWHERE,
        "modules",
        "NoMatchingError",
        "NoMatchingCondition",
        conditions=True,
        missing="noted",
    ),
    "InvokeLambdaFunction": Row(EVERYWHERE, "invokelambdafunction", "NoMatchingError"),
    "Loop": Row(
        EVERYWHERE,
        "flow-control-actions-loop",
        "",
        "NoMatchingError",
        conditions=True,
        operands="ContinueLooping DoneLooping",
    ),
    "MessageParticipant": Row(NO_HOLD, "messageparticipant", "", "NoMatchingError"),
    "MessageParticipantIteratively": Row(
        "Q CH AH M", "iteratively", "", "NoMatchingError", "optional", conditions=True
    ),
    "TagContact": Row(EVERYWHERE, "API", "NoMatchingError"),
    "TransferContactToAgent": Row("TA TQ M", "transfercontacttoagent", next="none"),
    "TransferContactToQueue": Row(
        "I TA TQ M", "API", "NoMatchingError QueueAtCapacity", next="optional"
    ),
    "TransferToFlow": Row("I TA TQ M", "transfertoflow", "", "NoMatchingError", "optional"),
    "UntagContact": Row(EVERYWHERE, "untagcontact", "", "NoMatchingError"),
    "UpdateContactAttributes": Row(EVERYWHERE, "updatecontactattributes", "NoMatchingError"),
    "UpdateContactEventHooks": Row(
        EVERYWHERE, "updatecontacteventhooks", "NoMatchingError", missing="noted"
    ),
    "UpdateContactMediaStreamingBehavior": Row(
        NO_HOLD, "mediastreaming", "NoMatchingError", missing="noted"
    ),
    "UpdateContactRecordingAndAnalyticsBehavior": Row(
        EVERYWHERE, "API", "ChannelMismatch NoMatchingError"
    ),
    "UpdateContactRecordingBehavior": Row(
        "I Q OW TA TQ M", "API", refused_errors="NoMatchingError"
    ),
    "UpdateContactTargetQueue": Row(
        "I TA TQ M", "updatecontacttargetqueue", "NoMatchingError", missing="noted"
    ),
    "UpdateFlowAttributes": Row(EVERYWHERE, "published", "", "NoMatchingError"),
    "UpdateFlowLoggingBehavior": Row(EVERYWHERE, "updateflowloggingbehavior"),
    "Wait": Row(
        "I Q M",
        "AG wait",
        "NoMatchingError",
        "ParticipantNotFound",
        "optional",
        conditions=True,
        operands="WaitCompleted",
        missing="noted",
    ),
}


def subject(kind: str, **changes: Any) -> Json:
    """One action of the kind, led on as the table says, in a flow of its own."""
    row = TABLE[kind]
    transitions: Json = {}
    if row.next != "none":
        transitions["NextAction"] = "End"
    if row.errors:
        transitions["Errors"] = errors(*row.errors.split())
    operands = row.operands.split() or (["gold"] if kind == "Compare" else [])
    if operands:
        transitions["Conditions"] = [condition(operand) for operand in operands]
    transitions |= changes
    one = action("Subject", kind, **{k: v for k, v in transitions.items() if v is not None})
    leads_on = any(transitions.get(each) for each in ("NextAction", "Errors", "Conditions"))
    return flow(one, *([END] if leads_on else []))


def somewhere(kind: str) -> str:
    """One flow type that takes the action."""
    return min(TABLE[kind].flow_types)


def rules(problems: list[Problem]) -> list[str]:
    return [f"{problem.action}: {problem.rule}" for problem in problems]


def told(problems: list[Problem]) -> list[tuple[str, str]]:
    """Whether each is refused or noted, and the rule."""
    return [("refused" if each.refuses else "noted", each.rule) for each in problems]


def lambda_(name: str, seconds: object = "8", to: str = "End", **more: Any) -> Json:
    return invoke(name, to, START_ARN, InvocationTimeLimitSeconds=seconds, **more)


IDS: Any = {"customer_id_path": "$.CustomerEndpoint.Address", "agent_id_path": "$.Agent.UserName"}


READY_MADE: dict[str, Flow | FlowModule] = {
    each.name: each
    for each in (
        start_module(start_function_arn=START_ARN, customer_id_path=IDS["customer_id_path"]),
        stop_module(stop_function_arn=START_ARN),
        agent_whisper(start_function_arn=START_ARN, **IDS),
        customer_whisper(start_function_arn=START_ARN, **IDS),
        outbound_whisper(start_function_arn=START_ARN, **IDS),
        customer_hold(stop_function_arn=START_ARN),
        customer_queue(stop_function_arn=START_ARN),
        disconnect(stop_function_arn=START_ARN),
        agent_transfer(stop_function_arn=START_ARN),
        queue_transfer(stop_function_arn=START_ARN),
    )
}
