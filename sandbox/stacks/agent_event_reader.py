"""Reads the stream of agent events and invokes the deployed function, in the emulator's place.

The emulator serves all event sources with one thread, and runs the functions of streams inside it.
A hold that waits for ASAPP would stop the webhook's queue for as long. On AWS the two do not
affect each other. So the deployed event source mapping is disabled here, and this reader takes its
place, as AWS works: the events of one agent come in order, those of several agents at the same
time, and records that the function reports as failed come again. It does not write dead letters.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.stacks.deployment import Deployment

Json = dict[str, Any]

_SECONDS_BETWEEN_LOOKS = 1.0
"""AWS polls each shard once a second."""
_SECONDS_BETWEEN_TRIES = 0.5
_INVOCATIONS_AT_ONCE = 4
"""On AWS this is the mapping's ``ParallelizationFactor`` for each shard. The emulator starts a
process for each, which is a load for a small machine."""


class AgentEventReader:
    """A context manager: reads the stream from ``with`` to the end of it.

    :param deployment: The reader disables its mapping of the stream of agent events.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._kinesis = deployment.emulator.client("kinesis")
        self._lambda = deployment.emulator.client("lambda", tries=1)
        self._stream_arn = deployment.settings.lifecycle.stream_arn
        (self._mapping,) = self._lambda.list_event_source_mappings(EventSourceArn=self._stream_arn)[
            "EventSourceMappings"
        ]
        self._lambda.update_event_source_mapping(UUID=self._mapping["UUID"], Enabled=False)
        shards = self._kinesis.list_shards(StreamARN=self._stream_arn)["Shards"]
        self._iterators = {shard["ShardId"]: self._latest(shard["ShardId"]) for shard in shards}
        self._waiting: dict[str, list[Json]] = defaultdict(list)
        """By agent, the records that are not delivered yet. The first may be under way."""
        self._one = threading.Lock()
        self._look = threading.Event()
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(_INVOCATIONS_AT_ONCE, "agent events")
        self._thread = threading.Thread(target=self._read, name="agent event stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._look.set()
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Poll the stream at once, because there is a new record."""
        self._look.set()

    def _latest(self, shard_id: str) -> str:
        return str(
            self._kinesis.get_shard_iterator(
                StreamARN=self._stream_arn, ShardId=shard_id, ShardIteratorType="LATEST"
            )["ShardIterator"]
        )

    def _read(self) -> None:
        while not self._closing.is_set():
            self._look.wait(_SECONDS_BETWEEN_LOOKS)
            self._look.clear()
            for shard_id, iterator in self._iterators.items():
                answer = self._kinesis.get_records(ShardIterator=iterator)
                self._iterators[shard_id] = answer["NextShardIterator"]
                by_agent = defaultdict(list)
                for record in answer["Records"]:
                    by_agent[record["PartitionKey"]].append(self._as_delivered(shard_id, record))
                for agent, records in by_agent.items():
                    self._take(agent, records)

    def _take(self, agent: str, records: list[Json]) -> None:
        with self._one:
            is_under_way = bool(self._waiting[agent])
            self._waiting[agent] += records
        if not is_under_way:
            self._pool.submit(self._deliver, agent)

    def _deliver(self, agent: str) -> None:
        """Invoke the function with an agent's records, until there are no more of them."""
        tries = 0
        while not self._closing.is_set():
            with self._one:
                batch = self._waiting[agent][: self._mapping["BatchSize"]]
            done = self._invoke(batch)
            tries = 0 if done else tries + 1
            if tries > self._mapping["MaximumRetryAttempts"]:
                done, tries = 1, 0
            with self._one:
                del self._waiting[agent][:done]
                if not self._waiting[agent]:
                    return
            if tries:
                self._closing.wait(_SECONDS_BETWEEN_TRIES)

    def _invoke(self, batch: list[Json]) -> int:
        """:returns: How many records at the start of the batch are done."""
        try:
            answer = self._lambda.invoke(
                FunctionName=self._mapping["FunctionArn"], Payload=json.dumps({"Records": batch})
            )
        except (ClientError, BotoCoreError):
            return 0
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            return 0
        failed = {failure["itemIdentifier"] for failure in payload["batchItemFailures"]}
        numbers = [record["kinesis"]["sequenceNumber"] for record in batch]
        return next((n for n, number in enumerate(numbers) if number in failed), len(batch))

    def _as_delivered(self, shard_id: str, record: Json) -> Json:
        """A record of the stream, as the function gets it.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
        """
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda-role",
            "awsRegion": str(self._stream_arn).split(":")[3],
            "eventSourceARN": self._stream_arn,
        }
