"""A load in an AWS account: deploys a copy of an environment with a double in ASAPP's place, lets
calls come, counts, and removes all of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from connect_settings import Settings
from sandbox.asapp.conversations import Utterance
from sandbox.asapp.webhook import Post, message
from sandbox.stacks.deployment import Deployment, cdk, leave_out, stack_name
from sandbox.stacks.emulator import Emulator, SandboxError
from sandbox.stacks.event_delivery import ConnectEvents
from shared.transcripts.stored_utterances import utterance_id
from tools.load.account.app import TAG
from tools.load.account.copied import copy_of
from tools.load.account.functions.asapp.handler import stream_id
from tools.load.calls import Playing, play
from tools.load.counts import Counts, Posted
from tools.load.in_sandbox import DELIVERY, DISORDER, told_by
from tools.load.processor import Processor
from tools.load.result import ROOT, Result
from tools.load.schedule import PlannedCall, most_at_a_time, schedule

Json = dict[str, Any]
Say = Callable[[str], None]

PLACES = ("webhook", "table", "bus")
OF_CONNECT = ("AWS::AppIntegrations::Application", "AWS::Connect::IntegrationAssociation")
"""The copy is joined to no instance."""
_LONGEST_DELAY = 900
_SECONDS_TO_ARRIVE = 600.0
_SECONDS_TO_START = 15.0
"""Of the processes that play calls."""
_READERS = 8
_SECONDS_BETWEEN_LINES = 15.0


class Account(Emulator):
    """AWS itself, in the emulator's place: clients and the CDK use the credentials of the shell."""

    def __init__(self, folder: Path, region: str) -> None:
        super().__init__(folder)
        self._region = region
        self.pid = 0

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": f"{ROOT / 'lambdas'}"}

    def _new_client(self, service: str, tries: int, read_timeout: float) -> Any:
        config = Config(
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=64,
        )
        return boto3.client(service, region_name=self._region, config=config)


class _NoReader:
    """Lambda itself reads the stream."""

    def look(self) -> None: ...


@dataclass(frozen=True)
class _Deployed:
    deployment: Deployment
    agent_event_reader: _NoReader


class _Events(ConnectEvents):
    def _send(self, event: Json) -> None:
        """Only what the rule takes. EventBridge's own answer is limited to a few a second."""
        if event["detail"]["eventType"] == "DISCONNECTED":
            super()._send(event)

    def _matches(self, event: Json) -> bool:
        return True


@dataclass(frozen=True)
class Target:
    """What a process needs to know of the copy to play calls.

    :param outputs: Of the copy's stack.
    :param copy: Its name and the data of its settings.
    """

    assembly: Path
    outputs: Mapping[str, str]
    copy: Json

    def deployment(self) -> Deployment:
        name, data = self.copy["name"], self.copy["data"]
        settings = Settings.from_mapping(data, source=name)
        account = Account(self.assembly.parent, settings.region)
        exports = {f"{stack_name('transcription', name)}:{k}": v for k, v in self.outputs.items()}
        return Deployment(account, self.assembly, self.outputs, exports, settings, environment=name)


def run(name: str, settings_file: Path, calls: int, minutes: float, say: Say) -> Result:
    """:param name: The environment's.
    :raises SandboxError: If it is another account, or something cannot be deployed.
    """
    data = tomllib.loads(settings_file.read_text("utf-8"))
    settings = Settings.load(settings_file)
    prefix = f"autotranscribe-{name}-load"
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        account = Account(Path(folder), settings.region)
        who = account.client("sts").get_caller_identity()["Account"]
        if who != settings.account:
            raise SandboxError(f"you are signed in to {who}, and {name} is in {settings.account}")
        stacks = Stacks(account, Path(folder), prefix, say)
        with stacks.removed():
            double = stacks.deploy("double", calls=calls, **_environment(settings))
            copy = {"name": f"{name}-load", "data": copy_of(data, double)}
            outputs = stacks.deploy("transcription", copy=copy)
            target = Target(stacks.assembly, outputs, copy)
            deployment = target.deployment()
            webhook = {
                "url": deployment.outputs["WebhookUrl"],
                "secret_arn": deployment.outputs["WebhookSecretArn"],
                "secret_name": deployment.settings.webhook.secret_name,
                "secret_in": deployment.settings.webhook.secret_in,
            }
            speech = {
                "results": double["ResultsArn"],
                "bus": deployment.event_bus_name,
                "webhook": webhook,
            }
            said = stacks.deploy("speech", speech=speech)
            deployment.stop_schedules()
            queues = Queues(said["SaidUrl"], double["ResultsUrl"])
            return load(target, queues, schedule(calls, minutes * 60), say)


