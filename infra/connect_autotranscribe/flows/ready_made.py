"""The ready-made modules and flows: where a call starts to be transcribed, and where it stops.

A caller is never cut off by transcription: every error branch leads on with the call. Where *Start
media streaming* fails, no start is asked for: the contact may still carry the stream of an earlier
start, and Connect gives streams that are done with to other calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from connect_autotranscribe.flows.blocks import (
    DisconnectParticipant,
    EndFlowExecution,
    EndFlowModuleExecution,
    InvokeLambdaFunction,
    MessageParticipant,
    MessageParticipantIteratively,
    Prompt,
    UpdateContactAttributes,
    UpdateContactMediaStreamingBehavior,
    is_dynamic,
)
from connect_autotranscribe.flows.flow import Flow, FlowModule

STATUS_ATTRIBUTE = "autotranscribe_status"

# A loop repeats at once, so the pause is part of the prompt; one break lasts 10 s at most.
DEFAULT_HOLD_PROMPTS = (
    Prompt(
        ssml="<speak>You are on hold. Thank you for your patience."
        '<break time="10s"/><break time="10s"/></speak>'
    ),
)


def start_module(*, start_function_arn: str, customer_id_path: str) -> FlowModule:
    """The module *Start transcription*, for inbound flows.

    There is no agent yet in an inbound flow, so only ``customerId`` goes to the function. What came
    of it is in the contact attribute ``autotranscribe_status``, because a Lambda's result does not
    leave a module. (The reason is not: it is empty where all is well, and nobody says whether
    Connect takes an empty value.)

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not ``$.Agent``'s.
    """
    _check_paths(customer_id_path=customer_id_path)
    if customer_id_path.startswith(("$.Agent", "$['Agent']")):
        raise ValueError(
            f"customer_id_path is {customer_id_path!r}; the start module runs in inbound flows, "
            "which know no agent: write one of the customer's, such as $.CustomerEndpoint.Address"
        )
    return FlowModule(
        name="Start transcription",
        description="Starts media streaming and transcription; the outcome is in the contact "
        f"attribute {STATUS_ATTRIBUTE}.",
        blocks=(
            _media_streaming(True, next="Start transcription", on_error="Note no media stream"),
            _start(
                start_function_arn,
                {"customerId": customer_id_path},
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
    _check_paths(customer_id_path=customer_id_path, agent_id_path=agent_id_path)
    return Flow(
        name="Transcription agent whisper",
        type="AGENT_WHISPER",
        description="Starts media streaming and transcription as the agent takes the call, then "
        "tells the agent the queue's name.",
        blocks=(
            _media_streaming(True, next="Start transcription", on_error="Announce the queue"),
            _start(
                start_function_arn,
                {"customerId": customer_id_path, "agentId": agent_id_path},
                next="Announce the queue",
                on_error="Announce the queue",
            ),
            MessageParticipant(
                name="Announce the queue",
                prompt=Prompt(text="$.Queue.Name"),
                next="End the whisper",
                on_error="End the whisper",
            ),
            EndFlowExecution(name="End the whisper"),
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
            _stop(stop_function_arn, next="Stop media streaming", on_error="Stop media streaming"),
            _media_streaming(False, next="Hang up", on_error="Hang up"),
            DisconnectParticipant(name="Hang up"),
        ),
    )


def _check_paths(**paths: str) -> None:
    wrong = [f"{name} is {path!r}" for name, path in paths.items() if not is_dynamic(path)]
    if wrong:
        raise ValueError(
            " and ".join(wrong) + ": give a JSONPath, such as $.CustomerEndpoint.Address, "
            "$.Agent.UserName or $.Attributes.crmId; a fixed text would be every caller's id"
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


def _note_the_outcome() -> UpdateContactAttributes:
    return _note("Note the outcome", "$.External.status")


def _note(name: str, status: str) -> UpdateContactAttributes:
    return UpdateContactAttributes(
        name=name,
        attributes={STATUS_ATTRIBUTE: status},
        next="End the module",
        on_error="End the module",
    )
