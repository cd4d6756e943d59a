"""The page on which calls are seen while they are spoken, hosted by the stack."""

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from connect_autotranscribe import LivePage, LiveSignIn, LiveTranscripts, TranscriptStore


class HostedPage(Stack):
    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        page = LivePage(self, "LivePage", instance_alias="acme")
        sign_in = LiveSignIn(self, "LiveSignIn", page_url=page.url, domain_prefix="acme-live")
        live = LiveTranscripts(
            self,
            "LiveTranscripts",
            table=store.table,
            event_bus=store.event_bus,
            sign_in=sign_in,
            page_url=page.url,
        )
        page.serve(sign_in=sign_in, transcripts=live)
        CfnOutput(self, "PageUrl", value=page.url)


def build(app: App) -> None:
    HostedPage(app, "HostedPage", env=Environment(account="111122223333", region="eu-central-1"))
