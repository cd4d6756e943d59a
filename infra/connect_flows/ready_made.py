"""The ready-made modules and flows: where a call starts to be transcribed, and where it stops.

A caller is never cut off by transcription: every error branch leads on with the call. Where *Start
media streaming* fails, no start is asked for: the contact may still carry the stream of an earlier
start, and Connect gives streams that are done with to other calls.

What the customer hears from a flow of ours is said before a start or after a stop, so that no
transcript has it as the agent's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connect_flows.blocks import (
    Block,
    DisconnectParticipant,
    EndFlowExecution,
    EndFlowModuleExecution,
    InvokeLambdaFunction,
    MessageParticipant,
    MessageParticipantIteratively,
    Prompt,
    TransferContactToAgent,
    TransferContactToQueue,
    UpdateContactAttributes,
    UpdateContactEventHooks,
    UpdateContactMediaStreamingBehavior,
    is_dynamic,
)
from connect_flows.flow import Flow, FlowModule
from connect_flows.rules import AGENT_TRANSFER, HOLDS, INBOUND, WHISPERS

STATUS_ATTRIBUTE = "autotranscribe_status"

KNOWS_AGENT = WHISPERS | HOLDS | {AGENT_TRANSFER}
"""The flow types in which ``$.Agent`` has a value (AG connect-attrib-list)."""

# A loop repeats at once, so the pause is part of the prompt; one break lasts 10 s at most.
_PAUSE = '<break time="10s"/><break time="10s"/>'
DEFAULT_HOLD_PROMPTS = (
    Prompt(ssml=f"<speak>You are on hold. Thank you for your retry_policy.{_PAUSE}</speak>"),
)
DEFAULT_QUEUE_PROMPTS = (
    Prompt(
        ssml=f"<speak>Thank you for waiting. We will be with you as soon as we can.{_PAUSE}</speak>"
    ),
)
DEFAULT_CONNECTED_PROMPT = Prompt(text="You are now connected.")
DEFAULT_TRANSFER_PROMPT = Prompt(text="Transferring now.")
DEFAULT_FAILED_TRANSFER_PROMPT = Prompt(text="The transfer is not possible now.")
SILENCE = Prompt(ssml='<speak><break time="100ms"/></speak>')

_SETS = {
    "AgentWhisper": "Set the whisper flow",
    "CustomerHold": "Set the hold flow",
    "CustomerRemaining": "Set the disconnect flow",
}
"""Each hook that a flow of ours sets, and its block's name."""


def start_attributes(
    type: str, *, customer_id_path: str, agent_id_path: str | None = None
) -> dict[str, str]:
    """What a start block tells the function, in a flow of this type.

    Beside the ids for ASAPP it is the agent's ARN, where there is an agent: so the agent events
    name the agent. It goes no further than our table.

    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``; left out of the block where it is
        ``$.Agent``'s and the type knows no agent. Default: none.
    :raises ValueError: for a path that is none, or that the type does not have.
    """
    paths = {"customer_id_path": customer_id_path}
    if agent_id_path is not None:
        paths["agent_id_path"] = agent_id_path
    wrong = [f"{name} is {path!r}" for name, path in paths.items() if not is_dynamic(path)]
    if wrong:
        raise ValueError(
            " and ".join(wrong) + ": give a JSONPath, such as $.CustomerEndpoint.Address, "
            "$.Agent.UserName or $.Attributes.crmId; a fixed text would be every caller's id"
        )
    if type not in KNOWS_AGENT and _is_of_agent(customer_id_path):
        raise ValueError(
            f"customer_id_path is {customer_id_path!r}, but flows of type {type} know no agent: "
            "write one of the customer's, such as $.CustomerEndpoint.Address"
        )
    attributes = {"customerId": customer_id_path}
    if agent_id_path is not None and (type in KNOWS_AGENT or not _is_of_agent(agent_id_path)):
        attributes["agentId"] = agent_id_path
    if agent_id_path is not None and type in KNOWS_AGENT:
        attributes["agentArn"] = "$.Agent.ARN"
    return attributes


