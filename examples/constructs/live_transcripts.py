"""What a page needs to show calls while they are spoken: who signs in, events, and an API."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import LiveSignIn, LiveTranscripts, TranscriptStore


class Live(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        sign_in = LiveSignIn(
            self,
            "LiveSignIn",
            page_url="https://live.acme.example/",
            domain_prefix="acme-live",
        )
        live = LiveTranscripts(
            self,
            "LiveTranscripts",
            table=store.table,
            event_bus=store.event_bus,
            sign_in=sign_in,
            page_url="https://live.acme.example/",
        )
        CfnOutput(self, "ReadUrl", value=live.url)
        CfnOutput(self, "RealtimeUrl", value=live.realtime_url)


def build(app: App) -> None:
    Live(app, "Live", env=Environment(account="111122223333", region="eu-central-1"))
