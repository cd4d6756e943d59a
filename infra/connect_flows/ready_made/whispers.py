"""The whisper flows, which start transcription."""

from __future__ import annotations

from connect_flows.blocks import EndFlowExecution, Prompt
from connect_flows.flow import Flow
from connect_flows.start_attributes import start_attributes
from connect_flows.transcription_blocks import (
    SILENCE,
    media_streaming,
    say,
    set_hooks,
    start_transcription,
)

DEFAULT_CONNECTED_PROMPT = Prompt(text="You are now connected.")


def agent_whisper(*, start_function_arn: str, customer_id_path: str, agent_id_path: str) -> Flow:
    """The agent whisper flow that starts transcription as the agent takes the call.

    It replaces Connect's default whisper, so it also announces the queue's name. The agent waits
    for the function, at most eight seconds; a whisper may take two minutes.

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
            media_streaming(True, next="Start transcription", on_error="Announce the queue"),
            start_transcription(
                start_function_arn,
                start_attributes(
                    "AGENT_WHISPER", customer_id_path=customer_id_path, agent_id_path=agent_id_path
                ),
                next="Announce the queue",
                on_error="Announce the queue",
            ),
            say("Announce the queue", Prompt(text="$.Queue.Name"), next="End the whisper"),
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

    Set it instead of the agent whisper if ASAPP must not hear the music of the queue. The agent
    whisper runs while the customer still waits, and again for the next agent if the first does not
    take the call. In transfers by quick connect, the agent who transfers hears this whisper, not
    the customer. So choose a prompt that suits both.

    It replaces Connect's default whisper, a beep that tells the customer that an agent is there.
    After the prompt both wait for the function, at most eight seconds.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param prompt: What the customer hears first. For the beep, give your instance's recording:
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
            say("Announce the agent", prompt, next="Start media streaming"),
            media_streaming(True, next="Start transcription", on_error=end),
            start_transcription(start_function_arn, attributes, next=end, on_error=end),
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

    The first prompt places the call. The blocks before it run before the call; the blocks after it
    run when the customer has answered. No other flow of an outbound call runs earlier, so this flow
    also sets the hold flow and the disconnect flow. The customer waits for the function in silence,
    at most eight seconds.

    It replaces Connect's default, which says that the call is not recorded. If your law requires an
    announcement, give it as the prompt.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param prompt: What the customer hears on answering. Default: a tenth of a second of silence.
    :param customer_hold_flow_arn: The customer hold flow of the call. Do not give one if
        `[lifecycle]` is off: then nothing starts transcription again after a hold. Default: this
        flow sets none.
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
            *set_hooks(hooks, next=call),
            say(call, prompt, next="Start media streaming"),
            media_streaming(True, next="Start transcription", on_error=end),
            start_transcription(start_function_arn, attributes, next=end, on_error=end),
            EndFlowExecution(name=end),
        ),
    )
