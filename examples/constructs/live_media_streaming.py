"""The place of an instance's call audio: found as it is, or set by the stack."""

from aws_cdk import App, Duration, Environment, Stack
from constructs import Construct

from connect_autotranscribe import KinesisVideoReadRole, LiveMediaStreaming


class AdoptedCallAudio(Stack):
    """It is on already: nothing is created but the role that reads the streams."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        media = LiveMediaStreaming(self, "LiveMediaStreaming", mode="adopt", stream_prefix="acme")
        KinesisVideoReadRole(
            self,
            "KinesisVideoReadRole",
            trusted_role_arns=["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
            stream_prefix=media.stream_prefix,
        )


class ManagedCallAudio(Stack):
    """The stack turns it on."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        LiveMediaStreaming(
            self,
            "LiveMediaStreaming",
            mode="manage",
            stream_prefix="acme",
            instance_arn=(
                "arn:aws:connect:eu-central-1:111122223333:instance/"
                "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
            ),
            audio_retention=Duration.hours(24),
        )


def build(app: App) -> None:
    env = Environment(account="111122223333", region="eu-central-1")
    AdoptedCallAudio(app, "AdoptedCallAudio", env=env)
    ManagedCallAudio(app, "ManagedCallAudio", env=env)
