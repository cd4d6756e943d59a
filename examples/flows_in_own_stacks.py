"""Start, stop and flows in a team's own stacks: ready-made ones, and one of theirs woven in."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe import (
    FlowFunction,
    TranscribedFlow,
    TranscriptionControl,
    TranscriptionFlow,
    TranscriptStore,
)
from connect_flows.ready_made.hold_and_queue import customer_hold

INSTANCE = "arn:aws:connect:eu-central-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
OUR_WHISPER = """{
  "Version": "2019-10-30",
  "StartAction": "Say the queue",
  "Actions": [
    {"Identifier": "Say the queue", "Type": "MessageParticipant",
     "Parameters": {"Text": "$.Queue.Name"},
     "Transitions": {"NextAction": "End", "Conditions": [],
                     "Errors": [{"NextAction": "End", "ErrorType": "NoMatchingError"}]}},
    {"Identifier": "End", "Type": "EndFlowExecution", "Parameters": {}, "Transitions": {}}
  ]
}"""
"""As the flow designer exports it; most often read from a file."""


class Control(Stack):
    """What is called by flows."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id, env=env)
        store = TranscriptStore(self, "TranscriptStore")
        self.control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=INSTANCE,
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
            language="es-US",
        )


class Flows(Stack):
    """What calls it."""

    def __init__(
        self, scope: Construct, id: str, *, control: TranscriptionControl, env: Environment
    ) -> None:
        super().__init__(scope, id, env=env)
        start = FlowFunction(self, "Start", instance_arn=INSTANCE, function=control.start_streaming)
        stop = FlowFunction(self, "Stop", instance_arn=INSTANCE, function=control.stop_streaming)
        whisper = TranscribedFlow(
            self,
            "BillingWhisper",
            instance_arn=INSTANCE,
            name="Billing agent whisper, transcribed",
            type="AGENT_WHISPER",
            content=OUR_WHISPER,
            start_streaming=start,
        )
        hold = TranscriptionFlow(
            self, "Hold", instance_arn=INSTANCE, flow=customer_hold(stop_function_arn=stop.arn)
        )
        hold.node.add_dependency(whisper)  # Connect takes two requests a second


def build(app: App) -> None:
    env = Environment(account="111122223333", region="eu-central-1")
    control = Control(app, "TranscriptionControl", env=env)
    Flows(app, "TranscriptionFlows", control=control.control, env=env)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