def _is_of_agent(path: str) -> bool:
    return path.startswith(("$.Agent", "$['Agent']"))


def start_module(*, start_function_arn: str, customer_id_path: str) -> FlowModule:
    """The module *Start transcription*, for inbound flows.

    There is no agent yet in an inbound flow, so only ``customerId`` goes to the function. What came
    of it is in the contact attribute ``autotranscribe_status``, because a Lambda's result does not
    leave a module. (The reason is not: it is empty where all is well, and nobody says whether
    Connect takes an empty value.)

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not ``$.Agent``'s.
    """
    return FlowModule(
        name="Start transcription",
        description="Starts media streaming and transcription; the outcome is in the contact "
        f"attribute {STATUS_ATTRIBUTE}.",
        blocks=(
            _media_streaming(True, next="Start transcription", on_error="Note no media stream"),
            _start(
                start_function_arn,
                start_attributes(INBOUND, customer_id_path=customer_id_path),
                next="Note the outcome",
                on_error="Note unavailable",
            ),
            _note_the_outcome(),
            EndFlowModuleExecution(name="End the module"),
            _note("Note no media stream", "no_media_stream"),
            _note("Note unavailable", "unavailable"),
        ),
    )


def stop_module(*, stop_function_arn: str) -> FlowModule:
    """The module *Stop transcription*, for inbound flows: ahead of a transfer, a menu or a survey.

    It writes the same contact attribute as the start module.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    """
    anyway = "Stop media streaming anyway"
    return FlowModule(
        name="Stop transcription",
        description="Stops transcription and media streaming; the outcome is in the contact "
        f"attribute {STATUS_ATTRIBUTE}.",
        blocks=(
            _stop(stop_function_arn, next="Stop media streaming", on_error=anyway),
            _media_streaming(False, next="Note the outcome", on_error="Note the outcome"),
            _note_the_outcome(),
            EndFlowModuleExecution(name="End the module"),
            # A second block, because ASAPP wants the stop directly before Stop media streaming.
            UpdateContactMediaStreamingBehavior(
                name=anyway, enabled=False, next="Note unavailable", on_error="Note unavailable"
            ),
            _note("Note unavailable", "unavailable"),
        ),
    )


def agent_whisper(*, start_function_arn: str, customer_id_path: str, agent_id_path: str) -> Flow:
    """The agent whisper flow that starts transcription as the agent takes the call.

    It replaces Connect's default whisper, so it announces the queue's name as that one does. The
    agent waits for the function, at most its eight seconds, well under a whisper's two minutes.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    """
    return Flow(
        name="Transcription agent whisper",
        type="AGENT_WHISPER",
        description="Starts media streaming and transcription as the agent takes the call, then "
        "tells the agent the queue's name.",
        blocks=(
            _media_streaming(True, next="Start transcription", on_error="Announce the queue"),
            _start(
                start_function_arn,
                start_attributes(
                    "AGENT_WHISPER", customer_id_path=customer_id_path, agent_id_path=agent_id_path
                ),
                next="Announce the queue",
                on_error="Announce the queue",
            ),
            _say("Announce the queue", Prompt(text="$.Queue.Name"), next="End the whisper"),
            EndFlowExecution(name="End the whisper"),
        ),
    )


