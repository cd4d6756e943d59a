"""Calls that have ended: what the webhook left in the table, and what ASAPP has of them."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import boto3

from reconcile_transcript import handler as reconcile_transcript
from shared.runtime import Deadline
from shared.table import BATCH, PENDING, attributes, reconcile_key, values
from shared.transcripts.stored_utterances import in_order
from shared.transcripts.utterance import Utterance
from tests.unit.conftest import Behaviour, Vendor
from tests.unit.held_clock import HeldClock

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
FAR_S = 4_102_444_800
AFTER_MS = 15 * 60_000
ROLES = ("agent", "customer")
STATE = "staging_utterance_state"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Call:
    """A call of which every second utterance is the customer's, each ``step_ms`` after the last.

    :param ago_ms: How long ago it ended.
    """

    def __init__(
        self, guid: str, texts: Sequence[str], ago_ms: int = HOUR_MS, step_ms: int = 2_000
    ) -> None:
        self.guid = guid
        self.texts = texts
        self.step_ms = step_ms
        self.ended_ms = now_ms() - ago_ms
        self.began_ms = self.ended_ms - len(texts) * step_ms

    def message(self, at: int) -> str:
        role = ROLES[at % 2]
        return json.dumps(
            {
                "type": "transcript",
                "externalConversationId": self.guid,
                "streamId": f"{self.guid}-{role}",
                "sender": {"externalId": f"id of {role}", "role": role},
                "autotranscribeResponse": {
                    "message": "transcript",
                    "start": at * self.step_ms,
                    "end": at * self.step_ms + 1_500,
                    "utterance": [{"text": self.texts[at]}],
                },
            }
        )

    def iso(self, at: int) -> str:
        seconds = (self.began_ms + 350 + at * self.step_ms) / 1000
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

    def items(self) -> list[dict[str, Any]]:
        """Of ASAPP's GET messages, whose clock is 350 ms ahead."""
        return [
            {
                "text": text,
                "sender": {"role": ROLES[at % 2], "externalId": f"id of {ROLES[at % 2]}"},
                "messageId": f"{self.guid}/{at}",
                "createdTimestamp": self.iso(at),
                "clientTimestamp": self.iso(at),
            }
            for at, text in enumerate(self.texts)
        ]

    def documented(self, **of_both: Any) -> tuple[list[bytes], list[bytes]]:
        """Of File Exporter's feeds as ASAPP documents them: what was said, and who said it."""
        said, state = [], []
        for at, (role, text) in enumerate(self.said):
            both = {
                "external_conversation_id": self.guid,
                "message_id": f"{self.guid}/{at}",
                "instance_ts": self.iso(0),
                "chat_message_event_ts": self.iso(at)[:19].replace("T", " "),
            } | of_both
            sender = {"sender_type": f"SENDER_{role.upper()}", "sender_id": f"id of {role}"}
            said.append(json.dumps({**both, "utterance": text}).encode())
            state.append(json.dumps({**both, **sender}).encode())
        return said, state

    def lines(self) -> list[bytes]:
        """Of a feed of utterances that says all by itself."""
        rows = (
            {
                "external_conversation_id": self.guid,
                "utterance_id": f"{self.guid}/{at}",
                "sender_role": ROLES[at % 2],
                "utterance": text,
                "start_ts": self.iso(at),
            }
            for at, text in enumerate(self.texts)
        )
        return [json.dumps(row).encode() for row in rows]

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(ROLES[at % 2], text) for at, text in enumerate(self.texts)]


def texts(count: int) -> list[str]:
    """Every third is 'Yes.'"""
    return ["Yes." if at % 3 == 1 else f"Words of number {at}." for at in range(count)]


