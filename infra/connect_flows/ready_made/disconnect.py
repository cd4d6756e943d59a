"""The flow that runs once the agent has left."""

from __future__ import annotations

from connect_flows.blocks import DisconnectParticipant
from connect_flows.flow import Flow
from connect_flows.transcription_blocks import stop_blocks


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
            *stop_blocks(stop_function_arn, next="Hang up"),
            DisconnectParticipant(name="Hang up"),
        ),
    )
