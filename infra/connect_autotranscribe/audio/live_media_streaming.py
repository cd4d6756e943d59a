"""The setting that makes a Connect instance stream its call audio."""

from __future__ import annotations

from typing import Literal

from aws_cdk import RemovalPolicy
from aws_cdk import aws_connect as connect
from aws_cdk import aws_kms as kms
from constructs import Construct


class LiveMediaStreaming(Construct):
    """*Live media streaming* of a Connect instance.

    An instance has one such setting. ``adopt`` uses the existing one and changes nothing.
    ``manage`` creates it; the deployment fails if there is one already. The setting stays when the
    stack is deleted, because without it the audio of the whole instance stops.

    :param mode: ``adopt`` or ``manage``.
    :param stream_prefix: The prefix of the streams' names: the existing one, or the one to set.
    :param instance_arn: The Connect instance, whole ARN. For ``manage`` only.
    :param retention_hours: How many hours the audio stays readable, 1 or more. For ``manage`` only.
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
        retention_hours: int | None = None,
        stream_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.stream_prefix = stream_prefix
        self.stream_key = stream_key
        if mode == "adopt":
            if retention_hours is not None:
                raise ValueError(
                    f"{self.node.path}: with mode 'adopt', the instance keeps its own retention; "
                    "remove retention_hours, or write mode='manage'"
                )
            return
        if instance_arn is None or not retention_hours:
            raise ValueError(
                f"{self.node.path}: mode 'manage' needs instance_arn, and retention_hours above 0"
            )
        configuration = connect.CfnInstanceStorageConfig(
            self,
            "MediaStreams",
            instance_arn=instance_arn,
            resource_type="MEDIA_STREAMS",
            storage_type="KINESIS_VIDEO_STREAM",
            kinesis_video_stream_config=connect.CfnInstanceStorageConfig.KinesisVideoStreamConfigProperty(
                prefix=stream_prefix,
                retention_period_hours=retention_hours,
                encryption_config=connect.CfnInstanceStorageConfig.EncryptionConfigProperty(
                    encryption_type="KMS",
                    key_id=stream_key.key_arn if stream_key else "alias/aws/kinesisvideo",
                ),
            ),
        )
        configuration.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