def customer_whisper(
    *,
    start_function_arn: str,
    customer_id_path: str,
    agent_id_path: str,
    prompt: Prompt = DEFAULT_CONNECTED_PROMPT,
) -> Flow:
    """The customer whisper flow that starts transcription once the customer has left the queue.

    Set it instead of the agent whisper where the music of the queue must not be heard by ASAPP: the
    agent whisper runs while the customer still waits, and once more for every agent who does not
    take the call. In transfers by quick connect it plays to the agent who transfers, not to the
    customer, so word its prompt for both.

    It replaces Connect's default whisper, the beep that tells the customer that an agent is there.
    After the prompt both wait for the function, at most its eight seconds.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param prompt: What the customer hears first; for the beep, give the recording of your instance,
        ``Prompt(prompt_id=…)``. Default: "You are now connected."
    """
    attributes = start_attributes(
        "CUSTOMER_WHISPER", customer_id_path=customer_id_path, agent_id_path=agent_id_path
    )
    end = "End the whisper"
    return Flow(
        name="Transcription customer whisper",
        type="CUSTOMER_WHISPER",
        description="Tells the customer that an agent is there, then starts media streaming and "
        "transcription.",
        blocks=(
            _say("Announce the agent", prompt, next="Start media streaming"),
            _media_streaming(True, next="Start transcription", on_error=end),
            _start(start_function_arn, attributes, next=end, on_error=end),
            EndFlowExecution(name=end),
        ),
    )


def outbound_whisper(
    *,
    start_function_arn: str,
    customer_id_path: str,
    agent_id_path: str,
    prompt: Prompt = SILENCE,
    customer_hold_flow_arn: str = "",
    disconnect_flow_arn: str = "",
) -> Flow:
    """The outbound whisper flow that starts transcription once the customer has answered.

    The first prompt is what places the call: blocks ahead of it run before, those after it when the
    customer has answered. In an outbound call no other flow comes first, so this one also sets the
    flows of a later hold and disconnect. The customer waits for the function in silence, at most
    its eight seconds.

    It replaces Connect's default, which says that the call is not recorded; give the words that
    your law asks for.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param prompt: What the customer hears on answering. Default: a tenth of a second of silence.
    :param customer_hold_flow_arn: The customer hold flow of the call. Default: Connect's default.
    :param disconnect_flow_arn: The disconnect flow of the call. Default: none.
    """
    attributes = start_attributes(
        "OUTBOUND_WHISPER", customer_id_path=customer_id_path, agent_id_path=agent_id_path
    )
    hooks = {"CustomerHold": customer_hold_flow_arn, "CustomerRemaining": disconnect_flow_arn}
    call, end = "Place the call", "End the whisper"
    return Flow(
        name="Transcription outbound whisper",
        type="OUTBOUND_WHISPER",
        description="Places the call; when the customer has answered, starts media streaming and "
        "transcription.",
        blocks=(
            *_set_hooks(hooks, next=call),
            _say(call, prompt, next="Start media streaming"),
            _media_streaming(True, next="Start transcription", on_error=end),
            _start(start_function_arn, attributes, next=end, on_error=end),
            EndFlowExecution(name=end),
        ),
    )


def customer_hold(
    *, stop_function_arn: str, prompts: Sequence[Prompt] = DEFAULT_HOLD_PROMPTS
) -> Flow:
    """The customer hold flow that stops transcription, so that no hold music is transcribed.

    Media streaming goes on: its blocks are refused in hold flows. No flow runs on resume, so the
    agent events start transcription again.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompts: What the customer hears, looped; for music give a recorded prompt,
        ``Prompt(prompt_id=…)``. Default: a short spoken message, then 20 s of silence.
    """
    return Flow(
        name="Transcription customer hold",
        type="CUSTOMER_HOLD",
        description="Stops transcription while the customer is on hold; loops the hold prompts.",
        blocks=(
            _stop(stop_function_arn, next="Loop hold prompts", on_error="Loop hold prompts"),
            MessageParticipantIteratively(name="Loop hold prompts", prompts=tuple(prompts)),
        ),
    )


