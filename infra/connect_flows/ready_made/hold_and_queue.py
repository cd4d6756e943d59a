"""The flows of a customer who waits, on hold or in a queue: they stop transcription, and loop
prompts."""

from __future__ import annotations

from collections.abc import Sequence

from connect_flows.blocks import MessageParticipantIteratively, Prompt
from connect_flows.flow import Flow
from connect_flows.transcription_blocks import stop_transcription

# A loop repeats without a pause, so the pause is in the prompt. A break lasts 10 s at most.
_PAUSE = '<break time="10s"/><break time="10s"/>'
DEFAULT_HOLD_PROMPTS = (
    Prompt(ssml=f"<speak>You are on hold. Thank you for your patience.{_PAUSE}</speak>"),
)
DEFAULT_QUEUE_PROMPTS = (
    Prompt(
        ssml=f"<speak>Thank you for waiting. We will be with you as soon as we can.{_PAUSE}</speak>"
    ),
)


def customer_hold(
    *, stop_function_arn: str, prompts: Sequence[Prompt] = DEFAULT_HOLD_PROMPTS
) -> Flow:
    """The customer hold flow that stops transcription, so that no hold music is transcribed.

    Media streaming goes on, because Connect refuses its blocks in hold flows. No flow runs at a
    resume: `CallLifecycle` starts transcription again, by the agent events.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    :param prompts: What the customer hears, looped; for music give a recorded prompt,
        ``Prompt(prompt_id=…)``. Default: a short spoken message, then 20 s of silence.
    """
    return Flow(
        name="Transcription customer hold",
        type="CUSTOMER_HOLD",
        description="Stops transcription while the customer is on hold; loops the hold prompts.",
        blocks=(
            stop_transcription(
                stop_function_arn, next="Loop hold prompts", on_error="Loop hold prompts"
            ),
            MessageParticipantIteratively(name="Loop hold prompts", prompts=tuple(prompts)),
        ),
    )


def customer_queue(
    *, stop_function_arn: str, prompts: Sequence[Prompt] = DEFAULT_QUEUE_PROMPTS
) -> Flow:
    """The customer queue flow that stops transcription of a call that waits for its next agent.

    Set it if calls are queued that are being transcribed: after an agent, or after the start
    module. If a call is not transcribed, the stop would be a useless request to ASAPP. The next
    agent's whisper starts transcription again.

    Media streaming goes on, because Connect refuses its blocks before looped prompts.

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
            stop_transcription(
                stop_function_arn, next="Loop queue prompts", on_error="Loop queue prompts"
            ),
            MessageParticipantIteratively(name="Loop queue prompts", prompts=tuple(prompts)),
        ),
    )