def _environment(settings: Settings) -> Json:
    names = ("account", "region", "bootstrap_qualifier")
    return {name: getattr(settings, name) for name in names}


@dataclass(frozen=True)
class Queues:
    """The URLs of the queue of what is said, and of that of the results."""

    said: str
    results: str


class Stacks:
    """The three stacks of a load.

    :param prefix: Of their names.
    :param prepare: Called with the copy's template before it is deployed.
    :ivar assembly: Where their templates are.
    """

    ORDER = ("double", "transcription", "speech")

    def __init__(
        self,
        account: Emulator,
        folder: Path,
        prefix: str,
        say: Say,
        prepare: Callable[[Path], None] = lambda file: leave_out(file, OF_CONNECT),
    ) -> None:
        self._prepare = prepare
        self._account, self._folder, self._prefix, self._say = account, folder, prefix, say
        self._given: Json = {"prefix": prefix}
        self.assembly = folder / "cdk.out"
        self._cloudformation = account.client("cloudformation")

    def deploy(self, part: str, **given: Any) -> dict[str, str]:
        """:param given: What the app needs to know from now on.
        :returns: The stack's outputs.
        """
        name = f"{self._prefix}-{part}"
        self._say(f"deploying {name}")
        self._given |= given
        file = self._folder / "load.json"
        file.write_text(json.dumps(self._given), "utf-8")
        synthesised = subprocess.run(
            [sys.executable, "-m", "tools.load.account.app", file, self.assembly],
            cwd=ROOT,
            env=self._account.environment,
            capture_output=True,
            text=True,
        )
        if synthesised.returncode:
            raise SandboxError("\n".join(synthesised.stderr.splitlines()[-15:]))
        if part == "transcription":
            self._prepare(self.assembly / f"{name}.template.json")
        with cdk(
            self._account, self._folder, "deploy", "--app", self.assembly, name,
            "--exclusively", "--require-approval", "never",
        ):  # fmt: skip
            pass
        (stack,) = self._cloudformation.describe_stacks(StackName=name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Remove what an earlier run has left, and at the end, however it ends, what this one made.

        :raises SandboxError: If there is a stack of such a name that no load has made.
        """
        self._remove()
        try:
            yield
        finally:
            self._remove()

    def _remove(self) -> None:
        for part in reversed(self.ORDER):
            name = f"{self._prefix}-{part}"
            try:
                (stack,) = self._cloudformation.describe_stacks(StackName=name)["Stacks"]
            except ClientError as problem:
                if "does not exist" in str(problem):
                    continue
                raise
            if TAG not in {tag["Key"] for tag in stack.get("Tags", [])}:
                raise SandboxError(f"{name} has no tag {TAG}: no load has made it; it stays")
            self._say(f"removing {name}")
            self._cloudformation.delete_stack(StackName=name)
            self._cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)


class Speech:
    """What people say: each utterance goes into the queue of what is to be posted, with its time.

    :param said_url: That queue.
    """

    def __init__(self, account: Emulator, said_url: str, counts: Counts) -> None:
        self.pace = 1.0
        self._sqs, self._url, self._counts = account.client("sqs"), said_url, counts
        self._spoken_until_ms: defaultdict[str, int] = defaultdict(int)

    def speak(self, guid: str, utterances: Sequence[Utterance]) -> Future[Any]:
        now, began_ms = time.time(), self._spoken_until_ms[guid]
        spoken = sorted(utterances, key=lambda each: each.end_ms)
        entries = []
        for each, times in zip(spoken, DELIVERY.plan(spoken), strict=True):
            self._spoken_until_ms[guid] = max(self._spoken_until_ms[guid], each.end_ms)
            dues = [now + (at - began_ms) / 1000 for at in times]
            body = message(_post(guid, each), detailed_token=False).decode()
            id = self._counts.posted(body, dues[0], [])
            entries += [{"id": id, "due": due, "body": body} for due in dues]
        for at in range(0, len(entries), 10):
            self._send(entries[at : at + 10])
        done: Future[Any] = Future()
        done.set_result(None)
        return done

    def _send(self, entries: Sequence[Json]) -> None:
        batch = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(entry),
                "DelaySeconds": max(0, min(_LONGEST_DELAY, int(entry["due"] - time.time()))),
            }
            for number, entry in enumerate(entries)
        ]
        answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=batch)
        if failed := answer.get("Failed"):
            raise SandboxError(f"the queue of what is said refuses: {failed[0]['Code']}")


def _post(guid: str, said: Utterance) -> Post:
    return Post(
        guid=guid,
        stream_id=stream_id(guid, said.role),
        role=said.role,
        sender=f"id of {said.role}",
        start_ms=said.start_ms,
        end_ms=said.end_ms,
        text=said.text,
        audio_began_at=0.0,
        conversation_id="",
        message_id="",
        recorded=said.text,
    )


class Results:
    """Reads what the functions tell, on some threads.

    :ivar told: What ASAPP's double was asked: the call, ``start`` or ``stop``, and when.
    :ivar statuses: Of the webhook's answers.
    """

    def __init__(self, account: Emulator, url: str, counts: Counts) -> None:
        self.told: list[tuple[str, str, float]] = []
        self.statuses: Counter[int] = Counter()
        self._sqs, self._url, self._counts = account.client("sqs"), url, counts
        self._closing = threading.Event()

    @contextmanager
    def reading(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._read, daemon=True) for _ in range(_READERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._closing.set()
            for thread in threads:
                thread.join()

    def _read(self) -> None:
        while not self._closing.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages = answer.get("Messages", [])
            for each in messages:
                self._take(json.loads(each["Body"]))
            if messages:
                entries = [
                    {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
                    for number, each in enumerate(messages)
                ]
                self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _take(self, result: Json) -> None:
        match result["kind"]:
            case "told":
                self.told.append((result["guid"], result["what"], result["at"]))
            case "posts":
                for post in result["posts"]:
                    self.statuses[post["status"]] += 1
                    if post["status"] == 200:
                        self._counts.came("webhook", post["sent"], {"id": post["id"]})
            case "heard":
                for each in result["heard"]:
                    self._counts.came("bus", each["at"], each["said"])


def load(
    target: Target,
    queues: Queues,
    planned: Sequence[PlannedCall],
    say: Say,
    processes: int | None = None,
) -> Result:
    """:param processes: That play calls: 10 to 20 requests to AWS a call are too many for one with
    thousands of calls. Default: one for each core.
    """
    number = processes or os.cpu_count() or 1
    say(f"{len(planned)} calls come, up to {most_at_a_time(planned)} of them at a time")
    began = time.time()
    starts_at = began + _SECONDS_TO_START
    shares = [(target, queues.said, planned[n::number], starts_at) for n in range(number)]
    counts, played = Counts(PLACES), Playing()
    with get_context("spawn").Pool(number, _ignore_interruptions) as pool:  # its end ends them
        shared = pool.starmap_async(_play_share, shares, chunksize=1)
        while not shared.ready():
            shared.wait(_SECONDS_BETWEEN_LINES)
            come = sum(starts_at + call.at <= time.time() for call in planned)
            say(f"  {max(0, time.time() - starts_at):4.0f} s: {come} calls have come")
        for share, posted in shared.get():
            counts.adopt(posted)
            played.done += share.done
            played.guids += share.guids
            played.failed |= share.failed
    say("waiting until everything has come")
    deployment = target.deployment()
    # What it took is not known: most of it was taken by AWS.
    processor = Processor(0.0, 0.0)
    results = Results(deployment.emulator, queues.results, counts)
    with results.reading():
        until = time.monotonic() + _SECONDS_TO_ARRIVE
        while (counts.missing("webhook") or counts.missing("bus")) and time.monotonic() < until:
            time.sleep(1)
        say("reading the table")
        _read_table(deployment, played.guids, counts)
    for status, times in sorted(results.statuses.items()):
        say(f"the webhook answered {times:,} POSTs with {status or 'nothing'}")
    asked = told_by(results.told, played, on_hold=0, before_start=0)
    return Result.of(planned, played, counts, asked, 0, began, processor)


def _ignore_interruptions() -> None:
    """Only the first process stops the load, and ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play_share(
    target: Target, said_url: str, planned: Sequence[PlannedCall], starts_at: float
) -> tuple[Playing, list[Posted]]:
    """Play some of the calls, in a process of its own."""
    deployment, counts = target.deployment(), Counts(PLACES)
    speech = Speech(deployment.emulator, said_url, counts)
    with _Events(_Deployed(deployment, _NoReader()), DISORDER) as events:
        played = play(planned, deployment, speech, events, from_=starts_at)
    return played, list(counts)


def _read_table(deployment: Deployment, guids: Sequence[str], counts: Counts) -> None:
    with ThreadPoolExecutor(_READERS) as pool:
        for items in pool.map(deployment.conversation, guids):
            for item in items:
                if "streamId" in item and "text" in item:
                    said = {**item, "id": utterance_id(item)}
                    counts.came("table", item["storedAt"] / 1000, said)
