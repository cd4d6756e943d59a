"""The table of transcripts, and a function of yours that hears of each new utterance."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe import TranscriptStore


class Transcripts(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        coach = lambda_.Function.from_function_name(self, "CoachFunction", "coach")
        store = TranscriptStore(self, "TranscriptStore")
        events.Rule(
            self,
            "Coach",
            event_bus=store.event_bus,
            event_pattern=events.EventPattern(detail_type=["Utterance"]),
            targets=[targets.LambdaFunction(coach)],
        )


def build(app: App) -> None:
    Transcripts(app, "Transcripts", env=Environment(account="111122223333", region="eu-central-1"))
