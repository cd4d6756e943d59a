"""AWS CDK constructs that put ASAPP AutoTranscribe on Amazon Connect."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connect_autotranscribe.call_lifecycle import CallLifecycle
    from connect_autotranscribe.flow_function import FlowFunction
    from connect_autotranscribe.kinesis_video_read_role import KinesisVideoReadRole
    from connect_autotranscribe.live_media_streaming import LiveMediaStreaming
    from connect_autotranscribe.monitoring import TranscriptionAlarms, TranscriptionDashboard
    from connect_autotranscribe.settings import Settings, SettingsError
    from connect_autotranscribe.stacks.access import AccessStack
    from connect_autotranscribe.stacks.flows import FlowsStack
    from connect_autotranscribe.stacks.transcription import TranscriptionStack
    from connect_autotranscribe.transcribed_flow import TranscribedFlow
    from connect_autotranscribe.transcript_api import TranscriptApi
    from connect_autotranscribe.transcript_reconciliation import TranscriptReconciliation
    from connect_autotranscribe.transcript_store import TranscriptStore
    from connect_autotranscribe.transcript_webhook import TranscriptWebhook
    from connect_autotranscribe.transcription_control import TranscriptionControl
    from connect_autotranscribe.transcription_flow import TranscriptionFlow
    from connect_autotranscribe.transcription_metrics import TranscriptionMetrics
    from connect_autotranscribe.transcription_module import TranscriptionModule
    from connect_autotranscribe.utterance_export import UtteranceExport

__all__ = [
    "AccessStack",
    "CallLifecycle",
    "FlowFunction",
    "FlowsStack",
    "KinesisVideoReadRole",
    "LiveMediaStreaming",
    "Settings",
    "SettingsError",
    "TranscribedFlow",
    "TranscriptApi",
    "TranscriptReconciliation",
    "TranscriptStore",
    "TranscriptWebhook",
    "TranscriptionAlarms",
    "TranscriptionControl",
    "TranscriptionDashboard",
    "TranscriptionFlow",
    "TranscriptionMetrics",
    "TranscriptionModule",
    "TranscriptionStack",
    "UtteranceExport",
]

_MODULES = {
    "AccessStack": "stacks.access",
    "CallLifecycle": "call_lifecycle",
    "FlowFunction": "flow_function",
    "FlowsStack": "stacks.flows",
    "KinesisVideoReadRole": "kinesis_video_read_role",
    "LiveMediaStreaming": "live_media_streaming",
    "Settings": "settings",
    "SettingsError": "settings",
    "TranscribedFlow": "transcribed_flow",
    "TranscriptApi": "transcript_api",
    "TranscriptReconciliation": "transcript_reconciliation",
    "TranscriptStore": "transcript_store",
    "TranscriptWebhook": "transcript_webhook",
    "TranscriptionAlarms": "monitoring",
    "TranscriptionControl": "transcription_control",
    "TranscriptionDashboard": "monitoring",
    "TranscriptionFlow": "transcription_flow",
    "TranscriptionMetrics": "transcription_metrics",
    "TranscriptionModule": "transcription_module",
    "TranscriptionStack": "stacks.transcription",
    "UtteranceExport": "utterance_export",
}


def __getattr__(name: str) -> Any:
    """A public name at its first use: aws_cdk starts a Node process, which the flow language, at
    :mod:`connect_autotranscribe.flows`, does not need."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
