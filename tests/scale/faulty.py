"""ASAPP and DynamoDB on a virtual clock, failing by a seed in every way that they document."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.aws.api import AwsError
from shared.http import NoAnswer, Response
from shared.runtime import Deadline
from tests.fake_dynamodb import FakeDynamoDb

from .side_by_side import Timeline

_CONNECT_SECONDS = 2.0


@dataclass
class Stream:
    """What ASAPP has read of a call between a start and a stop."""

    guid: str
    agent_id: str
    began: float
    ids: tuple[str, str]
    ended: float = 0.0
    is_told: bool = False
    """Whether an answer with its ids has reached the function."""


@dataclass
class Faults:
    """:param rate: The share of exchanges that fail or are slow."""

    rng: random.Random
    rate: float
    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, *kinds: str) -> str:
        if self.rng.random() >= self.rate:
            return ""
        kind = self.rng.choice(kinds)
        self.counts[kind] += 1
        return kind


class FaultyOrigin:
    """An origin whose name server, handshake and answers come late, or not at all."""

    host = "127.0.0.1"

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        self.timeline, self.faults = timeline, faults

    def connect(self, deadline: Deadline) -> None:
        if self.faults.draw("slow name server", "slow handshake", "connection refused"):
            seconds = self.faults.rng.uniform(0.2, 6)
            limit = min(_CONNECT_SECONDS, deadline.remaining())
            self.timeline.sleep(min(seconds, limit))
            if seconds >= limit:
                raise NoAnswer("timeout", was_sent=False)
        if not deadline.remaining():
            raise NoAnswer("timeout", was_sent=True)

    def exchange(
        self, deadline: Deadline, seconds: float, work: Callable[[], Response | None]
    ) -> Response:
        """The work is done after so many seconds, whoever still waits for it."""
        done: list[Response | None] = []
        self.timeline.at(self.timeline.seconds + seconds, lambda: done.append(work()))
        self.timeline.sleep(min(seconds + 0.02, deadline.remaining()))
        if not done:
            raise NoAnswer("timeout", was_sent=True)
        if done[0] is None:
            raise NoAnswer("ConnectionResetError", was_sent=True)
        return done[0]


def response(status: int, body: Mapping[str, Any]) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def refusal(code: str) -> Response:
    status = int(code.partition("-")[0])
    return response(status, {"error": {"requestId": "r", "code": code, "message": "words"}})


class FaultyAsapp(FaultyOrigin):
    """
    :ivar refused: The calls whose starts it refuses for good.
    :ivar next_takes: How many seconds the next requests take, in turn.
    :ivar loses: How many answers get lost from now on.
    :ivar positions: Where each start was to begin: a fragment number, or ``NOW``.
    :ivar asked: ``start ada`` and ``stop``, in the order in which they were sent.
    """

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        super().__init__(timeline, faults)
        self.running: dict[str, Stream] = {}
        self.streams: list[Stream] = []
        self.pending: set[str] = set()
        self.refused: set[str] = set()
        self.next_takes: list[float] = []
        self.loses = 0
        self.positions: list[str] = []
        self.asked: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        body: bytes | None = None,
        most_bytes: int = 0,
    ) -> Response:
        assert body is not None
        self.connect(deadline)
        asked = json.loads(body)
        self.asked.append(f"start {asked['agentId']}" if "agentId" in asked else "stop")
        guid = asked["guid"]
        if guid in self.pending:
            self.timeline.sleep(min(0.05, deadline.remaining()))
            return refusal("409-202")
        early = self.faults.draw(
            *("429-01", "500-201", "503-01", "reset before", "html", "slow", "very slow"),
            *("lost", "503 after", "reset after", "not ok", "not ok after"),
        )
        if early in ("429-01", "500-201", "503-01"):
            self.timeline.sleep(min(0.1, deadline.remaining()))
            return refusal(early)
        if early == "reset before":
            self.timeline.sleep(min(0.1, deadline.remaining()))
            raise NoAnswer("ConnectionResetError", was_sent=True)
        if early == "html":
            return Response(200, {}, b"<html>words of a proxy</html>")
        if early == "not ok":
            return response(200, {"isOk": False, "errorMessage": "words"})
        slow = {"slow": (1.0, 3.5), "very slow": (3.5, 9.0), "lost": (5.0, 9.0)}
        seconds = self.faults.rng.uniform(*slow.get(early, (0.2, 0.6)))
        if "amazonConnectParams" in asked:
            position = asked["amazonConnectParams"]
            self.positions.append(position.get("afterFragmentNumber", "NOW"))
        if self.loses:
            early, self.loses = "reset after", self.loses - 1
        seconds = self.next_takes.pop(0) if self.next_takes else seconds
        self.pending.add(guid)

        def work() -> Response | None:
            self.pending.discard(guid)
            answer = self._start(asked) if path.endswith("start-streaming") else self._stop(guid)
            if early == "503 after":
                return refusal("503-01")
            if early == "not ok after":
                return response(200, {"isOk": False, "errorMessage": "words"})
            return None if early == "reset after" else answer

        answer = self.exchange(deadline, seconds, work)
        self._told(answer)
        return answer

    def _start(self, asked: Mapping[str, Any]) -> Response:
        guid = asked["guid"]
        if guid in self.refused:
            return refusal("400-201")
        if guid in self.running:
            return refusal("409-201")
        number = len(self.streams)
        ids = f"{number}-customer", f"{number}-agent"
        stream = Stream(guid, asked["agentId"], self.timeline.seconds, ids)
        self.running[guid] = stream
        self.streams.append(stream)
        return response(200, self._participants(stream, {}))

    def _stop(self, guid: str) -> Response:
        stream = self.running.pop(guid, None)
        if stream is None:
            return refusal(self.faults.rng.choice(("409-201", "400-203")))
        stream.ended = self.timeline.seconds
        return response(200, self._participants(stream, {"summary": {"transcripts": 3}}))

    def _participants(self, stream: Stream, more: Mapping[str, Any]) -> dict[str, Any]:
        both = (
            {"streamId": stream_id, "status": {"code": 1000, "description": "OK"}, **more}
            for stream_id in stream.ids
        )
        customer, agent = both
        return {"isOk": True, "autotranscribeResponse": {"customer": customer, "agent": agent}}

    def _told(self, answer: Response) -> None:
        if answer.status == 200 and (content := json.loads(answer.body)).get("isOk"):
            stream_id = content["autotranscribeResponse"]["customer"]["streamId"]
            self.streams[int(stream_id.partition("-")[0])].is_told = True


class FaultyDynamoDb(FaultyOrigin):
    """DynamoDB's protocol over :class:`tests.fake_dynamodb.FakeDynamoDb`.

    :ivar refusals: By operation, the errors that the next calls get.
    """

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        super().__init__(timeline, faults)
        self.table = FakeDynamoDb()
        self.refusals: dict[str, list[str]] = {}

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        body: bytes | None = None,
        most_bytes: int = 0,
    ) -> Response:
        assert body is not None
        self.connect(deadline)
        operation = headers["x-amz-target"].rpartition(".")[2]
        kinds = ["ProvisionedThroughputExceededException", "ThrottlingException"]
        kinds += ["InternalServerError", "reset before", "answer lost", "slow"]
        if operation == "UpdateItem":
            kinds += ["TransactionConflictException"] * 3
        if operation == "TransactWriteItems":
            kinds += ["TransactionConflict", "ThrottlingError", "TransactionInProgressException"]
        scripted = self.refusals.get(operation)
        fault = scripted.pop(0) if scripted else self.faults.draw(*kinds)
        seconds = self.faults.rng.uniform(0.5, 3) if fault == "slow" else 0.005

        def work() -> Response | None:
            if fault == "reset before":
                return None
            if fault in ("TransactionConflict", "ThrottlingError"):
                reasons = [{"Code": fault}, {"Code": "None"}]
                return _error("TransactionCanceledException", {"CancellationReasons": reasons})
            if fault.endswith(("Exception", "Error")):
                return _error(fault, {})
            try:
                answer = self.table("dynamodb", headers["x-amz-target"], json.loads(body), deadline)
            except AwsError as error:
                return _error(error.code, error.details)
            return None if fault == "answer lost" else response(200, answer)

        return self.exchange(deadline, seconds, work)


def _error(code: str, details: Mapping[str, Any]) -> Response:
    status = 500 if code == "InternalServerError" else 400
    return response(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **details})
