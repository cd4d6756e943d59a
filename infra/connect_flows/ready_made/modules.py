"""The flow modules that inbound flows invoke."""

from __future__ import annotations

from connect_flows.blocks import (
    EndFlowModuleExecution,
    UpdateContactAttributes,
    UpdateContactMediaStreamingBehavior,
)
from connect_flows.flow import FlowModule
from connect_flows.flow_types import INBOUND
from connect_flows.start_attributes import start_attributes
from connect_flows.transcription_blocks import (
    media_streaming,
    start_transcription,
    stop_transcription,
)

STATUS_ATTRIBUTE = "autotranscribe_status"


def start_module(*, start_function_arn: str, customer_id_path: str) -> FlowModule:
    """The module *Start transcription*, for inbound flows.

    In an inbound flow there is no agent yet, so the function gets only ``customerId``. The module
    writes the outcome to the contact attribute ``autotranscribe_status``, because a Lambda's result
    is not visible outside a module. It does not write the reason, which is empty after a success:
    Connect's pages do not say whether an attribute may have an empty value.

    :param start_function_arn: The function that starts, by the ARN associated with the instance.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not a path of ``$.Agent``.
    """
    return FlowModule(
        name="Start transcription",
        description="Starts media streaming and transcription; the outcome is in the contact "
        f"attribute {STATUS_ATTRIBUTE}.",
        blocks=(
            media_streaming(True, next="Start transcription", on_error="Note no media stream"),
            start_transcription(
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
    """The module *Stop transcription*, for inbound flows: before a transfer, a menu or a survey.

    It writes the same contact attribute as the start module.

    :param stop_function_arn: The function that stops, by the ARN associated with the instance.
    """
    anyway = "Stop media streaming anyway"
    return FlowModule(
        name="Stop transcription",
        description="Stops transcription and media streaming; the outcome is in the contact "
        f"attribute {STATUS_ATTRIBUTE}.",
        blocks=(
            stop_transcription(stop_function_arn, next="Stop media streaming", on_error=anyway),
            media_streaming(False, next="Note the outcome", on_error="Note the outcome"),
            _note_the_outcome(),
            EndFlowModuleExecution(name="End the module"),
            # A second block: ASAPP asks for the stop directly before Stop media streaming.
            UpdateContactMediaStreamingBehavior(
                name=anyway, enabled=False, next="Note unavailable", on_error="Note unavailable"
            ),
            _note("Note unavailable", "unavailable"),
        ),
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
