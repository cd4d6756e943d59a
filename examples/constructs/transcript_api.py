"""The door to transcripts for other systems, and one function of yours that goes through it."""

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from connect_autotranscribe import TranscriptApi, TranscriptStore


class Reading(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        summarise = iam.Role.from_role_name(self, "Summarise", "summarise-calls")
        api = TranscriptApi(self, "TranscriptApi", table=store.table)
        api.grant_read(summarise)
        CfnOutput(self, "TranscriptUrl", value=api.url)


def build(app: App) -> None:
    Reading(app, "Reading", env=Environment(account="111122223333", region="eu-central-1"))
