"""The setting that makes a Connect instance stream its call audio."""

from __future__ import annotations

from typing import Literal

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_connect as connect
from aws_cdk import aws_kms as kms
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like


class LiveMediaStreaming(Construct):
    """*Live media streaming* of a Connect instance.

    An instance has one such setting. ``adopt`` uses the existing one and changes nothing.
    ``manage`` creates it; the deployment fails if there is one already. The setting stays when the
    stack is deleted, because without it the audio of the whole instance stops.

    :param mode: ``adopt`` or ``manage``.
    :param stream_prefix: The prefix of the streams' names: the existing one, or the one to set.
    :param instance_arn: The Connect instance, whole ARN. For ``manage`` only.
    :param audio_retention: How long the audio stays readable, in whole hours. For ``manage`` only.
    :param stream_key: The key that encrypts the audio. Default: AWS's own key for Kinesis Video.

    .. code-block:: python

        LiveMediaStreaming(self, "LiveMediaStreaming", mode="adopt", stream_prefix="acme")
    """

    stream_prefix: str
    stream_key: kms.IKey | None

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        mode: Literal["adopt", "manage"],
        stream_prefix: str,
        instance_arn: str | None = None,
        audio_retention: Duration | None = None,
        stream_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.stream_prefix = stream_prefix
        self.stream_key = stream_key
        problems = []
        if mode == "manage" and instance_arn is None:
            problems.append('instance_arn: is missing for mode "manage"; write the ARN')
        check_arguments(
            self,
            {
                **like("media_streaming", mode=mode),
                **like("connect", optional=True, instance_arn=instance_arn),
                "stream_prefix": Argument(value=stream_prefix, rule="media_streaming.prefix"),
                "audio_retention": Argument(
                    value=audio_retention, rule="media_streaming.retention_hours", optional=True
                ),
            },
            problems,
        )
        if instance_arn is None or audio_retention is None or mode == "adopt":
            return
        configuration = connect.CfnInstanceStorageConfig(
            self,
            "MediaStreams",
            instance_arn=instance_arn,
            resource_type="MEDIA_STREAMS",
            storage_type="KINESIS_VIDEO_STREAM",
            kinesis_video_stream_config=connect.CfnInstanceStorageConfig.KinesisVideoStreamConfigProperty(
                prefix=stream_prefix,
                retention_period_hours=audio_retention.to_hours(),
                encryption_config=connect.CfnInstanceStorageConfig.EncryptionConfigProperty(
                    encryption_type="KMS",
                    key_id=stream_key.key_arn if stream_key else "alias/aws/kinesisvideo",
                ),
            ),
        )
        configuration.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
