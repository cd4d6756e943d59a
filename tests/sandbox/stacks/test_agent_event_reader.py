"""What the sandbox does in place of the emulator's event source mapping of agent events."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from sandbox.stacks.agent_event_reader import AgentEventReader
from sandbox.stacks.deployment import Deployment

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/agent-events"
Json = dict[str, Any]


class FakeAws:
    """One stream with one shard, one mapping, and one function.

    :ivar batches: What the function was invoked with, by agent.
    :ivar answers: What it says to each invocation in turn, then that all is done.
    """

    def __init__(self) -> None:
        self.settings = self
        self.lifecycle = self
        self.emulator = self
        self.stream_arn = STREAM
        self.is_enabled = True
        self.records: list[Json] = []
        self.batches: dict[str, list[list[str]]] = defaultdict(list)
        self.answers: list[Callable[[list[str]], Json]] = []
        self.invoked = threading.Semaphore(0)
        self.events: list[Json] = []

    def client(self, service: str, **_: object) -> FakeAws:
        return self

    def list_event_source_mappings(self, EventSourceArn: str) -> Json:
        assert EventSourceArn == STREAM
        mapping = {
            "UUID": "1",
            "FunctionArn": "follow",
            "BatchSize": 3,
            "MaximumRetryAttempts": 2,
        }
        return {"EventSourceMappings": [mapping]}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:
        self.is_enabled = Enabled

    def list_shards(self, StreamARN: str) -> Json:
        return {"Shards": [{"ShardId": "shard-1"}]}

    def get_shard_iterator(self, **_: object) -> Json:
        return {"ShardIterator": str(len(self.records))}

    def get_records(self, ShardIterator: str) -> Json:
        found = self.records[int(ShardIterator) :]
        return {"Records": found, "NextShardIterator": str(int(ShardIterator) + len(found))}

    def put(self, *events: tuple[str, str]) -> None:
        """Each an agent and a word."""
        self.records += [
            {
                "PartitionKey": agent,
                "SequenceNumber": f"n-{word}",
                "Data": word.encode(),
                "ApproximateArrivalTimestamp": datetime(2026, 11, 1, tzinfo=UTC),
            }
            for agent, word in events
        ]

    def invoke(self, FunctionName: str, Payload: str) -> Json:
        assert FunctionName == "follow"
        self.events += (records := json.loads(Payload)["Records"])
        words = [base64.b64decode(each["kinesis"]["data"]).decode() for each in records]
        self.batches[records[0]["kinesis"]["partitionKey"]].append(words)
        answer = self.answers.pop(0)(words) if self.answers else done(words)
        self.invoked.release()
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


def done(_: list[str]) -> Json:
    return {"batchItemFailures": []}


def fails_at(word: str) -> Callable[[list[str]], Json]:
    return lambda _: {"batchItemFailures": [{"itemIdentifier": f"n-{word}"}]}


def raises(_: list[str]) -> Json:
    return {"errorType": "RuntimeError"}


def deliver(aws: FakeAws, invocations: int, *events: tuple[str, str]) -> None:
    """Put the events into the stream, each an agent and a word, and wait for the invocations."""
    with AgentEventReader(cast(Deployment, aws)) as reader:
        aws.put(*events)
        reader.look()
        for _ in range(invocations):
            assert aws.invoked.acquire(timeout=60)


def test_the_emulator_no_longer_reads_the_stream() -> None:
    aws = FakeAws()
    deliver(aws, 0)
    assert not aws.is_enabled


def test_what_was_in_the_stream_before_is_not_delivered() -> None:
    aws = FakeAws()
    aws.put(("ada", "before"))
    deliver(aws, 1, ("ada", "after"))
    assert aws.batches == {"ada": [["after"]]}


def test_an_agents_events_come_in_order_and_in_batches_of_the_mappings_size() -> None:
    aws = FakeAws()
    deliver(aws, 2, *(("ada", word) for word in "abcd"))
    assert aws.batches == {"ada": [["a", "b", "c"], ["d"]]}


def test_an_agent_does_not_wait_for_another_one() -> None:
    aws = FakeAws()
    grace_is_done = threading.Event()

    def until_grace_is_done(words: list[str]) -> Json:
        if "a" in words:
            assert grace_is_done.wait(timeout=60)
        else:
            grace_is_done.set()
        return done(words)

    aws.answers = [until_grace_is_done, until_grace_is_done]
    deliver(aws, 2, ("ada", "a"), ("grace", "g"))
    assert aws.batches == {"ada": [["a"]], "grace": [["g"]]}


def test_what_the_function_reports_as_failed_comes_again_with_what_follows_it() -> None:
    aws = FakeAws()
    aws.answers = [fails_at("b")]
    deliver(aws, 2, *(("ada", word) for word in "abc"))
    assert aws.batches == {"ada": [["a", "b", "c"], ["b", "c"]]}


def test_a_batch_whose_function_raises_comes_again() -> None:
    aws = FakeAws()
    aws.answers = [raises]
    deliver(aws, 2, ("ada", "a"), ("ada", "b"))
    assert aws.batches == {"ada": [["a", "b"], ["a", "b"]]}


def test_an_event_that_always_fails_is_left_out_after_as_many_tries_as_the_mapping_says() -> None:
    aws = FakeAws()
    aws.answers = [fails_at("a")] * 3
    deliver(aws, 4, ("ada", "a"), ("ada", "b"))
    assert aws.batches == {"ada": [["a", "b"]] * 3 + [["b"]]}


def test_the_function_gets_a_record_of_the_stream_as_aws_gives_it() -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"""
    aws = FakeAws()
    deliver(aws, 1, ("ada", "a"))
    assert aws.events == [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "ada",
                "sequenceNumber": "n-a",
                "data": "YQ==",
                "approximateArrivalTimestamp": 1793491200.0,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shard-1:n-a",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda-role",
            "awsRegion": "us-east-1",
            "eventSourceARN": STREAM,
        }
    ]
