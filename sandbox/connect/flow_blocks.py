"""What each block does in a call: one function for each action type.

If a block fails during a call, it raises `BlockFailed`, and its error branch follows. If Connect
would refuse a parameter, or the runner does not know it, the block raises `FlowError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from connect_flows.flow_types import INBOUND, QUEUE
from sandbox.connect.aws_blocks import invoke_lambda, media_streaming
from sandbox.connect.flow_outcome import (
    DISCONNECTS,
    ENDS,
    LOOPS,
    RETURNS,
    TO_AGENT,
    TO_FLOW,
    TO_QUEUE,
    Action,
    BlockFailed,
    FlowError,
    Outcome,
    leads_on,
    parameter,
    takes_condition,
)
from sandbox.connect.flow_state import FlowState
from sandbox.connect.flow_values import OPERATORS, is_path, look_up, said, text

MAX_ATTRIBUTE_BYTES = 32 * 1024
MAX_LOOPS = 100
MAX_TAGS = 6

HOOKS = frozenset(
    {
        "AgentHold",
        "AgentWhisper",
        "CustomerHold",
        "CustomerQueue",
        "CustomerRemaining",
        "CustomerWhisper",
        "DefaultAgentUI",
        "DisconnectAgentUI",
        "PauseContact",
        "ResumeContact",
    }
)


# What a contact carries.


def _update_contact_attributes(state: FlowState, action: Action) -> Outcome:
    if (target := parameter(action, "TargetContact")) != "Current":
        raise FlowError(f"{action['Identifier']!r}: the runner knows no {target} contact")
    values = look_up(parameter(action, "Attributes"), state.known())
    for key in values:
        if "$" in key or "." in key:
            raise FlowError(f"{action['Identifier']!r}: {key!r} holds a $ or a dot")
    attributes = state.contact.attributes | {key: text(value) for key, value in values.items()}
    if len(json.dumps(attributes, ensure_ascii=False).encode()) > MAX_ATTRIBUTE_BYTES:
        raise BlockFailed("the contact's attributes have more than 32 KB")
    state.contact.attributes.update(attributes)
    return leads_on(action)


def _update_flow_attributes(state: FlowState, action: Action) -> Outcome:
    for key, value in parameter(action, "FlowAttributes").items():
        state.flow_attributes[key] = text(look_up(value["Value"], state.known()))
    return leads_on(action)


def _tag_contact(state: FlowState, action: Action) -> Outcome:
    tags = parameter(action, "Tags")
    if len(tags) > MAX_TAGS or any(key.startswith("aws:") for key in tags):
        raise FlowError(
            f"{action['Identifier']!r}: at most {MAX_TAGS} Tags, and none that begins with aws:"
        )
    values = look_up(tags, state.known())
    state.contact.tags.update({key: text(value) for key, value in values.items()})
    return leads_on(action)


def _untag_contact(state: FlowState, action: Action) -> Outcome:
    for key in parameter(action, "TagKeys"):
        state.contact.tags.pop(key, None)
    return leads_on(action)


def _recording(state: FlowState, action: Action) -> Outcome:
    knows_channels = action["Type"] == "UpdateContactRecordingAndAnalyticsBehavior"
    if knows_channels and state.contact.channel != "VOICE":
        raise BlockFailed(f"a {state.contact.channel} contact", "ChannelMismatch")
    behaviour = parameter(action, "RecordingBehavior")
    state.contact.recorded = tuple(behaviour.get("RecordedParticipants") or ())
    return leads_on(action, ", ".join(state.contact.recorded))


def _update_event_hooks(state: FlowState, action: Action) -> Outcome:
    hooks = parameter(action, "EventHooks")
    if len(hooks) != 1 or not set(hooks) <= HOOKS:
        raise FlowError(
            f"{action['Identifier']!r}: EventHooks is one of {', '.join(sorted(HOOKS))}, "
            f"not {sorted(hooks)}: write one block a hook"
        )
    ((hook, given),) = hooks.items()
    flow = look_up(given, state.known())
    if not flow:
        raise BlockFailed(f"no flow for {hook}")
    state.contact.hooks[hook] = text(flow)
    return leads_on(action, f"{hook}: {flow}")


# Which way to go.


def _compare(state: FlowState, action: Action) -> Outcome:
    path = parameter(action, "ComparisonValue")
    if not is_path(path):
        raise FlowError(f"{action['Identifier']!r}: ComparisonValue is one JSONPath, not {path!r}")
    value = text(look_up(path, state.known()))
    for condition in action["Transitions"].get("Conditions") or ():
        operator = condition["Condition"].get("Operator")
        operands = condition["Condition"].get("Operands") or []
        if operator not in OPERATORS:
            raise FlowError(f"{action['Identifier']!r}: the runner does not know {operator!r}")
        if any(OPERATORS[operator](value, operand) for operand in operands):
            return Outcome(f"{operator} {', '.join(operands)}", condition["NextAction"])
    raise BlockFailed("no condition held", "NoMatchingCondition")


def _loop(state: FlowState, action: Action) -> Outcome:
    """Take *ContinueLooping* ``LoopCount`` times, then *DoneLooping* once, then start again."""
    name, given = str(action["Identifier"]), parameter(action, "LoopCount")
    count = text(look_up(given, state.known()))
    if not re.fullmatch(r"[0-9]{1,3}", count) or int(count) > MAX_LOOPS:
        wrong = f"LoopCount is {count!r}, not 0 to {MAX_LOOPS}"
        raise BlockFailed(wrong) if is_path(given) else FlowError(f"{name!r}: {wrong}")
    turn = state.turns.get(name, 0) + 1
    if turn > int(count):
        state.turns[name] = 0
        return takes_condition(action, "DoneLooping")
    state.turns[name] = turn
    return takes_condition(action, "ContinueLooping", f"{turn} of {count}")


def _wait(state: FlowState, action: Action) -> Outcome:
    """Go on at once. A call can wait in inbound flows only, and no event can end the wait."""
    if state.contact.channel == "VOICE" and state.flow_type != INBOUND:
        raise BlockFailed("a call can wait in inbound flows only")
    seconds = text(look_up(parameter(action, "TimeLimitSeconds"), state.known()))
    return takes_condition(action, "WaitCompleted", f"{seconds} s")


def _pass_by(state: FlowState, action: Action) -> Outcome:
    return leads_on(action)


# What a participant hears.


def _message(state: FlowState, action: Action) -> Outcome:
    words = said(action["Parameters"], state.known())
    if not words:
        raise BlockFailed("nothing to say")
    state.lambda_chain_seconds = 0.0
    return leads_on(action, words)


def _loop_prompts(state: FlowState, action: Action) -> Outcome:
    parameters, name = action["Parameters"], action["Identifier"]
    seconds = text(look_up(parameters.get("InterruptFrequencySeconds"), state.known()))
    if seconds and not OPERATORS["NumberGreaterThan"](seconds, "20"):
        raise FlowError(f"{name!r}: interrupts come more than 20 s apart")
    words = " | ".join(said(message, state.known()) for message in parameter(action, "Messages"))
    if seconds and state.flow_type == QUEUE and state.interruptions_left:
        state.interruptions_left -= 1
        state.lambda_chain_seconds = 0.0
        return takes_condition(action, "MessagesInterrupted", words)
    return Outcome(LOOPS, detail=words)


# Where a flow ends.


def _update_target_queue(state: FlowState, action: Action) -> Outcome:
    state.contact.queue = state.instance.queues[_queue_id(state, action)]
    return leads_on(action, state.contact.queue.name)


def _queue_id(state: FlowState, action: Action) -> str:
    given = [key for key in ("QueueId", "AgentId") if action["Parameters"].get(key)]
    if len(given) != 1:
        raise FlowError(f"{action['Identifier']!r}: either QueueId or AgentId, not {given}")
    queue = text(look_up(action["Parameters"][given[0]], state.known()))
    if not queue:
        raise BlockFailed("no queue")
    if queue not in state.instance.queues:
        raise FlowError(f"{action['Identifier']!r}: the runner was given no queue {queue!r}")
    return queue


def _transfer_to_queue(state: FlowState, action: Action) -> Outcome:
    contact = state.contact
    if contact.queue is None:
        raise BlockFailed("no queue is set")
    if contact.place != "flow":
        raise BlockFailed(f"the contact is with the {contact.place} already")
    return Outcome(TO_QUEUE, detail=contact.queue.name)


def _dequeue(state: FlowState, action: Action) -> Outcome:
    queue = _queue_id(state, action)
    return Outcome(TO_QUEUE, detail=state.instance.queues[queue].name, to=queue)


def _transfer_to_agent(state: FlowState, action: Action) -> Outcome:
    contact = state.contact
    if contact.channel != "VOICE" or contact.agent is None:  # it has no error branch
        return Outcome(ENDS, detail="no agent to transfer a call to")
    return Outcome(TO_AGENT, detail=contact.agent.user_name)


def _transfer_to_flow(state: FlowState, action: Action) -> Outcome:
    flow = text(look_up(parameter(action, "ContactFlowId"), state.known()))
    if not flow:
        raise BlockFailed("no flow")
    return Outcome(TO_FLOW, detail=flow, to=flow)


def _end_flow(state: FlowState, action: Action) -> Outcome:
    if state.modules:  # Connect accepts it there, but the sources disagree on what it does.
        raise FlowError(f"{action['Identifier']!r}: end a module with EndFlowModuleExecution")
    # In inbound flows, and so in disconnect flows, it acts as Disconnect.
    return Outcome(DISCONNECTS if state.flow_type == INBOUND else ENDS)


def _end_module(state: FlowState, action: Action) -> Outcome:
    return Outcome(RETURNS)


def _disconnect(state: FlowState, action: Action) -> Outcome:
    return Outcome(DISCONNECTS)


BLOCKS: Mapping[str, Callable[[FlowState, Action], Outcome]] = {
    "Compare": _compare,
    "DequeueContactAndTransferToQueue": _dequeue,
    "DisconnectParticipant": _disconnect,
    "EndFlowExecution": _end_flow,
    "EndFlowModuleExecution": _end_module,
    "InvokeLambdaFunction": invoke_lambda,
    "Loop": _loop,
    "MessageParticipant": _message,
    "MessageParticipantIteratively": _loop_prompts,
    "TagContact": _tag_contact,
    "TransferContactToAgent": _transfer_to_agent,
    "TransferContactToQueue": _transfer_to_queue,
    "TransferToFlow": _transfer_to_flow,
    "UntagContact": _untag_contact,
    "UpdateContactAttributes": _update_contact_attributes,
    "UpdateContactEventHooks": _update_event_hooks,
    "UpdateContactMediaStreamingBehavior": media_streaming,
    "UpdateContactRecordingAndAnalyticsBehavior": _recording,
    "UpdateContactRecordingBehavior": _recording,
    "UpdateContactTargetQueue": _update_target_queue,
    "UpdateFlowAttributes": _update_flow_attributes,
    "UpdateFlowLoggingBehavior": _pass_by,
    "Wait": _wait,
}
"""Every block but *Invoke module*, which the runner performs itself."""
