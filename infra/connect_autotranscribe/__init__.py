"""AWS CDK constructs that put ASAPP AutoTranscribe on Amazon Connect."""

from connect_autotranscribe.audio.kinesis_video_read_role import KinesisVideoReadRole
from connect_autotranscribe.audio.live_media_streaming import LiveMediaStreaming
from connect_autotranscribe.calls.call_lifecycle import CallLifecycle
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcribed_flow import TranscribedFlow
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule
from connect_autotranscribe.function_options import FunctionOptions
from connect_autotranscribe.interfaces import ExportedFiles, MeasuredFlow, StreamControl
from connect_autotranscribe.live.agent_workspace_app import AgentWorkspaceApp
from connect_autotranscribe.live.live_page import LivePage
from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.live.live_transcripts import LiveTranscripts
from connect_autotranscribe.monitoring.monitored import Monitored
from connect_autotranscribe.monitoring.transcription_alarms import TranscriptionAlarms
from connect_autotranscribe.monitoring.transcription_dashboard import TranscriptionDashboard
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.stacks.access import AccessStack
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_autotranscribe.stacks.live import LiveStack
from connect_autotranscribe.stacks.transcription import TranscriptionStack
from connect_autotranscribe.transcripts.conversation_erasure import ConversationErasure
from connect_autotranscribe.transcripts.transcript_api import TranscriptApi
from connect_autotranscribe.transcripts.transcript_reconciliation import TranscriptReconciliation
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_autotranscribe.transcripts.transcript_webhook import TranscriptWebhook
from connect_autotranscribe.transcripts.web_acl import WebAcl
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    ClientCredentials,
    IssuedTokens,
    SharedSecret,
)
from connect_autotranscribe.transcripts.webhook_domain import WebhookDomain
from connect_settings import Settings, SettingsError

__all__ = [
    "AccessStack",
    "AgentWorkspaceApp",
    "CallLifecycle",
    "ClientCertificate",
    "ClientCredentials",
    "ConversationErasure",
    "ExportedFiles",
    "FlowFunction",
    "FlowsStack",
    "FunctionOptions",
    "IssuedTokens",
    "KinesisVideoReadRole",
    "LiveMediaStreaming",
    "LivePage",
    "LiveSignIn",
    "LiveStack",
    "LiveTranscripts",
    "MeasuredFlow",
    "Monitored",
    "Retention",
    "Settings",
    "SettingsError",
    "SharedSecret",
    "StreamControl",
    "TranscribedFlow",
    "TranscriptApi",
    "TranscriptReconciliation",
    "TranscriptStore",
    "TranscriptWebhook",
    "TranscriptionAlarms",
    "TranscriptionControl",
    "TranscriptionDashboard",
    "TranscriptionFlow",
    "TranscriptionModule",
    "TranscriptionStack",
    "UtteranceExport",
    "WebAcl",
    "WebhookDomain",
]
