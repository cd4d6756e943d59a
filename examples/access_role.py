"""Only the role with which ASAPP reads call audio, in a stack that a security team owns."""

from aws_cdk import App, CfnOutput, Environment, Stack

from connect_autotranscribe import KinesisVideoReadRole


def build(app: App) -> None:
    stack = Stack(
        app, "CallAudioAccess", env=Environment(account="111122223333", region="eu-central-1")
    )
    access = KinesisVideoReadRole(
        stack,
        "KinesisVideoReadRole",
        trusted_role_arns=["arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"],
        stream_prefix="acme",
        instance_alias="acme",
        external_id="agreed-with-asapp",
    )
    CfnOutput(stack, "RoleForAsapp", value=access.role.role_arn)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
