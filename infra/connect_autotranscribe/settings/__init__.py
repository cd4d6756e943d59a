"""The settings of an environment: one TOML file, read into one frozen record."""

from connect_autotranscribe.settings.environment import (
    Settings,
    SettingsError,
    environment_file,
)
from connect_autotranscribe.settings.records import (
    AlarmSettings,
    AsappSettings,
    CapacitySettings,
    ConnectSettings,
    EncryptionSettings,
    ExportSettings,
    LifecycleSettings,
    MediaStreamingSettings,
    ReconciliationSettings,
    RetentionSettings,
    WebhookSettings,
)

__all__ = [
    "AlarmSettings",
    "AsappSettings",
    "CapacitySettings",
    "ConnectSettings",
    "EncryptionSettings",
    "ExportSettings",
    "LifecycleSettings",
    "MediaStreamingSettings",
    "ReconciliationSettings",
    "RetentionSettings",
    "Settings",
    "SettingsError",
    "WebhookSettings",
    "environment_file",
]
