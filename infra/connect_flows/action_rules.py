"""One table: in which flow types each action of the flow language may be, and what it must have.

Sources: *DG*, the developer guide's flow language pages; *AG*, the admin guide; *API*, the results
of live tests of ``CreateContactFlow``. If the sources contradict each other, a block is allowed
here if one of them allows it and published flows use it.

A rule *refuses* a block only if a source says that Connect refuses it. Every other difference from
the sources is a *note*: Connect may accept it. `Rule` says which is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flows.flow_types import (
    EVERYWHERE,
    HOLDS,
    INBOUND,
    MODULE,
    OUTBOUND_WHISPER,
    QUEUE,
    TRANSFERS,
)

_TALKING = frozenset({INBOUND, QUEUE, MODULE}) | TRANSFERS

MAX_FUNCTION_ARN_CHARACTERS = 140
MAX_LAMBDA_SECONDS = 8

LOOP_PROMPTS = "MessageParticipantIteratively"
NOT_BEFORE_LOOP_PROMPTS = frozenset(
    {
        "DequeueContactAndTransferToQueue",  # *Transfer to queue* in a customer queue flow
        "GetParticipantInput",  # both *Get customer input* and *Store customer input*
        "Loop",
        "MessageParticipant",
        "TransferContactToQueue",
        "TransferParticipantToThirdParty",
        "UpdateContactMediaStreamingBehavior",
    }
)

Parameters = Mapping[str, Any]


def _compare(parameters: Parameters) -> Iterator[str]:
    if not str(parameters.get("ComparisonValue")).startswith(("$.", "$[")):
        yield "has no JSONPath as its ComparisonValue"


def _event_hooks(parameters: Parameters) -> Iterator[str]:
    hooks = parameters.get("EventHooks")
    if not isinstance(hooks, dict):
        yield "has no EventHooks"
    elif "OutboundWhisper" in hooks:
        yield "has no hook OutboundWhisper: set that flow on the queue"


def _lambda(parameters: Parameters) -> Iterator[str]:
    arn = parameters.get("LambdaFunctionARN")
    if not isinstance(arn, str) or not arn:
        yield "has no LambdaFunctionARN: set the function before a call reaches it"
    # A token is not the ARN, which is known only at deployment and has another length.
    elif "${" not in arn and len(arn) > MAX_FUNCTION_ARN_CHARACTERS:
        yield f"has an ARN of {len(arn)} characters, more than {MAX_FUNCTION_ARN_CHARACTERS}"
    if "RequestAttributes" in parameters:
        yield "has RequestAttributes: write LambdaInvocationAttributes"
    asynchronous = parameters.get("InvocationType") == "ASYNCHRONOUS"  # 60 s in AG, 8 s in DG
    if not asynchronous and not 1 <= lambda_seconds(parameters) <= MAX_LAMBDA_SECONDS:
        limit = parameters.get("InvocationTimeLimitSeconds")
        yield f"has a time limit of {limit!r}, not 1 to {MAX_LAMBDA_SECONDS} seconds"


def _lambda_answer(parameters: Parameters) -> Iterator[str]:
    answer = parameters.get("ResponseValidation") or {}
    kind = answer.get("ResponseType", "STRING_MAP") if isinstance(answer, dict) else answer
    if kind not in ("STRING_MAP", "JSON"):
        yield f"has a ResponseType of {kind!r}, not STRING_MAP or JSON"


def lambda_seconds(parameters: Parameters) -> int:
    """A string in exports, a number in the developer guide; 0 if it is neither."""
    value = str(parameters.get("InvocationTimeLimitSeconds", MAX_LAMBDA_SECONDS))
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0


def _media_streaming(parameters: Parameters) -> Iterator[str]:
    if parameters.get("MediaStreamingState") not in ("Enabled", "Disabled"):
        yield "has a MediaStreamingState that is neither Enabled nor Disabled"
    if parameters.get("MediaStreamType", "Audio") != "Audio":
        yield "streams something other than Audio"
    participants = parameters.get("Participants") or []
    if not isinstance(participants, list) or any(
        not isinstance(each, dict) or each.get("ParticipantType") != "Customer"
        for each in participants
    ):
        yield "streams somebody other than the Customer"


def _wait(parameters: Parameters) -> Iterator[str]:
    if "TimeLimitSeconds" not in parameters:
        yield "has no TimeLimitSeconds (the developer guide calls it TimeoutSeconds)"


def _any(parameters: Parameters) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What Connect accepts for one action type.

    Connect refuses an action in a flow type that does not allow it ("A wrong action for the flow
    type", issue 112 of voicemail-for-amazon-connect), an action without ``NextAction`` ("Action is
    missing required property", API), and conditions ("Action does not support conditions", API).
    The parameters below say what else it refuses. Everything else is a note.

    :param flow_types: The flow types in which it may be.
    :param flow_types_noted: Whether another flow type is only a note, because the sources disagree.
    :param errors: The error types that need a branch; Connect refuses the action without them.
    :param listed_errors: The error types that its page lists; a note if one has no branch.
    :param more_errors: The error types that may have a branch.
    :param refused_errors: The error types with which Connect refuses it; any other is a note.
    :param next_action: ``required``, ``optional`` or ``none`` (the flow ends there).
    :param conditions: Whether it may have conditions.
    :param operands: The results that need a condition; a note if one is missing.
    :param parameters: Yields what is unusual in its parameters.
    :param refused_parameters: Yields what Connect refuses in its parameters.
    """

    source: str
    flow_types: frozenset[str] = EVERYWHERE
    flow_types_noted: bool = False
    errors: frozenset[str] = frozenset()
    listed_errors: frozenset[str] = frozenset()
    more_errors: frozenset[str] = frozenset()
    refused_errors: frozenset[str] = frozenset()
    next_action: str = "required"
    conditions: bool = False
    operands: tuple[str, ...] = ()
    parameters: Callable[[Parameters], Iterator[str]] = _any
    refused_parameters: Callable[[Parameters], Iterator[str]] = _any