def customer_queue(
    *, stop_function_arn: str, prompts: Sequence[Prompt] = DEFAULT_QUEUE_PROMPTS
) -> Flow:
    """The customer queue flow that stops transcription of a call that waits for its next agent.

    Set it where a call that was transcribed is queued (again): after an agent, or after the start
    module. A call that was not has nothing to stop, and would ask ASAPP in vain. The next agent's
    whisper starts again.

    Media streaming goes on: its blocks are refused ahead of looped prompts.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompts: What the customer hears, looped; for music give a recorded prompt,
        ``Prompt(prompt_id=…)``. Default: a short spoken message, then 20 s of silence.
    """
    return Flow(
        name="Transcription customer queue",
        type="CUSTOMER_QUEUE",
        description="Stops transcription of a call that waits for its next agent; loops the queue "
        "prompts.",
        blocks=(
            _stop(stop_function_arn, next="Loop queue prompts", on_error="Loop queue prompts"),
            MessageParticipantIteratively(name="Loop queue prompts", prompts=tuple(prompts)),
        ),
    )


def disconnect(*, stop_function_arn: str) -> Flow:
    """The disconnect flow that stops transcription once the agent has left and the caller remains.

    Connect runs no flow when the customer hangs up: the contact events stop transcription then.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    """
    return Flow(
        name="Transcription disconnect",
        type="CONTACT_FLOW",
        description="Stops transcription and media streaming after the agent has left, then hangs "
        "up. Set it as the disconnect flow.",
        blocks=(
            *_stop_fragment(stop_function_arn, next="Hang up"),
            DisconnectParticipant(name="Hang up"),
        ),
    )


def agent_transfer(
    *,
    stop_function_arn: str,
    prompt: Prompt = DEFAULT_TRANSFER_PROMPT,
    agent_whisper_flow_arn: str = "",
    customer_hold_flow_arn: str = "",
    disconnect_flow_arn: str = "",
) -> Flow:
    """The transfer-to-agent flow that stops transcription ahead of the next agent.

    It plays to the agent who transfers, or, if that agent has hung up already, to the customer; the
    next agent's whisper starts again. As Connect's default it says "Transferring now."

    A transfer by quick connect is a new contact, and Connect's pages do not say whether what was
    set for the contact before runs for it. So this flow sets the next agent's flows, and first of
    all: that takes no time, while whoever hears this waits for the function, at most its eight
    seconds.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompt: What is heard before the transfer. Default: "Transferring now."
    :param agent_whisper_flow_arn: The next agent's whisper flow. Default: as Connect has it, that
        of the contact before or its own default.
    :param customer_hold_flow_arn: The customer hold flow from here on. Default: likewise.
    :param disconnect_flow_arn: The disconnect flow from here on. Default: likewise.
    """
    hooks = {
        "AgentWhisper": agent_whisper_flow_arn,
        "CustomerHold": customer_hold_flow_arn,
        "CustomerRemaining": disconnect_flow_arn,
    }
    return Flow(
        name="Transcription transfer to agent",
        type="AGENT_TRANSFER",
        description="Stops transcription and media streaming, then transfers to the agent of the "
        "quick connect.",
        blocks=(
            *_set_hooks(hooks, next="Stop transcription"),
            *_stop_fragment(stop_function_arn, next="Announce the transfer"),
            _say("Announce the transfer", prompt, next="Transfer to the agent"),
            TransferContactToAgent(name="Transfer to the agent"),
        ),
    )


