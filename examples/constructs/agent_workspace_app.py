"""The live page as a tab of the agent workspace, for each contact."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import AgentWorkspaceApp


class Workspace(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        instance = "instance/22222222-2222-4222-8222-222222222222"
        instance_arn = f"arn:aws:connect:eu-central-1:111122223333:{instance}"
        made = AgentWorkspaceApp(
            self,
            "AgentWorkspaceApp",
            instance_arn=instance_arn,
            page_url="https://live.acme.example/",
        )
        CfnOutput(self, "Application", value=made.application.attr_application_arn)


def build(app: App) -> None:
    Workspace(app, "Workspace", env=Environment(account="111122223333", region="eu-central-1"))
