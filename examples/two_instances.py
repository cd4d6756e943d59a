"""Two Connect instances of one account and Region, with one transcription stack."""

from typing import Any

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from connect_autotranscribe import (
    AccessStack,
    CallLifecycle,
    FlowsStack,
    LiveMediaStreaming,
    Settings,
    TranscriptionAlarms,
    TranscriptionStack,
)

ACCOUNT, REGION = "111122223333", "eu-central-1"
SALES = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
SUPPORT = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/27d5e6f4-6b0f-4b0c-a8a5-9a4a7a1d0e52"
SALES_SETTINGS: dict[str, Any] = {
    "account": ACCOUNT,
    "region": REGION,
    "connect": {"instance_arn": SALES, "instance_alias": "acme-sales"},
    "media_streaming": {"mode": "adopt", "prefix": "sales"},
    "asapp": {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
        "credentials_secret_name": "asapp",
    },
    "lifecycle": {
        "mode": "adopt",
        "stream_arn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/sales-agent-events",
    },
}
"""What an environment file has. ``[connect]``, ``[media_streaming]`` and ``[lifecycle]`` are those
of one instance; everything else is for both."""


class SupportCalls(Stack):
    """Follows the calls of the second instance: holds, resumes, transfers, hang-ups."""

    def __init__(
        self, scope: Construct, id: str, *, transcription: TranscriptionStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        lifecycle = CallLifecycle(
            self,
            "CallLifecycle",
            mode="adopt",
            instance_arn=SUPPORT,
            control=transcription.transcription_control,
            agent_event_stream=kinesis.Stream.from_stream_arn(
                self,
                "AgentEvents",
                f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/support-agent-events",
            ),
        )
        TranscriptionAlarms(
            self, "Alarms", constructs=[lifecycle], topic=transcription.alarms.topic
        )


def build(app: App) -> None:
    common: dict[str, Any] = {"env": Environment(account=ACCOUNT, region=REGION)}
    settings = Settings.from_mapping(SALES_SETTINGS)

    access = AccessStack(app, "Access", settings=settings, **common)
    support_audio = LiveMediaStreaming(
        access, "SupportLiveMediaStreaming", mode="adopt", stream_prefix="support"
    )
    access.kinesis_video_read_role.grant_read_of_instance(
        stream_prefix=support_audio.stream_prefix,
        instance_alias="acme-support",
        stream_key=support_audio.stream_key,
    )

    transcription = TranscriptionStack(app, "Transcription", settings=settings, **common)
    control = transcription.transcription_control
    control.grant_invoke_to_instance(SUPPORT)
    SupportCalls(app, "SupportCalls", transcription=transcription, **common)

    flows = [
        FlowsStack(
            app,
            f"{name}Flows",
            instance_arn=instance_arn,
            start_streaming=control.start_streaming,
            stop_streaming=control.stop_streaming,
            customer_id_path=settings.asapp.customer_id_path,
            agent_id_path=settings.asapp.agent_id_path,
            stop_at_hold=True,
            alarm_topic=transcription.alarms.topic,
            **common,
        )
        for name, instance_arn in (("Sales", SALES), ("Support", SUPPORT))
    ]
    # Connect takes two requests a second from an account and Region, whatever the instance.
    flows[1].add_stack_dependency(flows[0])


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