def queue_transfer(
    *,
    stop_function_arn: str,
    prompt: Prompt = DEFAULT_TRANSFER_PROMPT,
    failed_prompt: Prompt = DEFAULT_FAILED_TRANSFER_PROMPT,
    agent_whisper_flow_arn: str = "",
    customer_hold_flow_arn: str = "",
    disconnect_flow_arn: str = "",
) -> Flow:
    """The transfer-to-queue flow that stops transcription ahead of the queue.

    It plays to the agent who transfers, or, if that agent has hung up already, to the customer.
    Where the queue is full or the transfer fails, that one hears so and this leg ends, as in
    Connect's default. Connect's default also checks hours and staffing: where you need that, weave
    stop into your own flow.

    It sets the next agent's flows, for the same reason as `agent_transfer`. It sets no customer
    queue flow: there is nothing left to stop, and the caller keeps the music of the instance.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompt: What is heard before the transfer. Default: "Transferring now."
    :param failed_prompt: What is heard where it fails. Default: "The transfer is not possible now."
    :param agent_whisper_flow_arn: The next agent's whisper flow. Default: as Connect has it, that
        of the contact before or its own default.
    :param customer_hold_flow_arn: The customer hold flow from here on. Default: likewise.
    :param disconnect_flow_arn: The disconnect flow from here on. Default: likewise.
    """
    hooks = {
        "AgentWhisper": agent_whisper_flow_arn,
        "CustomerHold": customer_hold_flow_arn,
        "CustomerRemaining": disconnect_flow_arn,
    }
    failed = "Say that it failed"
    return Flow(
        name="Transcription transfer to queue",
        type="QUEUE_TRANSFER",
        description="Stops transcription and media streaming, then transfers to the queue of the "
        "quick connect.",
        blocks=(
            *_set_hooks(hooks, next="Stop transcription"),
            *_stop_fragment(stop_function_arn, next="Announce the transfer"),
            _say("Announce the transfer", prompt, next="Transfer to the queue"),
            TransferContactToQueue(
                name="Transfer to the queue", at_capacity=failed, on_error=failed
            ),
            _say(failed, failed_prompt, next="Hang up"),
            DisconnectParticipant(name="Hang up"),
        ),
    )


def _media_streaming(
    enabled: bool, *, next: str, on_error: str
) -> UpdateContactMediaStreamingBehavior:
    name = "Start media streaming" if enabled else "Stop media streaming"
    return UpdateContactMediaStreamingBehavior(
        name=name, enabled=enabled, next=next, on_error=on_error
    )


def _start(
    function_arn: str, attributes: dict[str, str], *, next: str, on_error: str
) -> InvokeLambdaFunction:
    return InvokeLambdaFunction(
        name="Start transcription",
        function_arn=function_arn,
        display_name="start_streaming",
        attributes=attributes,
        next=next,
        on_error=on_error,
    )


def _stop(function_arn: str, *, next: str, on_error: str) -> InvokeLambdaFunction:
    return InvokeLambdaFunction(
        name="Stop transcription",
        function_arn=function_arn,
        display_name="stop_streaming",
        next=next,
        on_error=on_error,
    )


def _stop_fragment(function_arn: str, *, next: str) -> tuple[Block, ...]:
    """ASAPP wants the stop directly before *Stop media streaming*, whatever came of it."""
    streaming = "Stop media streaming"
    return (
        _stop(function_arn, next=streaming, on_error=streaming),
        _media_streaming(False, next=next, on_error=next),
    )


def _set_hooks(hooks: Mapping[str, str], *, next: str) -> tuple[Block, ...]:
    """A block for each hook that has a flow; one that cannot be set holds nothing up."""
    given = [(hook, arn) for hook, arn in hooks.items() if arn]
    followers = [*(_SETS[hook] for hook, _ in given[1:]), next]
    return tuple(
        UpdateContactEventHooks(
            name=_SETS[hook], hook=hook, flow_arn=arn, next=follower, on_error=follower
        )
        for (hook, arn), follower in zip(given, followers, strict=False)
    )


def _say(name: str, prompt: Prompt, *, next: str) -> MessageParticipant:
    return MessageParticipant(name=name, prompt=prompt, next=next, on_error=next)


def _note_the_outcome() -> UpdateContactAttributes:
    return _note("Note the outcome", "$.External.status")


def _note(name: str, status: str) -> UpdateContactAttributes:
    return UpdateContactAttributes(
        name=name,
        attributes={STATUS_ATTRIBUTE: status},
        next="End the module",
        on_error="End the module",
    )
