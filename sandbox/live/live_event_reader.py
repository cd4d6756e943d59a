"""Takes the events of the live page's rule to the deployed function, in the emulator's place.

The emulator starts a process for each event that comes while others are on their way. A burst of
utterances starts so many that the machine stands still. On AWS each has its own. So the rule's
target here is a queue, and this reader invokes the function some times at once. What fails comes
again, as on AWS.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.stacks.deployment import Deployment

_INVOCATIONS_AT_ONCE = 10
"""Each takes 35 ms until it is published, and then the emulator waits another 50 ms for a log line
of the function, which has none; on a busy machine it all takes twice as long."""
_FIRST = json.dumps({"detail-type": "Conversation", "detail": {"conversationId": "warm-up"}})
"""Nobody hears it. It starts the processes before anything is measured."""
_SECONDS_TO_THE_NEXT_TRY = 5
_SECONDS_OF_A_TRY = 70
"""Longer than the client waits."""
_NAME = "live-events"


class LiveEventReader:
    """A context manager: reads the events from ``with`` to the end of it.

    :param deployment: Its rule of the live page gets another target.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._lambda = deployment.emulator.client("lambda", tries=1)
        self._sqs = deployment.emulator.client("sqs")
        self._queue_url = self._sqs.create_queue(
            QueueName=_NAME, Attributes={"VisibilityTimeout": str(_SECONDS_OF_A_TRY)}
        )["QueueUrl"]
        rule, target = deployment.live_rule
        self._function_arn = target["Arn"]
        queue = self._sqs.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["QueueArn"]
        )
        deployment.emulator.client("events").put_targets(
            Rule=rule,
            EventBusName=deployment.event_bus_name,
            Targets=[{"Id": target["Id"], "Arn": queue["Attributes"]["QueueArn"]}],
        )
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, name=_NAME, daemon=True)
            for _ in range(_INVOCATIONS_AT_ONCE)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        self._is_published({"Body": _FIRST})
        while not self._closing.is_set():
            answer = self._sqs.receive_message(QueueUrl=self._queue_url, WaitTimeSeconds=1)
            for message in answer.get("Messages", ()):
                which = {"QueueUrl": self._queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                if self._is_published(message):
                    self._sqs.delete_message(**which)
                else:
                    self._sqs.change_message_visibility(
                        **which, VisibilityTimeout=_SECONDS_TO_THE_NEXT_TRY
                    )

    def _is_published(self, message: dict[str, Any]) -> bool:
        try:
            answer = self._lambda.invoke(FunctionName=self._function_arn, Payload=message["Body"])
        except (ClientError, BotoCoreError):
            return False
        return "FunctionError" not in answer
