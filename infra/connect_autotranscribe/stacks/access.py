"""The stack for a security review: who may read the call audio."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from connect_autotranscribe.audio.kinesis_video_read_role import KinesisVideoReadRole
from connect_autotranscribe.audio.live_media_streaming import LiveMediaStreaming
from connect_settings import Settings


class AccessStack(Stack):
    """The instance's setting for call audio, and the role with which ASAPP reads it.

    :param settings: The environment.
    :param kwargs: Those of ``aws_cdk.Stack``.

    .. code-block:: python

        AccessStack(self, "Access", settings=settings)
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        media, asapp = settings.media_streaming, settings.asapp
        self.live_media_streaming = LiveMediaStreaming(
            self,
            "LiveMediaStreaming",
            mode=media.mode,
            stream_prefix=media.prefix,
            instance_arn=settings.connect.instance_arn,
            audio_retention=Duration.hours(media.retention_hours)
            if media.retention_hours
            else None,
            stream_key=kms.Key.from_key_arn(self, "StreamKey", media.key_arn)
            if media.key_arn
            else None,
        )
        self.kinesis_video_read_role = KinesisVideoReadRole(
            self,
            "KinesisVideoReadRole",
            trusted_role_arns=asapp.trusted_role_arns,
            stream_prefix=self.live_media_streaming.stream_prefix,
            instance_alias=settings.connect.instance_alias,
            external_id=asapp.external_id,
            stream_key=self.live_media_streaming.stream_key,
        )
        # If a role of ASAPP does not exist, IAM refuses, and the instance has not been changed yet.
        self.live_media_streaming.node.add_dependency(self.kinesis_video_read_role)
        CfnOutput(
            self,
            "KinesisVideoReadRoleArn",
            value=self.kinesis_video_read_role.role.role_arn,
            description="The role with which ASAPP reads the call audio; give it to ASAPP",
        )
