"""The whole sandbox: emulator, ASAPP double and deployed stacks, from ``with`` to the end of it."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.asapp.double import AsappDouble, Delivery
from sandbox.stacks.deployment import Deployment, Say, deploy
from sandbox.stacks.emulator import ROOT, Emulator


class Sandbox(NamedTuple):
    """What runs.

    :param folder: Templates and logs of this run.
    """

    deployment: Deployment
    asapp: AsappDouble
    folder: Path


@contextmanager
def running_sandbox(
    *, delivery: Delivery, pace: float, say: Say = lambda _: None
) -> Iterator[Sandbox]:
    """Start all of it, and stop it whatever happens.

    :param delivery: What ASAPP's double does to its webhook POSTs.
    :param pace: Real seconds per scripted second of what is said.
    :param say: Told of each step as it begins.
    """
    runs = ROOT / ".sandbox" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=runs))
    with ExitStack() as stack:
        say("starting the emulator and the ASAPP double")
        emulator = stack.enter_context(Emulator(folder))
        asapp = stack.enter_context(AsappDouble(delivery=delivery, pace=pace))
        deployment = deploy(emulator, asapp, folder, say)
        webhook = deployment.settings.webhook
        given = {webhook.secret_name: deployment.webhook_secret}
        where = "headers" if webhook.secret_in == "header" else "params"
        asapp.webhook(deployment.webhook_url, **{where: given})
        yield Sandbox(deployment, asapp, folder)
    shutil.rmtree(folder, ignore_errors=True)  # a run that failed leaves its logs


class BusListener:
    """Hears the deployed event bus as another team would: a rule and a queue of its own."""

    def __init__(self, deployment: Deployment) -> None:
        self._sqs = deployment.emulator.client("sqs")
        events = deployment.emulator.client("events")
        self._url = self._sqs.create_queue(QueueName="listener")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        bus = deployment.event_bus_name
        pattern = '{"source": ["connect-autotranscribe"], "detail-type": ["Utterance"]}'
        events.put_rule(Name="listener", EventBusName=bus, EventPattern=pattern)
        target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule="listener", EventBusName=bus, Targets=[target])
        self._closing = threading.Event()

    def listen(self) -> Iterator[dict[str, Any]]:
        """Each event's detail, until :meth:`close` and the queue is empty."""
        while True:
            closing = self._closing.is_set()
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if closing else 1
            )
            messages = answer.get("Messages", [])
            for message in messages:
                yield json.loads(message["Body"])["detail"]
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            if closing and not messages:
                return

    def close(self) -> None:
        self._closing.set()
