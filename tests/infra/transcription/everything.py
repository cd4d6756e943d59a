"""The transcription stack with its parts by name."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from tests.infra.conftest import (
    ACCOUNT,
    Json,
    Transcription,
)

REGION, INSTANCE = Transcription.REGION, Transcription.INSTANCE
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
FUNCTIONS = {
    "start_streaming",
    "stop_streaming",
    "authorize_webhook",
    "store_transcript",
    "publish_utterance",
    "reconcile_transcript",
    "read_transcript",
    "hold_conversation",
    "erase_conversation",
}
every_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


class Everything(Transcription):
    """With its parts by name."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        store, webhook = self.made.transcript_store, self.made.transcript_webhook
        control = self.made.transcription_control
        self.store, self.webhook, self.control, self.table = store, webhook, control, store.table
        self.functions: dict[str, lambda_.IFunction] = {
            "start_streaming": control.start_streaming.lambda_,
            "stop_streaming": control.stop_streaming.lambda_,
            "authorize_webhook": webhook.functions["AuthorizeWebhook"],
            "store_transcript": webhook.store_transcript,
            "publish_utterance": store.publish_utterance,
            "reconcile_transcript": self.made.transcript_reconciliation.reconcile_transcript,
            "read_transcript": self.made.transcript_api.read_transcript,
            "hold_conversation": self.made.transcript_api.hold_conversation,
            "erase_conversation": self.made.conversation_erasure.erase_conversation,
        }

    @property
    def secret(self) -> secretsmanager.ISecret:
        """That of the webhook, which the smallest environment has."""
        assert self.webhook.secret
        return self.webhook.secret

    def function(self, name: str) -> Json:
        return self.properties(self.functions[name])

    def log_group(self, name: str) -> str:
        """The logical id of a function's log group."""
        identifier: str = self.function(name)["LoggingConfig"]["LogGroup"]["Ref"]
        return identifier

    def role(self, name: str) -> iam.IRole:
        role = self.functions[name].role
        assert role is not None
        return role

    def sender(self) -> iam.IRole:
        """The role with which API Gateway sends to the queue."""
        role: Any = self.webhook.apis[0].node.find_child("SendToQueue")
        found: iam.IRole = role
        return found

    def mapping(self, name: str) -> Json:
        """What invokes a function from a queue or a stream."""
        target = self.ref(self.functions[name])
        (found,) = (
            each["Properties"]
            for each in self.all("AWS::Lambda::EventSourceMapping")
            if each["Properties"]["FunctionName"] == target
        )
        return dict(found)

    def of_webhook(self, kind: str) -> Json:
        """The one resource of a kind that belongs to the webhook."""
        (found,) = (
            each
            for key, each in self.template["Resources"].items()
            if each["Type"] == kind and key.startswith("TranscriptWebhook")
        )
        return dict(found)

    def method(self) -> Json:
        return dict(self.of_webhook("AWS::ApiGateway::Method")["Properties"])


def service_may_assume(service: str) -> Json:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def policies(resource: Json) -> tuple[str, str]:
    return resource["DeletionPolicy"], resource["UpdateReplacePolicy"]
