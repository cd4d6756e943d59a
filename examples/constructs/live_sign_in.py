"""Supervisors and agents sign in with the company's accounts, and nobody by password."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import LiveSignIn


class SignIn(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        sign_in = LiveSignIn(
            self,
            "LiveSignIn",
            page_url="https://live.acme.example/",
            domain_prefix="acme-live",
            saml_metadata_url="https://login.acme.example/metadata.xml",
            user_name_attribute="connect_user",
        )
        CfnOutput(self, "UserPool", value=sign_in.user_pool.user_pool_id)


def build(app: App) -> None:
    SignIn(app, "SignIn", env=Environment(account="111122223333", region="eu-central-1"))
