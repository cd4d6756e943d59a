"""Starts and stops the whole sandbox: emulator, ASAPP double and deployed stacks."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from sandbox.asapp.double import AsappDouble, Delivery
from sandbox.connect.contact import Contact, lambda_event
from sandbox.live.live_calls import LiveCalls
from sandbox.live.live_event_reader import LiveEventReader
from sandbox.stacks.agent_event_reader import AgentEventReader
from sandbox.stacks.deployment import NO_MORE_SETTINGS, Deployment, Say, Synthesise, deploy
from sandbox.stacks.emulator import ROOT, Emulator, SandboxError
from shared.transcripts.stored_utterances import utterance_id

_WARM_UP = "warm-up"
"""The id of a conversation that does not take place."""
_PROCESSES_OF_THE_CONSUMER = 2
_SECONDS_TO_WARM_UP = 120


class Sandbox(NamedTuple):
    """The running parts.

    :param agent_event_reader: Invokes ``follow_agent_events``, in the emulator's place.
    :param listener: Receives the events of the bus from now on.
    :param folder: Holds the templates and logs of this run.
    :param live: What the live page needs, if it is on.
    """

    deployment: Deployment
    asapp: AsappDouble
    agent_event_reader: AgentEventReader
    listener: BusListener
    folder: Path
    live: LiveCalls | None = None


@contextmanager
def running_sandbox(
    *,
    delivery: Delivery,
    pace: float,
    say: Say = lambda _: None,
    more_settings: Mapping[str, str] = NO_MORE_SETTINGS,
    with_live: bool = False,
    synthesise: Synthesise | None = None,
    posts_at_once: int = 16,
) -> Iterator[Sandbox]:
    """Start everything, and stop it in any case.

    :param delivery: How the webhook POSTs of ASAPP's double travel.
    :param pace: Real seconds per scripted second of speech.
    :param say: Called with the text of each step as it begins.
    :param more_settings: As in :func:`deploy`.
    :param with_live: Whether the stack of the live page is deployed too.
    :param synthesise: As in :func:`deploy`.
    :param posts_at_once: How many POSTs of ASAPP's double may be under way.
    """
    runs = ROOT / ".sandbox" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=runs))
    with _removed_unless_it_fails(folder), ExitStack() as stack:
        say("starting the emulator and the ASAPP double")
        emulator = stack.enter_context(Emulator(folder))
        asapp = stack.enter_context(
            AsappDouble(delivery=delivery, pace=pace, posts_at_once=posts_at_once)
        )
        live = LiveCalls(emulator) if with_live else None
        of_live = {"live": live.settings} if live else {}
        settings = {**more_settings, **of_live}
        deployment = deploy(emulator, asapp, folder, say, settings, synthesise)
        if live:
            live.connect(deployment)
            stack.enter_context(LiveEventReader(deployment))
        webhook = deployment.settings.webhook
        if "secret" not in webhook.auth:
            raise SandboxError('the sandbox posts with the secret: add "secret" to webhook.auth')
        given = {webhook.secret_name: deployment.webhook_secret}
        where: dict[str, Any] = {
            "headers" if webhook.secret_in == "header" else "params": given,
        }
        asapp.webhook(deployment.webhook_url, **where)
        reader = stack.enter_context(AgentEventReader(deployment))
        listener = BusListener(deployment, "bus-listener")
        say("sending first utterances through the stacks, so that each function has its process")
        _warm_up(deployment, listener, **where)
        yield Sandbox(deployment, asapp, reader, listener, folder, live)


@contextmanager
def _removed_unless_it_fails(folder: Path) -> Iterator[None]:
    """Keep the folder with the logs only if the run fails; an interruption is not a failure."""
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Published:
    """An event of the bus.

    :param at_ms: When the bus put it into the listener's queue, in milliseconds since 1970.
    """

    detail: Mapping[str, Any]
    at_ms: int


class BusListener:
    """Receives the events of the bus as another team would: with its own rule and queue.

    :param name: The name of the rule and of the queue.
    :param detail_type: Which events.
    """

    def __init__(self, deployment: Deployment, name: str, detail_type: str = "Utterance") -> None:
        self._sqs = deployment.emulator.client("sqs")
        events = deployment.emulator.client("events")
        self.queue_url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        bus = deployment.event_bus_name
        pattern = json.dumps({"source": ["connect-autotranscribe"], "detail-type": [detail_type]})
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule=name, EventBusName=bus, Targets=[target])

    @contextmanager
    def collecting(
        self, tell: Callable[[Published], None] = lambda _: None
    ) -> Iterator[Mapping[str, Published]]:
        """Collect events, by their detail's ``id``, until ``with`` ends and the queue is empty. If
        an event comes twice, the first one counts.

        :param tell: Called with every event, also with one that comes again.
        """
        published: dict[str, Published] = {}
        closing = threading.Event()

        def collect() -> None:
            received: list[Published] = []
            while received or not closing.is_set():
                received = self._received(wait_seconds=0 if closing.is_set() else 1)
                for event in received:
                    published.setdefault(event.detail["id"], event)
                    tell(event)

        thread = threading.Thread(target=collect, name="event bus", daemon=True)
        thread.start()
        try:
            yield published
        finally:
            closing.set()
            thread.join()

    def hear(self, ids: set[str], seconds: float) -> bool:
        """Whether the events with these ids come in time. Other events are dropped."""
        missing, until = set(ids), time.monotonic() + seconds
        while missing and time.monotonic() < until:
            missing -= {event.detail["id"] for event in self._received(wait_seconds=1)}
        return not missing

    def _received(self, wait_seconds: int) -> list[Published]:
        answer = self._sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            AttributeNames=["SentTimestamp"],
        )
        received = []
        for message in answer.get("Messages", []):
            at_ms = int(message["Attributes"]["SentTimestamp"])
            received.append(Published(json.loads(message["Body"])["detail"], at_ms))
            self._sqs.delete_message(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        return received


def _warm_up(deployment: Deployment, listener: BusListener, **secret: Any) -> None:
    """Let the emulator start its processes before anything is measured: send utterances of a
    conversation that does not take place, and starts and stops of a contact that has no audio.

    The emulator starts a process for each concurrent invocation. Each imports boto3, which takes
    seconds on a busy machine. The webhook's consumer needs only two here; the default is five.
    """
    client = deployment.emulator.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if ":sqs:" in mapping["EventSourceArn"]:
            client.update_event_source_mapping(
                UUID=mapping["UUID"],
                ScalingConfig={"MaximumConcurrency": _PROCESSES_OF_THE_CONSUMER},
            )

    def post(number: int) -> None:
        message = {
            "type": "transcript",
            "externalConversationId": _WARM_UP,
            "streamId": "stream",
            "sender": {"externalId": "nobody", "role": "customer"},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": number,
                "end": number,
                "utterance": [{"text": _WARM_UP}],
            },
        }
        while (
            answer := httpx.post(deployment.webhook_url, json=message, timeout=60, **secret)
        ).status_code != 200:
            # 500: the authorizer took too long to start, as it may on AWS.
            if answer.status_code != 500 or time.monotonic() > until:
                raise SandboxError(f"the webhook answers {answer.status_code}: {answer.text}")

    until = time.monotonic() + _SECONDS_TO_WARM_UP
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    while len(items := deployment.conversation(_WARM_UP)) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    ids = {utterance_id(item) for item in items}
    if len(ids) < 4 or not listener.hear(ids, _SECONDS_TO_WARM_UP):
        raise SandboxError(f"no event for a first utterance within {_SECONDS_TO_WARM_UP} s")
    silent = lambda_event(Contact(_WARM_UP, deployment.settings.connect.instance_arn), {})
    with ThreadPoolExecutor(4) as pool:
        for name in ("StartStreaming", "StopStreaming"):
            arn = deployment.function_arn(name)
            list(pool.map(lambda _, arn=arn: deployment.invoke(arn, silent, 120), range(4)))
    table = deployment.emulator.client("dynamodb")
    for item in deployment.conversation(_WARM_UP):
        key = {name: {"S": item[name]} for name in ("conversationId", "item")}
        table.delete_item(TableName=deployment.table_name, Key=key)