class Table:
    """The table, as the other functions leave it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dynamodb = boto3.client("dynamodb")

    def end(self, call: Call, summary: tuple[int, int] | None = None, **changes: Any) -> None:
        """The call has been started and has ended; ``changes`` go into its item."""
        conversation = {
            "conversationId": call.guid,
            "item": "conversation",
            "version": 3,
            "state": "ended",
            "changedAt": call.ended_ms,
            "reconcile": reconcile_key(PENDING, call.guid),
            "reconcileAt": call.ended_ms,
        }
        self.put(conversation | changes)
        for at, role in enumerate(ROLES):
            stream = {
                "conversationId": call.guid,
                "item": f"stream#{call.guid}-{role}",
                "streamId": f"{call.guid}-{role}",
                "role": role,
                "startedAt": call.began_ms,
            }
            self.put(stream | ({"transcripts": summary[at]} if summary else {}))

    def post(self, call: Call, numbers: Sequence[int]) -> None:
        """The webhook brings these."""
        found: dict[str, dict[str, Any]] = {}
        for at in numbers:
            received = call.began_ms + at * call.step_ms + 2_000
            utterance = Utterance.from_message(call.message(at))
            found[utterance.key] = utterance.item(
                received_at_ms=received, stored_at_ms=received, expires_at_s=FAR_S
            )
        writes = [{"PutRequest": {"Item": attributes(item)}} for item in found.values()]
        for first in range(0, len(writes), 25):
            some = writes[first : first + 25]
            self.dynamodb.batch_write_item(RequestItems={self.name: some})

    def put(self, item: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.name, Item=attributes(item))

    def items(self, guid: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="conversationId = :id",
            ExpressionAttributeValues={":id": {"S": guid}},
        )
        return [values(item) for page in pages for item in page["Items"]]

    def conversation(self, guid: str) -> dict[str, Any]:
        (found,) = (item for item in self.items(guid) if item["item"] == "conversation")
        return found

    def utterances(self, guid: str) -> list[dict[str, Any]]:
        return [item for item in self.items(guid) if item["item"].startswith("utterance#")]

    def transcript(self, guid: str) -> list[tuple[str, str]]:
        return [(item["role"], item["text"]) for item in in_order(self.items(guid))]

    def change(self, guid: str, **changes: Any) -> None:
        self.put(self.conversation(guid) | changes)


def waits_for(conversation: dict[str, Any]) -> str:
    """``pending``, ``batch``, ``""`` for nothing."""
    return str(conversation.get("reconcile", "")).partition("#")[0]


def messages_of(*calls: Call) -> Behaviour:
    return lambda request: request.reply(
        200, {"items": [i for call in calls for i in call.items()]}
    )


def items(given: object) -> Behaviour:
    return lambda request: request.reply(200, {"items": given})


class Sent(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, message: str) -> list[dict[str, Any]]:
        return [vars(each) for each in self.records if each.getMessage() == message]


class World(Table):
    """The table, and the function, whose invocations are on a clock that the test holds."""

    def __init__(self, name: str, clock: HeldClock) -> None:
        super().__init__(name)
        self.clock = clock

    def run(self, seconds: float = 60.0) -> dict[str, Any]:
        return self._invoke({}, seconds)

    def ask(self, guid: str, seconds: float = 60.0) -> dict[str, Any]:
        return self._invoke({"conversationId": guid}, seconds)

    def exported(self, day: date) -> dict[str, Any]:
        return self._invoke({"exported": day.isoformat()}, 120.0)

    def _invoke(self, event: dict[str, Any], seconds: float) -> dict[str, Any]:
        return reconcile_transcript.answer(event, Deadline(seconds, self.clock))


def utc_day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


class Bucket:
    def __init__(self, name: str) -> None:
        self.name = name
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=name)

    def put(
        self,
        day: date,
        lines: Sequence[bytes],
        name: str = "file1.jsonl",
        feed: str = "utterances",
    ) -> None:
        key = f"{feed}/dt={day}/{name}"
        self.s3.put_object(Bucket=self.name, Key=key, Body=b"\n".join(lines) + b"\n")


def completes_calls_of_which_a_tenth_was_lost(count: int, world: World, vendor: Vendor) -> None:
    chance = random.Random(8)  # noqa: S311
    calls, lost = [], {}
    for at in range(count):
        call = Call(f"c-{at}", texts(chance.randint(3, 30)), ago_ms=HOUR_MS + at)
        have = [number for number in range(len(call.texts)) if chance.random() >= 0.1]
        world.end(call)
        twice = have + [number for number in have if chance.random() < 0.1]
        chance.shuffle(twice)
        world.post(call, twice)
        vendor.moods[call.guid] = messages_of(call)
        calls.append(call)
        lost[call.guid] = len(call.texts) - len(have)
    assert world.run(300.0) == {"conversations": count}
    for call in calls:
        assert world.transcript(call.guid) == call.said
        conversation = world.conversation(call.guid)
        counts = (conversation["completeness"], conversation["recovered"])
        assert counts == ("complete", lost[call.guid])


def completes_by_the_export(
    call: Call, given: int, world: World, vendor: Vendor, bucket: Bucket, log: Sent
) -> None:
    """A tenth of a call was lost; GET messages gives so many items of it, and the export all.

    :param call: Its ``guid`` is "long".
    """
    chance = random.Random(5)  # noqa: S311
    count = len(call.texts)
    world.end(call, summary=(count // 2, count // 2))
    have = [at for at in range(count) if chance.random() >= 0.1]
    world.post(call, have)
    vendor.moods["long"] = items(call.items()[:given])
    world.run()
    conversation = world.conversation("long")
    assert (conversation["completeness"], waits_for(conversation)) == ("awaiting", BATCH)
    assert abs(conversation["reconcileAt"] - now_ms()) < 60_000
    assert world.run() == {"conversations": 0}

    (lines, state), (others, others_state) = call.documented(), Call("o", texts(30)).documented()
    day = utc_day(call.ended_ms)
    bucket.put(day, [*others, *lines[: count // 2]])
    bucket.put(
        day, [*lines[count // 2 - 5 :], b"no JSON at all {"], name="words +15550100199.jsonl"
    )
    chance.shuffle(state)  # not in the other feed's order
    bucket.put(day, [*state[: count * 2 // 3], *others_state], feed=STATE)
    bucket.put(day, state[count * 2 // 3 - 5 :], name="file2.jsonl", feed=STATE)
    assert world.exported(day) == {"conversations": 1, "complete": 1}
    conversation = world.conversation("long")
    expected = {
        "completeness": "complete",
        "fromWebhook": len(have),
        "fromSummary": count,
        "fromMessages": given,
        "fromExport": count,
        "recovered": count - len(have),
        "onlyOurs": 0,
    }
    assert {name: conversation[name] for name in expected} == expected
    assert "reconcile" not in conversation
    assert world.transcript("long") == call.said
    sources = [item["source"] for item in world.utterances("long")]
    assert {*sources} == {"webhook", "messages", "export"}
    assert {item["senderId"] for item in world.utterances("long")} == {
        "id of customer",
        "id of agent",
    }
    assert world.utterances("o") == []
    (malformed,) = log.of("lines of the feed cannot be read")
    assert (malformed["lines"], malformed["levelname"]) == (1, "ERROR")
    assert (malformed["feed"], malformed["day"], malformed["file"]) == ("utterances", str(day), 2)
    assert "15550100199" not in str(malformed)  # a name is ASAPP's and may say anything
