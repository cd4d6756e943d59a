"""The queue in which a person finds the messages that could not be stored."""

from __future__ import annotations

from typing import Any


class DeadLetters:
    """:param sqs: A boto3 SQS client."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._url = queue_url

    def send(self, body: str, reason: str) -> None:
        """:param body: As the webhook received it."""
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )
