"""The flows of quick connects: they stop transcription, and transfer the call."""

from __future__ import annotations

from connect_flows.blocks import (
    DisconnectParticipant,
    Prompt,
    TransferContactToAgent,
    TransferContactToQueue,
)
from connect_flows.flow import Flow
from connect_flows.transcription_blocks import say, set_hooks, stop_blocks

DEFAULT_TRANSFER_PROMPT = Prompt(text="Transferring now.")
DEFAULT_FAILED_TRANSFER_PROMPT = Prompt(text="The transfer is not possible now.")


def agent_transfer(
    *,
    stop_function_arn: str,
    prompt: Prompt = DEFAULT_TRANSFER_PROMPT,
    agent_whisper_flow_arn: str = "",
    customer_hold_flow_arn: str = "",
    disconnect_flow_arn: str = "",
) -> Flow:
    """The transfer-to-agent flow: it stops transcription before the next agent takes the call.

    The agent who transfers hears it, or the customer if that agent has already hung up. The next
    agent's whisper starts transcription again. Like Connect's default, it says "Transferring now."

    A transfer by quick connect creates a new contact, and Connect's pages do not say whether it
    keeps the flows of the old contact. So this flow sets the next agent's flows. It does so first,
    because that takes no time. Then the listener waits for the function, at most eight seconds.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompt: The prompt before the transfer. Default: "Transferring now."
    :param agent_whisper_flow_arn: The next agent's whisper flow. Default: this flow sets none, and
        Connect runs that of the contact before or its own default.
    :param customer_hold_flow_arn: The customer hold flow after the transfer. Do not give one if
        `[lifecycle]` is off: then nothing starts transcription again after a hold. Default: this
        flow sets none.
    :param disconnect_flow_arn: The disconnect flow after the transfer. Default: this flow sets
        none.
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
            *set_hooks(hooks, next="Stop transcription"),
            *stop_blocks(stop_function_arn, next="Announce the transfer"),
            say("Announce the transfer", prompt, next="Transfer to the agent"),
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
    """The transfer-to-queue flow: it stops transcription before the call is queued.

    The agent who transfers hears it, or the customer if that agent has already hung up. If the
    queue is full or the transfer fails, the listener hears a prompt and the contact ends, as in
    Connect's default. Connect's default also checks hours and staffing. If you need that, weave
    stop into your own flow.

    It sets the next agent's flows, for the same reason as `agent_transfer`. It sets no customer
    queue flow: there is nothing left to stop, and the caller hears the instance's own queue music.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompt: The prompt before the transfer. Default: "Transferring now."
    :param failed_prompt: The prompt if it fails. Default: "The transfer is not possible now."
    :param agent_whisper_flow_arn: The next agent's whisper flow. Default: this flow sets none, and
        Connect runs that of the contact before or its own default.
    :param customer_hold_flow_arn: The customer hold flow after the transfer. Do not give one if
        `[lifecycle]` is off: then nothing starts transcription again after a hold. Default: this
        flow sets none.
    :param disconnect_flow_arn: The disconnect flow after the transfer. Default: this flow sets
        none.
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
            *set_hooks(hooks, next="Stop transcription"),
            *stop_blocks(stop_function_arn, next="Announce the transfer"),
            say("Announce the transfer", prompt, next="Transfer to the queue"),
            TransferContactToQueue(
                name="Transfer to the queue", at_capacity=failed, on_error=failed
            ),
            say(failed, failed_prompt, next="Hang up"),
            DisconnectParticipant(name="Hang up"),
        ),
    )