_NO_MATCH = frozenset({"NoMatchingError"})
_QUEUE_FULL = frozenset({"NoMatchingError", "QueueAtCapacity"})

RULES: Mapping[str, Rule] = {
    "Compare": Rule(
        source="DG flow-control-actions-compare; API: refuses NoMatchingError",
        listed_errors=frozenset({"NoMatchingCondition"}),
        refused_errors=_NO_MATCH,
        conditions=True,
        parameters=_compare,
    ),
    "DequeueContactAndTransferToQueue": Rule(
        source="DG contact-actions-dequeuecontactandtransfertoqueue",
        flow_types=frozenset({QUEUE, MODULE}),
        more_errors=_QUEUE_FULL,
        next_action="optional",
    ),
    "DisconnectParticipant": Rule(
        source="DG participant-actions-disconnectparticipant",
        flow_types=_TALKING,
        next_action="none",
    ),
    # AG and a probe of modules: everywhere. DG: whisper and customer queue flows only.
    "EndFlowExecution": Rule(
        source="DG flow-control-actions-endflowexecution, AG end-flow-resume", next_action="none"
    ),
    "EndFlowModuleExecution": Rule(
        source="DG endflowmoduleexecution", flow_types=frozenset({MODULE}), next_action="none"
    ),
    "InvokeFlowModule": Rule(
        source="DG flow-language-actions-invoke-flow-module, AG contact-flow-modules",
        listed_errors=_NO_MATCH,
        more_errors=frozenset({"NoMatchingCondition"}),
        conditions=True,
    ),
    "InvokeLambdaFunction": Rule(
        source="DG interactions-invokelambdafunction; API: refuses JSON_OBJECT",
        errors=_NO_MATCH,
        parameters=_lambda,
        refused_parameters=_lambda_answer,
    ),
    "Loop": Rule(
        source="DG flow-control-actions-loop; API: wants NextAction",
        more_errors=_NO_MATCH,
        conditions=True,
        operands=("ContinueLooping", "DoneLooping"),
    ),
    "MessageParticipant": Rule(
        source="DG participant-actions-messageparticipant; API: NoMatchingError may be absent",
        flow_types=EVERYWHERE - HOLDS,
        more_errors=_NO_MATCH,
    ),
    "MessageParticipantIteratively": Rule(
        source="DG participant-actions-messageparticipantiteratively; API: may end the flow",
        flow_types=HOLDS | {QUEUE, MODULE},
        more_errors=_NO_MATCH,
        next_action="optional",
        conditions=True,
    ),
    "TagContact": Rule(
        source="DG contact-actions-tagcontact; API: wants NoMatchingError", errors=_NO_MATCH
    ),
    "TransferContactToAgent": Rule(
        source="DG contact-actions-transfercontacttoagent",
        flow_types=TRANSFERS | {MODULE},
        next_action="none",
    ),
    "TransferContactToQueue": Rule(
        source="DG contact-actions-transfercontacttoqueue; API: wants both errors",
        flow_types=TRANSFERS | {INBOUND, MODULE},
        errors=_QUEUE_FULL,
        next_action="optional",
    ),
    "TransferToFlow": Rule(
        source="DG flow-control-actions-transfertoflow, AG transfer-to-flow",
        flow_types=TRANSFERS | {INBOUND, MODULE},
        more_errors=_NO_MATCH,
        next_action="optional",
    ),
    "UntagContact": Rule(source="DG contact-actions-untagcontact", more_errors=_NO_MATCH),
    "UpdateContactAttributes": Rule(
        source="DG contact-actions-updatecontactattributes", errors=_NO_MATCH
    ),
    "UpdateContactEventHooks": Rule(
        source="DG contact-actions-updatecontacteventhooks",
        listed_errors=_NO_MATCH,
        parameters=_event_hooks,
    ),
    "UpdateContactMediaStreamingBehavior": Rule(
        source="DG contact-actions-updatecontactmediastreamingbehavior, AG start-media-streaming",
        flow_types=EVERYWHERE - HOLDS,
        listed_errors=_NO_MATCH,
        parameters=_media_streaming,
    ),
    "UpdateContactRecordingAndAnalyticsBehavior": Rule(
        source="API: wants both errors", errors=frozenset({"ChannelMismatch", "NoMatchingError"})
    ),
    "UpdateContactRecordingBehavior": Rule(
        source="DG contact-actions-updatecontactrecordingbehavior; API: refuses NoMatchingError",
        flow_types=_TALKING | {OUTBOUND_WHISPER},
        refused_errors=_NO_MATCH,
    ),
    "UpdateContactTargetQueue": Rule(
        source="DG contact-actions-updatecontacttargetqueue",
        flow_types=TRANSFERS | {INBOUND, MODULE},
        listed_errors=_NO_MATCH,
    ),
    "UpdateFlowAttributes": Rule(
        source="DG flow-control-actions-updateflowattributes; published: NoMatchingError",
        more_errors=_NO_MATCH,
    ),
    "UpdateFlowLoggingBehavior": Rule(source="DG flow-control-actions-updateflowloggingbehavior"),
    "Wait": Rule(
        source="DG flow-control-actions-wait, AG wait",
        flow_types=frozenset({INBOUND, QUEUE, MODULE}),
        flow_types_noted=True,  # DG: every type, chat only; AG: these two
        listed_errors=_NO_MATCH,
        more_errors=frozenset({"ParticipantNotFound"}),
        next_action="optional",
        conditions=True,
        operands=("WaitCompleted",),
        parameters=_wait,
    ),
}
