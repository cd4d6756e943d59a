"""The role with which ASAPP reads the call audio of one instance."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import KinesisVideoReadRole


class CallAudioAccess(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        access = KinesisVideoReadRole(
            self,
            "KinesisVideoReadRole",
            trusted_role_arns=["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
            stream_prefix="acme",
            instance_alias="acme",
        )
        CfnOutput(self, "RoleForAsapp", value=access.role.role_arn)


def build(app: App) -> None:
    CallAudioAccess(
        app, "CallAudioAccess", env=Environment(account="111122223333", region="eu-central-1")
    )
