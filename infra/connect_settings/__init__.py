"""The settings of an environment, without AWS CDK: one TOML file, read into one frozen record."""

from connect_settings.environment import (
    Settings,
    SettingsError,
    environment_file,
)
from connect_settings.own_flows import OwnFlow, OwnFlows
from connect_settings.records import (
    AlarmSettings,
    AsappSettings,
    CapacitySettings,
    ConnectSettings,
    DeploymentSettings,
    EncryptionSettings,
    ErasureSettings,
    ExportSettings,
    FlowSettings,
    LifecycleSettings,
    LiveSettings,
    MediaStreamingSettings,
    OnUtteranceSettings,
    ReconciliationSettings,
    RetentionSettings,
    WebhookMtlsSettings,
    WebhookOAuth2Settings,
    WebhookSettings,
)

__all__ = [
    "AlarmSettings",
    "AsappSettings",
    "CapacitySettings",
    "ConnectSettings",
    "DeploymentSettings",
    "EncryptionSettings",
    "ErasureSettings",
    "ExportSettings",
    "FlowSettings",
    "LifecycleSettings",
    "LiveSettings",
    "MediaStreamingSettings",
    "OnUtteranceSettings",
    "OwnFlow",
    "OwnFlows",
    "ReconciliationSettings",
    "RetentionSettings",
    "Settings",
    "SettingsError",
    "WebhookMtlsSettings",
    "WebhookOAuth2Settings",
    "WebhookSettings",
    "environment_file",
]
