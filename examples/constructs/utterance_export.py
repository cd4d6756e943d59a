"""ASAPP's own files of utterances, fetched every night."""

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import UtteranceExport


class Export(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        export = UtteranceExport(
            self,
            "UtteranceExport",
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
        CfnOutput(self, "ExportBucket", value=export.bucket.bucket_name)


def build(app: App) -> None:
    Export(app, "Export", env=Environment(account="111122223333", region="eu-central-1"))
