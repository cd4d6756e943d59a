"""Listens to the event bus for the marked conversation alone, by a rule and a queue of its own.

The queue is made first and deleted last. So a run that was cut off leaves at least the queue, by
whose name and tag the next run finds what else there is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from tools.doctor.aws import Aws
from tools.verify.account import Account

MARKED = "connect-autotranscribe-verify"
"""The id of the marked conversation. No contact has it: a contact's id is a UUID."""
TAG = "connect-autotranscribe:verify"
_ABSENT_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_ABSENT_RULE = ("ResourceNotFoundException",)


class Listener:
    """Made by :meth:`begin`.

    :param bus: The name of the event bus.
    """

    def __init__(self, account: Account) -> None:
        self._aws: Aws = account.aws
        self._prefix = f"autotranscribe-{account.name}-verify-"
        self._bus = account.transcription.first("AWS::Events::EventBus")
        self._region, self._account = account.settings.region, account.settings.account
        self._queue_url = ""

    def begin(self) -> None:
        name = f"{self._prefix}{uuid.uuid4().hex[:8]}"
        place = f"{self._region}:{self._account}"
        queue_arn = f"arn:aws:sqs:{place}:{name}"
        rule_arn = f"arn:aws:events:{place}:rule/{self._bus}/{name}"
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }
        attributes = {
            "MessageRetentionPeriod": "300",
            "SqsManagedSseEnabled": "true",
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        }
        made = self._write("sqs", "create_queue", QueueName=name, Attributes=attributes, tags=_TAGS)
        self._queue_url = made["QueueUrl"]
        pattern = {"source": ["connect-autotranscribe"], "detail": {"conversationId": [MARKED]}}
        rule = {"Name": name, "EventBusName": self._bus}
        tags = [{"Key": TAG, "Value": "temporary"}]
        self._write("events", "put_rule", **rule, EventPattern=json.dumps(pattern), Tags=tags)
        target = {"Id": "queue", "Arn": queue_arn}
        self._write("events", "put_targets", Rule=name, EventBusName=self._bus, Targets=[target])

    def heard(self) -> Iterator[dict[str, Any]]:
        """The details of the events that came since the last look."""
        answer = self._write(
            "sqs", "receive_message", QueueUrl=self._queue_url, MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", []):
            yield json.loads(message["Body"])["detail"]
            self._write(
                "sqs",
                "delete_message",
                QueueUrl=self._queue_url,
                ReceiptHandle=message["ReceiptHandle"],
            )

    def remove(self) -> int:
        """Remove this listener, and those of runs that were cut off.

        :returns: How many there were.
        """
        urls = self._aws.pages("sqs", "list_queues", "QueueUrls", QueueNamePrefix=self._prefix)
        removed = 0
        for url in {*(urls or []), *([self._queue_url] if self._queue_url else [])}:
            tags = self._aws.read("sqs", "list_queue_tags", _ABSENT_QUEUE, QueueUrl=url)
            if tags is None or TAG not in tags.get("Tags", {}):
                continue  # gone, or somebody else's
            name = url.rpartition("/")[2]
            on_bus = {"EventBusName": self._bus}
            targets = self._aws.read(
                "events", "list_targets_by_rule", _ABSENT_RULE, Rule=name, **on_bus
            )
            if targets is not None:
                if ids := [each["Id"] for each in targets.get("Targets", [])]:
                    self._write("events", "remove_targets", Rule=name, Ids=ids, **on_bus)
                self._write("events", "delete_rule", Name=name, **on_bus)
            self._aws.read("sqs", "delete_queue", _ABSENT_QUEUE, QueueUrl=url)
            removed += 1
        self._queue_url = ""
        return removed

    def _write(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        return self._aws.read(service, operation, **request) or {}


_TAGS = {TAG: "temporary"}
