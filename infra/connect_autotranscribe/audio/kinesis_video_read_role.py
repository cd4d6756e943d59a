"""The role with which ASAPP reads call audio."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Acknowledgment, ArnFormat, Duration, Stack, Token, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._functions import as_nag_writes
from connect_settings._rules import number

_SESSION = number(60, 720, "Duration.hours(1) to Duration.hours(12)")


class KinesisVideoReadRole(Construct):
    """Lets ASAPP read the call audio of one Connect instance, and of those that you pass to
    ``grant_read_of_instance``, and nothing else.

    The role may read streams whose name begins ``<prefix>-connect-<alias>-contact-``, as Connect
    reports the prefix of one instance; AWS does not document the names. It may list all video
    streams of the account, because IAM cannot limit that action to some streams.

    :param trusted_role_arns: The roles in ASAPP's account that may assume this one. Ask ASAPP for
        them.
    :param stream_prefix: The prefix under *Live media streaming* of the instance.
    :param instance_alias: The name in the instance's access URL. Default: the role may read every
        stream whose name begins with the prefix and a dash, also those of another instance with the
        same prefix.
    :param external_id: The external id that ASAPP must present. Default: none, as in ASAPP's own
        set-up.
    :param stream_key: The key that encrypts the streams. Default: AWS's own key, which needs no
        grant. If another stack owns the key, its policy must let this account's roles use it.
    :param max_session_duration: How long a session lasts. Default: 1 hour, the most that AWS allows
        a role that was itself assumed, as ASAPP's is.

    .. code-block:: python

        access = KinesisVideoReadRole(
            self,
            "KinesisVideoReadRole",
            trusted_role_arns=["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
            stream_prefix="acme",
            instance_alias="acme",
        )
    """

    role: iam.Role
    """Its ARN goes to ASAPP."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        trusted_role_arns: Sequence[str],
        stream_prefix: str,
        instance_alias: str | None = None,
        external_id: str | None = None,
        stream_key: kms.IKey | None = None,
        max_session_duration: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("asapp", trusted_role_arns=trusted_role_arns),
                **like("connect", optional=True, instance_alias=instance_alias),
                **like("asapp", optional=True, external_id=external_id),
                "stream_prefix": Argument(value=stream_prefix, rule="media_streaming.prefix"),
                "max_session_duration": Argument(
                    value=max_session_duration, rule=_SESSION, optional=True, unit="minutes"
                ),
            },
        )
        trusted = iam.CompositePrincipal(*(iam.ArnPrincipal(arn) for arn in trusted_role_arns))
        condition = {"StringEquals": {"sts:ExternalId": external_id}}
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=trusted.with_conditions(condition) if external_id else trusted,
            description="ASAPP reads the call audio of Amazon Connect with this role",
            max_session_duration=max_session_duration or Duration.hours(1),
        )
        self._instances = 0
        self._may_read(stream_prefix, instance_alias)
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="ListStreams", actions=["kinesisvideo:ListStreams"], resources=["*"]
            )
        )
        self._accept("*", "kinesisvideo:ListStreams has no resource level.")
        if stream_key is not None:
            self._may_decrypt(stream_key)

    def grant_read_of_instance(
        self,
        *,
        stream_prefix: str,
        instance_alias: str | None = None,
        stream_key: kms.IKey | None = None,
    ) -> None:
        """Let the role also read the call audio of one more instance of this account and Region.

        :param stream_prefix: The prefix under *Live media streaming* of that instance.
        :param instance_alias: The name in its access URL. Default: as for the first instance.
        :param stream_key: The key that encrypts its streams. Default: AWS's own key.
        """
        check_arguments(
            self,
            {
                **like("connect", optional=True, instance_alias=instance_alias),
                "stream_prefix": Argument(value=stream_prefix, rule="media_streaming.prefix"),
            },
        )
        self._may_read(stream_prefix, instance_alias)
        if stream_key is not None:
            self._may_decrypt(stream_key)

    def _may_read(self, stream_prefix: str, instance_alias: str | None) -> None:
        self._instances += 1
        names = f"{stream_prefix}-*/*"
        if instance_alias:
            names = f"{stream_prefix}-connect-{instance_alias}-contact-*/*"
        streams = Stack.of(self).format_arn(
            service="kinesisvideo",
            resource="stream",
            resource_name=names,
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid=self._sid("ReadCallAudio"),
                actions=[
                    "kinesisvideo:DescribeStream",
                    "kinesisvideo:GetDataEndpoint",
                    "kinesisvideo:GetMedia",
                ],
                resources=[streams],
            )
        )
        self._accept(
            streams,
            "Amazon Connect makes the streams as needed; only how a name begins is known.",
        )

    def _may_decrypt(self, stream_key: kms.IKey) -> None:
        stack = Stack.of(self)
        via = f"kinesisvideo.{stack.region}.{stack.url_suffix}"
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid=self._sid("DecryptCallAudio"),
                actions=["kms:Decrypt"],
                resources=[stream_key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": via}},
            )
        )

    def _sid(self, of_the_first: str) -> str:
        return of_the_first if self._instances == 1 else f"{of_the_first}{self._instances}"

    def _accept(self, resource: str, reason: str) -> None:
        finding = f"AwsSolutions-IAM5[Resource::{as_nag_writes(self, resource)}]"
        if not Token.is_unresolved(finding):
            Validations.of(self.role).acknowledge(Acknowledgment(id=finding, reason=reason))
