"""Everything, as a stage that a team's own pipeline deploys."""

from typing import Any

from aws_cdk import App, Environment, Stage
from constructs import Construct

from connect_autotranscribe import AccessStack, FlowsStack, LiveStack, Settings, TranscriptionStack

SETTINGS: dict[str, Any] = {
    "account": "111122223333",
    "region": "eu-central-1",
    "connect": {
        "instance_arn": (
            "arn:aws:connect:eu-central-1:111122223333:instance/"
            "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
        ),
        "instance_alias": "acme",
    },
    "media_streaming": {"mode": "adopt", "prefix": "acme"},
    "asapp": {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
        "credentials_secret_name": "asapp",
    },
    "lifecycle": {
        "mode": "adopt",
        "stream_arn": "arn:aws:kinesis:eu-central-1:111122223333:stream/agent-events",
    },
    "live": {
        "mode": "manage",
        "page_url": "https://live.acme.example/",
        "domain_prefix": "acme-live",
    },
}
"""What an environment file has; every key is explained at ``connect_settings``."""


class Transcription(Stage):
    """The stacks of one environment."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        env = Environment(account=settings.account, region=settings.region)
        super().__init__(scope, id, env=env)
        AccessStack(self, "Access", settings=settings)
        transcription = TranscriptionStack(self, "Transcription", settings=settings)
        control = transcription.transcription_control
        FlowsStack(
            self,
            "Flows",
            instance_arn=settings.connect.instance_arn,
            start_streaming=control.start_streaming,
            stop_streaming=control.stop_streaming,
            customer_id_path=settings.asapp.customer_id_path,
            agent_id_path=settings.asapp.agent_id_path,
            stop_at_hold=settings.lifecycle.mode != "off",
        )
        LiveStack(
            self,
            "Live",
            settings=settings,
            store=transcription.transcript_store,
            alarm_topic=transcription.alarms.topic,
        )


def build(app: App) -> None:
    Transcription(app, "Prod", settings=Settings.from_mapping(SETTINGS))


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
